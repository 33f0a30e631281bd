"""Whether throughput grows with the workers, where server and load share all cores."""

from __future__ import annotations

from pathlib import Path

from benchmarks import heartline
from benchmarks.figures import Figures
from benchmarks.patients import Patients
from benchmarks.servers import ALL_CORES, running
from benchmarks.serving import CONNECTIONS, WARM_UP_SECONDS
from benchmarks.wrk import load
from tests.conftest import ARTIFACT

WORKERS = (1, 2)


def measure(seconds: int, folder: Path) -> Figures:
    """Return the requests per second of one worker and of two, and their ratio."""
    patients, figures = Patients(ARTIFACT), Figures()
    for workers in WORKERS:
        server = heartline.quiet(patients, workers)
        with running(server, folder / "workers.log", ALL_CORES) as started:
            load(started.port, server.record, CONNECTIONS, WARM_UP_SECONDS)
            found = load(started.port, server.record, CONNECTIONS, seconds)
        figures[f"per_second_{workers}"] = found.per_second
    figures["ratio"] = figures["per_second_2"] / figures["per_second_1"]
    return figures
