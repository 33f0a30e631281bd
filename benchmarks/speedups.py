"""What each speed-up of a single prediction brings: ``python -m benchmarks.speedups``.

For each, a server without it has its turn beside one with all of them, at the default settings,
with the mix that people send or with what the speed-up is for. What is compared is the processor
time of a request in the server, which a busy machine changes less than requests a second.
"""

from __future__ import annotations

import statistics
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from benchmarks import heartline
from benchmarks.patients import Patients
from benchmarks.senders import MIX, forms
from benchmarks.servers import Question, Running, running
from benchmarks.serving import BATCH_CONNECTIONS, CONNECTIONS
from benchmarks.split import times
from benchmarks.wrk import load
from tests.conftest import ARTIFACT


class Speedup(NamedTuple):
    """What is measured without it: what `without` replaces, and how it is asked."""

    title: str
    name: str
    connections: int = CONNECTIONS
    path: str = "/predict"
    is_batch: bool = False
    """Whether 1,000 records are sent at once."""
    is_split: bool = False
    """Whether a single client sends head and body one by one."""


STACK = "/predict?"
"""Not plain: answered by the application."""

SPEEDUPS = (
    Speedup("nothing: the noise of the measurement", "nothing"),
    Speedup("plain requests answered past uvicorn's parser and the application", "fast-connection"),
    Speedup("heads known again", "known-heads"),
    Speedup("all answers of a turn computed before the first is written", "turns"),
    Speedup("head and body in one call, from the application", "joining", path=STACK),
    Speedup("a body that follows its head waited for", "rest-of-body", is_split=True),
    Speedup("the forward pass for a single row", "single-row"),
    Speedup("request ids by `random` in place of `uuid4`", "ids"),
    Speedup("msgspec in place of pydantic-core's parser", "msgspec"),
    Speedup("memory settled at the start", "memory"),
    Speedup("the same, batches of 1,000 records", "memory", BATCH_CONNECTIONS, is_batch=True),
    Speedup("uvloop", "uvloop"),
    Speedup("access lines without `logging`", "direct-lines"),
    Speedup("the access lines of a turn made together", "turn-lines"),
    Speedup("the lines of a turn written together", "lines-together"),
    Speedup("lines written without the thread", "no-thread"),
    Speedup("the same with one connection", "no-thread", 1),
    Speedup("the first lines of an answer made once a second", "known-starts"),
    Speedup("one timer for the idle time after many answers", "one-timer"),
)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([speedup.name for speedup in SPEEDUPS]))
@click.option("--seconds", type=click.IntRange(1, 60), default=2, show_default=True)
@click.option("--repetitions", type=click.IntRange(1, 50), default=5, show_default=True)
def main(names: tuple[str, ...], seconds: int, repetitions: int) -> None:
    """Print a table of what a request costs without each speed-up, to with all of them."""
    click.echo("| without | processor time of a request |\n| --- | --- |")
    for speedup in SPEEDUPS:
        if names and speedup.name not in names:
            continue
        ratios = _measure(speedup, seconds, repetitions)
        least, middle, most = min(ratios), statistics.median(ratios), max(ratios)
        click.echo(f"| {speedup.title} | {middle:.2f} ({least:.2f} to {most:.2f}) |")


def _measure(speedup: Speedup, seconds: int, repetitions: int) -> list[float]:
    own = Patients(ARTIFACT)
    mix = [question._replace(path=speedup.path) for question in forms(own)[MIX]]
    asked = [heartline.batches(own, heartline.BATCH)["objects"]] if speedup.is_batch else mix
    with_all = heartline.server("with", "with", own)
    words = (sys.executable, "-m", "benchmarks.without", speedup.name, *with_all.command[1:])
    without = replace(with_all, command=words)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        both = [
            stack.enter_context(running(server, Path(folder) / "log"))
            for server in (with_all, without)
        ]
        found = [
            [_microseconds(started, asked, speedup, seconds) for started in both]
            for _ in range(repetitions + 1)
        ]
    return [slow / quick for quick, slow in found[1:]]  # the first is the warm-up


def _microseconds(started: Running, asked: list[Question], speedup: Speedup, seconds: int) -> float:
    before = started.processor_seconds()
    if speedup.is_split:
        requests = float(len(times(started.port, asked, seconds)))
    else:
        requests = seconds * load(started.port, asked, speedup.connections, seconds).per_second
    return 1e6 * (started.processor_seconds() - before) / requests


if __name__ == "__main__":
    main()
