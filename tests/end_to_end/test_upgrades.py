"""Replicas are replaced, and one is killed, behind nginx and HAProxy at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.balancers import BALANCERS, Balancer
from tests.end_to_end.upgrades import CLIENTS, Replicas, kill_one, refuse_one, replicas, upgrade

REQUESTS = 3000
PAUSE_SECONDS = 0.02
"""Leaves a processor for the replicas that start."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    with replicas(tmp_path_factory.mktemp("upgrade") / "replicas", drain_seconds=0.5) as started:
        yield started


@pytest.fixture(scope="module")
def balancers(
    running: Replicas, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Balancer]]:
    folder: Path = tmp_path_factory.mktemp("balancers")
    with ExitStack() as stack:
        yield [
            stack.enter_context(kind(folder / name, running.ports, kind.hurried).running())
            for name, kind in BALANCERS.items()
        ]


def test_no_request_fails_while_replicas_and_model_are_replaced(
    running: Replicas, balancers: list[Balancer]
) -> None:
    for outcome in upgrade(running, balancers, REQUESTS, PAUSE_SECONDS).values():
        assert (dict(outcome.wrong), outcome.lost) == ({}, 0)
        assert outcome.answers.total() >= REQUESTS
        assert outcome.answers.keys() == running.probabilities().keys()


def test_the_old_replicas_go_on_while_a_new_one_refuses_the_model(
    running: Replicas, balancers: list[Balancer]
) -> None:
    for outcome in refuse_one(running, balancers, REQUESTS // 3, PAUSE_SECONDS).values():
        assert (dict(outcome.wrong), outcome.lost) == ({}, 0)


def test_the_requests_of_a_killed_replica_are_sent_to_another(
    running: Replicas, balancers: list[Balancer]
) -> None:
    outcomes = kill_one(running, balancers, REQUESTS // 3, PAUSE_SECONDS)
    for outcome in outcomes.values():
        assert not outcome.wrong
        assert outcome.retried > 0
    assert outcomes["nginx"].lost == 0
    # HAProxy closes the connection of a client whose request the kernel has reset.
    assert outcomes["haproxy"].lost <= CLIENTS
