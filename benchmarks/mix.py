"""Every form in which a record may come, beside the limit, at the default log level and without.

The limit is asked the same just before and just after.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import heartline
from benchmarks.figures import Figures
from benchmarks.patients import Patients
from benchmarks.senders import FORMS, MIX, forms
from benchmarks.servers import Question, Running, ServerFailure, ask, running
from benchmarks.serving import CONNECTIONS, WARM_UP_SECONDS, limit_server
from benchmarks.split import times
from benchmarks.wrk import load
from tests.conftest import ARTIFACT

LEVELS = {"info": "", "warning": heartline.QUIETLY}
"""The flags of each log level; the first is the default."""

WARNED = {MIX: (0.5, 1.0), "warned": (1.0, 1.0)}
"""How many of the answers to a form warn; of others none."""


def measure(tutorial: Patients, seconds: float, folder: Path) -> Figures:
    """Return the share of the limit that each form reaches at each level.

    Also the times of one connection whose client sends head and body one by one, to the limit's.
    """
    own = Patients(ARTIFACT)
    asked, figures = forms(own), Figures()
    with ExitStack() as stack:
        limited = stack.enter_context(running(limit_server(tutorial), folder / "limit.log"))
        started = {
            level: stack.enter_context(
                running(heartline.server(level, level, own, flags), folder / f"{level}.log")
            )
            for level, flags in LEVELS.items()
        }
        for form in FORMS:
            check(started["info"], form, asked[form])
            for level, server in started.items():
                load(server.port, asked[form], CONNECTIONS, WARM_UP_SECONDS)
                limits = [load(limited.port, asked[form], CONNECTIONS, seconds).per_second]
                found = load(server.port, asked[form], CONNECTIONS, seconds).per_second
                limits.append(load(limited.port, asked[form], CONNECTIONS, seconds).per_second)
                figures[f"{form}_{level}"] = found / statistics.mean(limits)
        medians = [
            statistics.median(times(one.port, asked[MIX], seconds))
            for one in (limited, started["info"], limited)
        ]
    return figures | {"split_p50_of_limit": medians[1] / statistics.mean((medians[0], medians[2]))}


def check(started: Running, form: str, questions: Sequence[Question]) -> None:
    """Ask each question once: the answers are right, and warn where they should."""
    for question in questions:
        started.check(question)
    warned = [bool(json.loads(ask(started.port, asked)[1])["warnings"]) for asked in questions]
    least, most = WARNED.get(form, (0.0, 0.0))
    if not least <= statistics.mean(warned) <= most:
        raise ServerFailure(f"{form}: {statistics.mean(warned):.0%} of the answers warn")
