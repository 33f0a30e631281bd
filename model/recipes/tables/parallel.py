"""Parallel fits: one thread for each core, with the same numbers whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TypeAlias, TypeVar

from joblib import cpu_count
from threadpoolctl import threadpool_limits

Result = TypeVar("Result")

OnShare: TypeAlias = Callable[[float], None]
"""Called with the share of a task that was done since the last call."""

Task: TypeAlias = Callable[[OnShare], Result]


class Abandoned(Exception):
    """Another task failed, or the wait was interrupted: the result is of no use any more."""


def in_parallel(tasks: Sequence[Task[Result]], on_share: OnShare) -> list[Result]:
    """Return the results of tasks, in their order.

    Parameters
    ----------
    tasks : sequence of callable
        Each takes what it calls with the share that it has done.
    on_share : callable
        Called with these shares, never by two threads at once.

    Notes
    -----
    NumPy gives up Python's lock while it computes. BLAS works with one thread in each: how it
    divides a product between threads would change the last digits of a sum. So results are the
    same on one core and on many.

    After an error or an interrupt, tasks that are running end at their next call of `on_share`.
    """
    lock, abandoned = Lock(), Event()

    def advance(share: float) -> None:
        """Pass a share on, one thread at a time."""
        if abandoned.is_set():
            raise Abandoned
        with lock:
            on_share(share)

    workers = min(len(tasks), cpu_count())
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(task, advance) for task in tasks]
        try:
            return [future.result() for future in futures]
        except BaseException:
            abandoned.set()
            for future in futures:
                future.cancel()
            raise
