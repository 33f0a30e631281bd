"""How single predictions fare while somebody sends a large batch each second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import heartline
from benchmarks.figures import Figures
from benchmarks.patients import Patients
from benchmarks.servers import Question, ServerFailure, ask, running
from benchmarks.serving import CONNECTIONS
from benchmarks.wrk import load
from tests.conftest import ARTIFACT

BATCHES = (0, 1000, 10_000)
SECONDS = 5


def measure(folder: Path) -> Figures:
    """Return the latencies of single predictions beside batches of so many rows."""
    patients, figures = Patients(ARTIFACT), Figures()
    with running(heartline.quiet(patients), folder / "neighbours.log") as started:
        for rows in BATCHES:
            batch = heartline.batches(patients, rows)["objects"] if rows else None
            for connections in (1, CONNECTIONS):
                with _each_second(started.port, batch):
                    found = load(started.port, heartline.record(patients), connections, SECONDS)
                for name, value in found.times().items():
                    figures[f"{name}_us_{connections}_beside_{rows}"] = value
    return figures


@contextmanager
def _each_second(port: int, batch: Question | None) -> Iterator[None]:
    """Send a batch each second for as long as the block, one in flight at most."""
    over, statuses = threading.Event(), list[int]()

    def send() -> None:
        while batch and not over.wait(1):
            statuses.append(ask(port, batch)[0])

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
    if batch and (len(statuses) < SECONDS - 2 or set(statuses) != {200}):
        raise ServerFailure(f"batches were answered {statuses}")
