"""Slots: a row of numbers for each worker, in memory that all workers share."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable
from multiprocessing.reduction import DupFd
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from model.schema.features import MAX_NAME

CELLS = 4096
"""Numbers that one worker may count in, beside those that grow with the model."""

MODEL_BYTES = 4 * MAX_NAME + 13
"""Of the name of a model, a blank and its version."""

MEMORY_FOLDER = "/dev/shm"  # noqa: S108  # writable where the container's own files are read-only

SLOTS = 128
"""Twice as many as there may be workers: one may start while the one that it replaces ends."""


class Slots:
    """The one slot of a service of one process.

    Parameters
    ----------
    cells : int
        Numbers that a worker may count in.
    """

    def __init__(self, cells: int = CELLS) -> None:
        self.cells = cells
        self.table = np.zeros(1, _slot(cells))

    def claim(self) -> Any:
        """Return the row of the calling process, a view of the table."""
        return self._taken(0)

    def _taken(self, number: int) -> Any:
        row = self.table[number]
        row["pid"] = os.getpid()
        row["is_used"] = True
        return row


class SharedSlots(Slots):
    """Slots of several processes, in a file without a name: it goes with the last of them.

    The process that starts the workers creates them, and hands them over as it starts each.

    Notes
    -----
    A worker has the slot whose byte of the file it has locked. The kernel takes that lock from a
    process that ends, however it ends; the next worker finds the slot free and counts on where
    the dead one stopped.
    """

    def __init__(self, file: int, cells: int) -> None:
        self._file = file
        self.cells = cells
        slot = _slot(cells)
        self.table = np.frombuffer(mmap.mmap(file, SLOTS * slot.itemsize), slot)

    @classmethod
    def create(cls, cells: int = CELLS) -> SharedSlots:
        """Return new free slots of the given number of cells each."""
        with TemporaryFile(dir=MEMORY_FOLDER if Path(MEMORY_FOLDER).exists() else None) as file:
            # Memory is taken only for the pages that a worker writes to.
            file.truncate(SLOTS * _slot(cells).itemsize)
            return cls(os.dup(file.fileno()), cells)

    def __reduce__(self) -> tuple[Callable[[Any, int], SharedSlots], tuple[Any, int]]:
        return _handed_over, (DupFd(self._file), self.cells)

    def claim(self) -> Any:
        """Return the row of the calling process, a view of the table; once in a process."""
        self._bury_the_dead()
        return self._taken(next(number for number in range(SLOTS) if self._lock(number)))

    def _bury_the_dead(self) -> None:
        """Count the workers that ended without leaving, and forget what they had in flight."""
        for number in np.flatnonzero(self.table["pid"]).tolist():
            if self._lock(number):
                row = self.table[number]
                if row["pid"]:  # else another worker has just seen to it
                    row["deaths"] += 1
                    leave(row)
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)

    def _lock(self, number: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        return True


def leave(row: Any) -> None:
    """Give a row back in order; its counts stay."""
    row["in_flight"] = 0
    row["pid"] = 0


def _slot(cells: int) -> np.dtype[Any]:
    return np.dtype(
        [
            ("pid", np.int64),  # 0 while no worker has the slot, and after one that ended in order
            ("is_used", np.bool_),  # true for good once a worker had it
            ("deaths", np.int64),
            ("model", f"S{MODEL_BYTES}"),
            ("in_flight", np.float64, (1,)),
            ("cells", np.float64, (cells,)),
        ],
        align=True,
    )


def _handed_over(file: Any, cells: int) -> SharedSlots:
    return SharedSlots(file.detach(), cells)
