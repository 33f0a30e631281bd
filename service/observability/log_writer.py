"""Writing lines to a descriptor without waiting for its reader."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from queue import SimpleQueue
from threading import Event, Lock, Thread

MAX_WAITING_BYTES = 2**20
"""Lines beyond it are dropped: the reader of a pipe may have stopped reading for good."""

FLUSH_SECONDS = 1.0
"""How long a process that ends waits for its last lines to be written."""


class LineWriter:
    """Writes whole lines in their order; what cannot be written is dropped and counted.

    Parameters
    ----------
    descriptor : int
        Where the lines go. A pipe, a file, a terminal; in blocking mode or not.
    make_notice : callable
        Returns a line with the number of lines dropped since the last one, called in the writer's
        own thread when writing works again.

    Attributes
    ----------
    dropped : int
        Lines dropped so far.
    """

    def __init__(self, descriptor: int, make_notice: Callable[[int], bytes]) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._make_notice = make_notice
        self._on_drop: Callable[[int], None] | None = None
        self._queue: SimpleQueue[list[bytes] | Event] = SimpleQueue()
        self._lock = Lock()
        # Each is changed by one side alone: what waits is their difference. `write_now` takes the
        # place of the thread only while that has nothing to do.
        self._put_bytes = self._done_bytes = 0
        self._put_items = self._done_items = 0
        self._reported = 0
        self._is_working = True
        self._is_torn = False
        self._thread: Thread | None = None

    def count_drops(self, on_drop: Callable[[int], None]) -> None:
        """Let a function be called with the number of lines of each drop, past ones included."""
        with self._lock:
            self._on_drop = on_drop
            on_drop(self.dropped)

    def fits(self, line: bytes) -> bool:
        """Return whether a line may wait; count it as waiting, or as dropped.

        One thread at a time may call it.
        """
        if self._put_bytes - self._done_bytes + len(line) > MAX_WAITING_BYTES:
            self._drop(1)
            return False
        self._put_bytes += len(line)
        return True

    def write_now(self, lines: list[bytes]) -> None:
        """Write lines that fit, as many as a pipe has room for; the thread writes the others.

        To wake the thread costs more than to write. One thread at a time may call it.
        """
        left = self._unwritten(lines) if self._is_pipe and self._is_idle() else lines
        if left:
            self.write(left)

    def write(self, lines: list[bytes]) -> None:
        """Have the thread write lines that fit. One thread at a time may call it."""
        self._put(lines)

    def flush(self) -> None:
        """Wait until the lines so far are written, but not for long."""
        if self._thread is not None:
            written = Event()
            self._put(written)
            written.wait(FLUSH_SECONDS)

    def _put(self, item: list[bytes] | Event) -> None:
        with self._lock:
            self._put_items += 1
            self._queue.put(item)
            if self._thread is None:
                # A daemon: a process that ends must not wait for the reader of a full pipe.
                self._thread = Thread(target=self._run, name="log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._do(self._queue.get())
            self._done_items += 1

    def _do(self, item: list[bytes] | Event) -> None:
        if isinstance(item, Event):
            self._report_drops()
            item.set()
            return
        for piece in _pieces(item):
            self._is_working = self._write(piece)
            self._done_bytes += len(piece)
        if self._queue.empty():
            self._report_drops()

    @cached_property
    def _is_pipe(self) -> bool:
        """Whether a piece is written whole or not at all; the system must have such a way too."""
        try:
            mode = os.fstat(self._descriptor).st_mode
        except OSError:
            return False
        return stat.S_ISFIFO(mode) and hasattr(os, "RWF_NOWAIT")

    def _is_idle(self) -> bool:
        """Return whether the thread has written everything, the number of dropped lines too."""
        return self._put_items == self._done_items and self.dropped == self._reported

    def _unwritten(self, lines: list[bytes]) -> list[bytes]:
        """Write what a pipe has room for, and return the rest."""
        pieces = [*_pieces(lines)]
        written = 0
        with suppress(OSError):  # no room, or another reason, which the thread will find
            for piece in pieces:
                if len(piece) > select.PIPE_BUF:  # a part of it could be written
                    break
                os.pwritev(self._descriptor, [piece], -1, os.RWF_NOWAIT)
                self._done_bytes += len(piece)
                written += 1
        return pieces[written:]

    def _report_drops(self) -> None:
        if self._is_working and (number := self.dropped - self._reported):
            self._reported += number
            self._is_working = self._write(self._make_notice(number))

    def _write(self, piece: bytes) -> bool:
        """Write lines; return whether all of them were written."""
        whole = b"\n" + piece if self._is_torn else piece
        done = 0
        try:
            while done < len(whole):
                done += self._write_some(whole[done:])
        except OSError:  # the reader is gone, the disk is full: the next piece may fare better
            self._drop(min(whole[done:].count(b"\n"), piece.count(b"\n")))
            return False
        finally:
            if done:
                self._is_torn = whole[done - 1 : done] != b"\n"
        return True

    def _write_some(self, rest: bytes) -> int:
        try:
            return os.write(self._descriptor, rest)
        except BlockingIOError:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll()
            return 0

    def _drop(self, number: int) -> None:
        with self._lock:
            self.dropped += number
            if self._on_drop:
                self._on_drop(number)


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines up to what the kernel writes to a pipe in one piece.

    Several workers share a pipe: a longer piece may be cut by the lines of another.
    """
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and size + len(line) > select.PIPE_BUF:
            yield b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    yield b"".join(piece)
