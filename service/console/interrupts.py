"""Ctrl-C and SIGTERM in a command that works for a while: it ends at once, but for its writing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h\n"


class Stopped(BaseException):
    """A signal that asks to stop, for commands that have something to take away first.

    Neither libraries nor click take it for an error or for an interrupt of their own.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def die_of_signals() -> None:
    """Let the process end by the signal itself.

    An exception in its place may rise in the midst of a library, which makes of it whatever error
    it likes, or nothing; and it ends in a traceback while modules are still being imported.
    """
    for number in STOPS:
        signal.signal(number, die)


@contextmanager
def finishing() -> Iterator[None]:
    """Put off both signals until the block is done: what is being written becomes whole."""
    asked: list[int] = []
    before = [signal.signal(number, lambda number, _: asked.append(number)) for number in STOPS]
    try:
        yield
    finally:
        for number, handler in zip(STOPS, before, strict=True):
            signal.signal(number, handler)
        if asked:
            signal.raise_signal(asked[0])


def die(number: int, _frame: FrameType | None = None) -> None:
    """End the process by a signal, which shells report as 128 plus its number."""
    if sys.stderr and sys.stderr.isatty():
        os.write(2, SHOW_CURSOR)  # a progress bar hides it
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container outlives the signal
