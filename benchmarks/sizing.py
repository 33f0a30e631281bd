"""How much one machine serves: the table of docs/deploy.md.

With the default settings and the mix that people send. One worker has a core of its own, and the
load the other; two workers and the load share both. ``python -m benchmarks.sizing`` writes
benchmarks/sizing.json and the page.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from benchmarks import heartline, machine
from benchmarks.figures import Figures, medians, repeated
from benchmarks.patients import Patients
from benchmarks.senders import MIX, forms
from benchmarks.servers import (
    ALL_CORES,
    SERVER_CORES,
    Question,
    Running,
    ServerFailure,
    ask,
    running,
)
from benchmarks.serving import WARM_UP_SECONDS
from benchmarks.wrk import load
from tests.conftest import ARTIFACT, ROOT

PAGE = ROOT / "docs" / "deploy.md"
RESULTS = ROOT / "benchmarks" / "sizing.json"
PLACE = re.compile(r"(?<=<!-- benchmarks.sizing -->\n).*?(?=<!-- end -->)", re.DOTALL)

CORES = {1: SERVER_CORES, 2: ALL_CORES}
"""Of the server, by the number of its workers."""
CONNECTIONS = (1, 16, 64)
BATCHES = 4
"""As many as a worker computes at a time."""
ROWS = 10_000
"""The largest batch."""

RATES = (10, 100, 10_000)
BUSY = 0.6
"""How much of its core a worker should use: above it, requests wait for one another."""


def measure(seconds: float, folder: Path) -> Figures:
    """Return throughput, latency and memory of one worker and of two."""
    figures, patients = Figures(), Patients(ARTIFACT)
    mix, batch = forms(patients)[MIX], heartline.batches(patients, ROWS)["objects"]
    for workers, cores in CORES.items():
        server = heartline.server("heartline", "heartline", patients, f"--workers {workers}")
        with running(server, folder / f"{workers}.log", cores) as started:
            load(started.port, mix, max(CONNECTIONS), WARM_UP_SECONDS)
            figures[f"resident_mib_{workers}"] = started.resident_mib()
            for connections in CONNECTIONS:
                before = started.processor_seconds()
                found = load(started.port, mix, connections, seconds)
                used = started.processor_seconds() - before
                cell = f"{workers}_{connections}"
                figures[f"per_second_{cell}"] = found.per_second
                figures[f"p99_us_{cell}"] = found.p99
                if workers == 1:
                    figures[f"processor_us_{cell}"] = used / (found.per_second * seconds) * 1e6
            send_batches(started, batch, BATCHES * workers)
            figures[f"peak_mib_{workers}"] = started.peak_mib()
    return figures


def send_batches(started: Running, batch: Question, number: int) -> None:
    """Send so many batches at once; one that is refused is not counted."""
    statuses: list[int] = []

    def send() -> None:
        statuses.append(ask(started.port, batch)[0])

    threads = [threading.Thread(target=send) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if statuses.count(200) < number // 2:
        raise ServerFailure(f"batches gave {statuses}")


def refreshed(page: str, results: Mapping[str, Any]) -> str:
    """Return the page with the tables of these results."""
    return PLACE.sub(lambda _: as_markdown(medians(results["figures"])), page)


def as_markdown(figures: Mapping[str, float]) -> str:
    """Return the tables, with an empty line around each."""
    measured = "\n".join(_measured(figures))
    needed = "\n".join(_needed(figures))
    return f"\n{measured}\n\n{needed}\n\n"


def _measured(figures: Mapping[str, float]) -> Iterator[str]:
    yield "| workers | connections | requests a second | p99, ms | memory, MiB | most, MiB |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for workers in CORES:
        memory = f"{figures[f'resident_mib_{workers}']:.0f} | {figures[f'peak_mib_{workers}']:.0f}"
        for connections in CONNECTIONS:
            cell = f"{workers}_{connections}"
            rate, p99 = figures[f"per_second_{cell}"], figures[f"p99_us_{cell}"] / 1000
            yield f"| {workers} | {connections} | {rate:,.0f} | {p99:.1f} | {memory} |"


def _needed(figures: Mapping[str, float]) -> Iterator[str]:
    spent = figures[f"processor_us_1_{max(CONNECTIONS)}"] / 1e6
    yield f"| requests a second | of one core | workers that are at most {BUSY:.0%} busy |"
    yield "| --- | --- | --- |"
    for rate in RATES:
        yield f"| {rate:,} | {rate * spent:.1%} | {math.ceil(rate * spent / BUSY)} |"


@click.command()
@click.option("--seconds", type=click.IntRange(1, 60), default=3, show_default=True)
@click.option("--repetitions", type=click.IntRange(1, 20), default=3, show_default=True)
def main(seconds: int, repetitions: int) -> None:
    """Measure, and write the results and the tables of docs/deploy.md."""
    with TemporaryDirectory() as folder:
        figures = repeated(partial(measure, seconds, Path(folder)), repetitions)
    results = {
        **machine.describe(),
        "settings": {"seconds": seconds, "repetitions": repetitions},
        "figures": figures,
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(refreshed(PAGE.read_text(), results))


if __name__ == "__main__":
    main()
