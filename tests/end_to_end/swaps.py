"""Models swapped under load, and what the clients made of it."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from model.artifact.artifact import Artifact
from service.protocols.native.scoring import Scorer
from tests.conftest import ARTIFACT
from tests.end_to_end.load import BODY, Answer, Load, load
from tests.end_to_end.processes import COMMAND, PATIENCE, started, wait_until_ready
from tests.variants import shifted


class Swaps(NamedTuple):
    """What came of it."""

    answers: Counter[str]
    """The right ones, by the version that they state."""
    wrong: int
    """Those that were not 200, or not what the version that they state gives."""
    lost: int
    seconds: float


def swap_under_load(swaps: int, workers: int, clients: int) -> Swaps:
    """Serve two models in turn, each saved as training saves it, while clients send.

    Each swap waits until every process has logged it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, log = Path(folder) / "heart.npz", Path(folder) / "log"
        first = Artifact.load(ARTIFACT).save(path)
        models = (first, shifted(first, 0.5).save(path))
        command = [COMMAND, "serve", "--workers", str(workers)]
        settings = {
            "HEARTLINE_ARTIFACT": str(path),
            "HEARTLINE_RELOAD_SECONDS": "0.1",
            "HEARTLINE_LOG_LEVEL": "warning",
        }
        with started(command, log, **settings) as process:
            port = wait_until_ready(process)
            reported = _lines(log)
            with load(port, clients) as running:
                running.wait_for_answers(clients)
                start = time.monotonic()
                for model in islice(cycle(models), swaps):
                    model.save(path)
                    for line in islice(reported, followers(workers)):
                        assert line["message"] == "model swapped", line
                        assert line["model_version"] == model.version, line
                    running.wait_for_answers(clients)
                seconds = time.monotonic() - start
    return _judged(running, models, seconds)


def followers(workers: int) -> int:
    """Return how many processes follow the file: with several workers their parent does too."""
    return workers if workers == 1 else workers + 1


def _judged(running: Load, models: Iterable[Artifact], seconds: float) -> Swaps:
    versions = {
        Answer(200, Scorer(model.predictor(), 1).predict(BODY).body): model.version
        for model in models
    }
    right = Counter({versions[a]: n for a, n in running.answers.items() if a in versions})
    wrong = running.answers.total() - right.total()
    return Swaps(right, wrong, len(running.lost), seconds)


def _lines(log: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log as they are written."""
    with log.open() as file:
        line = ""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            line += file.readline()
            if line.endswith("\n"):
                yield json.loads(line)
                line, deadline = "", time.monotonic() + PATIENCE
            else:
                time.sleep(0.01)
    raise AssertionError("no line is written any more")
