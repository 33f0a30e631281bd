"""Each server beside the limit: single records, batches, start and memory, in turns."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from benchmarks import limit
from benchmarks.figures import Figures, add
from benchmarks.patients import Patients
from benchmarks.servers import Question, Refused, Running, Server, ServerFailure, running
from benchmarks.wrk import load

CONNECTIONS = 16
BATCH_CONNECTIONS = 2
WARM_UP_SECONDS = 1
ROWS = "rows_per_second_"
"""Goes before the form of a batch."""


def limit_server(patients: Patients) -> Server:
    """Return the limit; it is asked what Heartline is asked."""
    question = patients.asked("/predict", 1, patients.records(1)[0], ("probability",))
    return Server(
        "limit",
        "the limit: raw ASGI, a constant response",
        (sys.executable, "-m", limit.__name__, "{port}"),
        question._replace(probability=limit.PROBABILITY),
    )


def measure(
    servers: Sequence[Server], bound: Server, duration: int, repetitions: int, folder: Path
) -> dict[str, Any]:
    """Return the figures of the servers by name.

    A ratio is that to the mean of the limit just before and just after, which is asked the same mix
    if there is one. What does not start, or
    answers wrongly, has the reason in place of figures, and is left alone from then on.
    """
    results = {server.name: _blank(server) for server in (bound, *servers)}
    with running(bound, folder / "limit.log") as limited:
        limited.check(bound.record)
        for repetition in range(1, repetitions + 1):
            for server in servers:
                if "failed" in results[server.name]:
                    continue
                click.echo(f"bench: {server.name}, {repetition} of {repetitions}", err=True)
                asked = server.mix or (bound.record,)
                before = _singles(limited, asked, duration)
                add(results[bound.name]["figures"], before)
                try:
                    figures = _figures(server, duration, folder / f"{server.name}.log")
                except ServerFailure as failure:
                    results[server.name]["failed"] = str(failure)
                    continue
                after = _singles(limited, asked, duration)
                add(results[bound.name]["figures"], after)
                add(results[server.name]["figures"], figures | _ratios(figures, before, after))
    return results


def _blank(server: Server) -> dict[str, Any]:
    return {"title": server.title, "figures": {}}


def _figures(server: Server, duration: int, log: Path) -> Figures:
    server.prepare()
    with running(server, log) as started:
        started.check(server.record)
        figures = _singles(started, server.mix or (server.record,), duration)
        figures |= {"start_seconds": started.seconds_to_start}
        figures |= {"resident_mib": started.resident_mib()}
        for form, question in server.batches.items():
            # A form that the server does not know has no figure.
            with suppress(Refused):
                started.check(question)
                found = load(started.port, question, BATCH_CONNECTIONS, duration)
                figures[f"{ROWS}{form}"] = question.rows * found.per_second
    return figures


def _singles(started: Running, asked: Sequence[Question], duration: int) -> Figures:
    load(started.port, asked, CONNECTIONS, WARM_UP_SECONDS)
    many = load(started.port, asked, CONNECTIONS, duration)
    one = load(started.port, asked, 1, duration)
    return {
        "per_second": many.per_second,
        "p99_us_16": many.p99,
        "p50_us_1": one.p50,
        "p99_us_1": one.p99,
    }


def _ratios(figures: Figures, before: Figures, after: Figures) -> Figures:
    """Return the throughput and the latencies as ratios to the limit's."""
    return {
        f"{name}_of_limit": figures[name] / statistics.mean((before[name], after[name]))
        for name in before
    }
