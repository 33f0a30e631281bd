"""Stops: Ctrl-C and SIGTERM in a command that must remove its unfinished files."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from service.console.interrupts import STOPS, Stopped, die


class Stops:
    """Handlers of Ctrl-C and SIGTERM; at first the signals are held."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.hold()

    def hold(self) -> None:
        """Record signals until `check` is called.

        A library that is interrupted raises its own error in place of the interrupt.
        """
        self._handle(self._note)

    def check(self) -> None:
        """Raise `Stopped` if a signal has arrived."""
        if self.asked is not None:
            raise Stopped(self.asked)

    def interrupt(self) -> None:
        """Let the first signal interrupt a wait; later ones do not disturb the clean-up."""
        self._handle(self._raise)
        self.check()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.asked = self.asked or number

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        self.hold()
        self._note(number, None)
        self.check()

    @staticmethod
    def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
        for number in STOPS:
            signal.signal(number, handler)


@contextmanager
def ended_by_stops() -> Iterator[Stops]:
    """End the process by the signal that stopped the block, after the clean-up."""
    stops = Stops()
    try:
        yield stops
    except BaseException:
        if stops.asked is None:
            raise
        with suppress(OSError):
            click.echo("heartline: stopped; nothing was written", err=True)
        die(stops.asked)
