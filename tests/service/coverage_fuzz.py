"""Fuzzes how every form of request is read, guided by the coverage of service and model.

It needs atheris. Run by ``scripts/fuzz``; the arguments are libFuzzer's.
"""

from __future__ import annotations

import atexit
import signal
import sys
from random import Random

import atheris

with atheris.instrument_imports(include=["service", "model"]):
    from model.artifact.artifact import Artifact
    from service.app import create_app
    from service.settings import Settings

from tests.conftest import ARTIFACT
from tests.service.asking import Asker
from tests.service.careful import FORMS
from tests.service.differences import Finding
from tests.service.questions import LINES, Question, Way, body, check

ASK = Asker(create_app(Settings(artifact=ARTIFACT)))
PREDICTOR = Artifact.load(ARTIFACT).predictor()


def fuzz(data: bytes) -> None:
    """Send bytes; the first selects the form, and whether the rest is the body or a seed."""
    kind, is_seed = divmod(data[0] if data else 0, 2)
    kind, is_report = divmod(kind, 2)
    form = FORMS[kind % len(FORMS)]
    way: Way = "report" if is_report and form in LINES else "refuse"
    asked = Question(form, body(Random(data), form) if is_seed else data[1:], way)
    try:
        check(asked, ASK(asked.path, asked.sent, headers=asked.headers), PREDICTOR)
    except Exception as error:
        raise Finding(asked, error) from error


if __name__ == "__main__":
    # libFuzzer's timer would go on while Python ends, when nothing handles its signal.
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
