"""Fuzzes the parsers guided by the coverage of service and model; needs atheris.

Run by ``scripts/fuzz``; the arguments are libFuzzer's.
"""

from __future__ import annotations

import atexit
import signal
import sys
from random import Random

import atheris

with atheris.instrument_imports(include=["service", "model"]):
    from model.artifact import Artifact
    from model.predictor import Predictor
    from service.errors import InvalidInput
    from service.scoring import Scorer

from tests.conftest import ARTIFACT
from tests.service import hostile

SCORER = Scorer(Predictor(Artifact.load(ARTIFACT)), max_rows=10_000)


def fuzz(data: bytes) -> None:
    """Score bytes: the first says whether as a batch, and whether they are the body or a seed."""
    is_batch, is_seed = bool(data[:1] < b"\x80"), data[:1] and data[0] % 2 == 0
    body = hostile.body(Random(data), is_batch=is_batch) if is_seed else data[1:]
    score = SCORER.predict_batch if is_batch else SCORER.predict
    try:
        score(body)
    except InvalidInput as refusal:
        told = hostile.without_loc({"detail": str(refusal), "errors": refusal.faults})
        assert not [mark for mark in hostile.MARKS if mark in told]
        assert hostile.meaning(body, is_batch=is_batch) is None
    else:
        assert hostile.meaning(body, is_batch=is_batch) is not None


if __name__ == "__main__":
    # libFuzzer's clock goes on while Python ends, when there is nobody left to take its signal.
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
