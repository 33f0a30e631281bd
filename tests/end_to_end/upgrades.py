"""A rolling upgrade of three replicas behind a load balancer, and the kill of one of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from signal import SIGKILL
from typing import NamedTuple

import httpx

from model.artifact.artifact import Artifact
from model.artifact.card import card_path
from tests.conftest import ROOT
from tests.end_to_end.balancers import Balancer
from tests.end_to_end.load import BODY, Load, load
from tests.end_to_end.processes import (
    COMMAND,
    PATIENCE,
    environment,
    reserved_port,
    stop,
    wait_until,
    wait_until_ready,
)
from tests.exposition import read, total

REPLICAS = 3
CLIENTS = 8
"""Of each balancer, with one request at a time."""
TOLERANCE = 1e-12
"""Versions may compute in another order."""

MAKE_MODELS = """
import sys
from pathlib import Path
from model.artifact.artifact import Artifact
from tests.variants import shifted
first = Artifact.load(Path("artifacts/heart.npz"))
for folder, by in (("first", 0.0), ("second", 0.5)):
    path = Path(sys.argv[1]) / folder / "model.npz"
    path.parent.mkdir()
    shifted(first, by).save(path)
"""
"""Run by the old version: the new one must serve its files."""


class Outcome(NamedTuple):
    """What the clients got."""

    answers: Counter[str]
    """The right ones, by the version of the model that they state."""
    wrong: Counter[int]
    """The others, by their status."""
    lost: int
    """Requests without an answer."""
    retried: int
    """How often the balancer has sent a request to another replica."""


class Replicas:
    """Three replicas that serve the model of one folder.

    Parameters
    ----------
    folder : Path
        For the model and the logs.
    ports : sequence of int
        Where they listen.
    old : Path
        The checkout of the version that they start with.
    drain_seconds : float
        Of each.
    """

    def __init__(self, folder: Path, ports: Sequence[int], old: Path, drain_seconds: float) -> None:
        self.ports = ports
        self._folder = folder
        self._drain_seconds = drain_seconds
        self._serving = folder / "serving"
        self._serving.mkdir(parents=True)
        variables = environment(PYTHONPATH=str(old))
        make = [sys.executable, "-c", MAKE_MODELS, str(folder)]
        subprocess.run(make, cwd=old, env=variables, check=True)
        self.swap_model("first")
        self._processes = [self._start(number, old) for number in range(REPLICAS)]
        for process in self._processes:
            wait_until_ready(process)

    def replace(self, number: int) -> None:
        """Stop one, start the current version in its place, and wait until that is ready."""
        assert stop(self._processes[number]) == 0
        self.start(number)

    def kill(self, number: int) -> None:
        """End one without warning."""
        stop(self._processes[number], SIGKILL)

    def start(self, number: int) -> None:
        """Start the current version in one place, and wait until it is ready."""
        self._processes[number] = self._start(number, ROOT)
        wait_until_ready(self._processes[number])

    def refuse(self, number: int) -> None:
        """Break the model, and replace one by the current version, which must not start."""
        model = self._serving / "model.npz"
        model.write_bytes(model.read_bytes()[:-1])
        assert stop(self._processes[number]) == 0
        self._processes[number] = self._start(number, ROOT)
        assert self._processes[number].wait(PATIENCE) == 1

    def swap_model(self, name: str) -> None:
        """Put another model into the place of the one that is served, each file by a rename."""
        path = self._folder / name / "model.npz"
        for file in (card_path(path), path):
            copy = self._serving / f"{file.name}.new"
            copy.write_bytes(file.read_bytes())
            copy.rename(self._serving / file.name)

    def is_used(self, number: int) -> bool:
        """Return whether one has answered a prediction since it was started."""
        metrics = httpx.get(f"http://127.0.0.1:{self.ports[number]}/metrics").text
        return total(read(metrics), "heartline_requests_total", route="/predict") > 0

    def probabilities(self) -> dict[str, float]:
        """Return what each model gives for the clients' record, by its version."""
        models = [Artifact.load(self._folder / each / "model.npz") for each in ("first", "second")]
        record = json.loads(BODY)
        return {
            model.version: float(model.predictor().predict_records([record])[0]) for model in models
        }

    def stop(self) -> None:
        """Stop those that still run."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            stop(process)

    def _start(self, number: int, checkout: Path) -> subprocess.Popen[bytes]:
        variables = environment(
            PYTHONPATH=str(checkout),
            HEARTLINE_ARTIFACT=str(self._serving / "model.npz"),
            HEARTLINE_PORT=str(self.ports[number]),
            HEARTLINE_DRAIN_SECONDS=str(self._drain_seconds),
            HEARTLINE_LOG_LEVEL="warning",
        )
        with (self._folder / f"replica-{number}.log").open("ab") as log:
            return subprocess.Popen(
                [COMMAND, "serve"], cwd=checkout, env=variables, stdout=log, stderr=log
            )


@contextmanager
def replicas(folder: Path, old: Path = ROOT, drain_seconds: float = 5) -> Iterator[Replicas]:
    """Run three replicas for as long as the block."""
    with ExitStack() as held:
        ports = [held.enter_context(reserved_port()) for _ in range(REPLICAS)]
        running = Replicas(folder, ports, old, drain_seconds)
        try:
            yield running
        finally:
            running.stop()


def upgrade(
    running: Replicas, balancers: Sequence[Balancer], requests: int, pause_seconds: float = 0
) -> dict[str, Outcome]:
    """Replace the replicas one by one under load, and the model after the first.

    Each balancer has a load of its own, which goes on until so many requests have been answered.
    """
    with loads(balancers, pause_seconds) as clients:
        for number in range(REPLICAS):
            running.replace(number)
            wait_until(partial(running.is_used, number))
            if number == 0:
                running.swap_model("second")
        wait_for_totals(clients, requests)
    return outcomes(clients, running, balancers)


def kill_one(
    running: Replicas, balancers: Sequence[Balancer], requests: int, pause_seconds: float = 0
) -> dict[str, Outcome]:
    """Kill a replica under load, and start it again."""
    with loads(balancers, pause_seconds) as clients:
        running.kill(0)
        wait_for_totals(clients, requests // 2)
        running.start(0)
        wait_until(partial(running.is_used, 0))
        wait_for_totals(clients, requests)
    return outcomes(clients, running, balancers)


def refuse_one(
    running: Replicas, balancers: Sequence[Balancer], requests: int, pause_seconds: float = 0
) -> dict[str, Outcome]:
    """Upgrade a replica under load to a version that refuses the model, and mend the model."""
    with loads(balancers, pause_seconds) as clients:
        running.refuse(0)
        wait_for_totals(clients, requests)
        running.swap_model("second")
        running.start(0)
        wait_until(partial(running.is_used, 0))
    return outcomes(clients, running, balancers)


@contextmanager
def loads(balancers: Sequence[Balancer], pause_seconds: float) -> Iterator[list[Load]]:
    """Run clients of each balancer for as long as the block, from some answers on."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(load(each.port, CLIENTS, pause_seconds)) for each in balancers
        ]
        for each in clients:
            each.wait_for_answers(10 * CLIENTS)
        yield clients


def wait_for_totals(clients: Sequence[Load], requests: int) -> None:
    """Wait until each load has got so many answers in all."""
    for each in clients:
        while (missing := requests - each.answers.total()) > 0:
            each.wait_for_answers(min(missing, 1000))


def outcomes(
    clients: Sequence[Load], running: Replicas, balancers: Sequence[Balancer]
) -> dict[str, Outcome]:
    expected = running.probabilities()
    return {
        balancer.name: _outcome(each, expected, balancer.retried())
        for balancer, each in zip(balancers, clients, strict=True)
    }


def _outcome(clients: Load, expected: Mapping[str, float], retried: int) -> Outcome:
    answers, wrong = Counter[str](), Counter[int]()
    for (status, body), number in clients.answers.items():
        answer = json.loads(body) if status == httpx.codes.OK else {}
        version = answer.get("model_version", "")
        if version in expected and abs(answer["probability"] - expected[version]) < TOLERANCE:
            answers[version] += number
        else:
            wrong[status] += number
    return Outcome(answers, wrong, len(clients.lost) + len(clients.refused), retried)
