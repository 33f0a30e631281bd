"""Several processes that count in one block of memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from service.observability.metrics.registry import Registry
from service.observability.metrics.slots import SharedSlots

pytestmark = pytest.mark.slow

PATIENCE = 60.0
"""Seconds after which a process hangs."""

spawn = get_context("spawn")


def work(slots: SharedSlots, orders: Connection) -> None:
    """Count one request in, and then out or not, as a worker does."""
    registry = Registry(slots)
    counter = registry.counter("counted_total", "", {})
    registry.in_flight[0] += 1
    orders.send(os.getpid())
    while (order := orders.recv()) != "leave":
        registry.cells[counter.places[()]] += 1
        orders.send(order)
    registry.leave()


class Worker:
    def __init__(self, slots: SharedSlots) -> None:
        self.orders, theirs = spawn.Pipe()
        self.process = spawn.Process(target=work, args=(slots, theirs))
        self.process.start()

    def wait(self) -> None:
        assert self.orders.poll(PATIENCE)
        self.orders.recv()

    def count(self) -> None:
        self.orders.send("count")
        self.wait()

    def leave(self) -> None:
        self.orders.send("leave")
        self.process.join(PATIENCE)
        assert self.process.exitcode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.join(PATIENCE)
        assert self.process.exitcode == -signal.SIGKILL


@contextmanager
def working(slots: SharedSlots, number: int = 1) -> Iterator[list[Worker]]:
    """Start workers at once."""
    workers = [Worker(slots) for _ in range(number)]
    try:
        for worker in workers:
            worker.wait()
        yield workers
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()


@pytest.fixture
def slots() -> SharedSlots:
    return SharedSlots.create()


def running(slots: SharedSlots) -> set[int]:
    return set(slots.table["pid"].tolist()) - {0}


def total(slots: SharedSlots, field: str) -> float:
    return float(slots.table[field].sum())


def test_workers_that_start_at_once_count_in_slots_of_their_own(slots: SharedSlots) -> None:
    with working(slots, 4) as workers:
        assert running(slots) == {worker.process.pid for worker in workers}
        for worker in workers:
            worker.count()
            worker.count()
        assert sorted(slots.table["cells"].sum(axis=1))[-5:] == [0, 2, 2, 2, 2]
        assert total(slots, "in_flight") == 4


def test_the_next_worker_counts_on_where_a_killed_one_stopped(slots: SharedSlots) -> None:
    with working(slots, 2) as (killed, other):
        killed.count()
        other.count()
        killed.kill()
        assert total(slots, "cells") == 2
        with working(slots) as (replacement,):
            assert running(slots) == {other.process.pid, replacement.process.pid}
            assert total(slots, "cells") == 2
            assert total(slots, "deaths") == 1
            assert total(slots, "in_flight") == 2
            assert int(slots.table["is_used"].sum()) == 2
            replacement.count()
            assert total(slots, "cells") == 3


def test_a_worker_that_leaves_is_no_death(slots: SharedSlots) -> None:
    with working(slots) as (worker,):
        worker.count()
        worker.leave()
    assert running(slots) == set()
    assert (total(slots, "cells"), total(slots, "in_flight")) == (1, 0)
    with working(slots):
        assert (total(slots, "cells"), total(slots, "deaths")) == (1, 0)


def test_a_killed_worker_is_buried_although_another_slot_is_taken(slots: SharedSlots) -> None:
    with working(slots) as (first,), working(slots) as (second,):
        first.leave()
        second.kill()
        with working(slots) as (third,):
            assert slots.table["pid"].tolist()[:2] == [third.process.pid, 0]
            assert (total(slots, "deaths"), total(slots, "in_flight")) == (1, 1)


def test_the_memory_has_no_name_that_could_be_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.observability.metrics.slots.MEMORY_FOLDER", str(tmp_path))
    slots = SharedSlots.create()
    assert list(tmp_path.iterdir()) == []
    assert total(slots, "cells") == 0
