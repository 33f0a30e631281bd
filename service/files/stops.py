"""Stops: Ctrl-C and SIGTERM in a command that must take away what it has half written."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from service.console.interrupts import STOPS, Stopped, die


class Stops:
    """What Ctrl-C and SIGTERM do; from the start they are held."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.hold()

    def hold(self) -> None:
        """Note them until `heed` is called.

        An interrupt in the midst of a library becomes whatever error that library makes of it.
        """
        self._handle(self._note)

    def heed(self) -> None:
        """Stop where one has come."""
        if self.asked is not None:
            raise Stopped(self.asked)

    def interrupt(self) -> None:
        """Let the first stop what is being waited for; later ones do not disturb the clean-up."""
        self._handle(self._raise)
        self.heed()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.asked = self.asked or number

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        self.hold()
        self._note(number, None)
        self.heed()

    @staticmethod
    def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
        for number in STOPS:
            signal.signal(number, handler)


@contextmanager
def ended_by_stops() -> Iterator[Stops]:
    """End the process by the signal that has stopped the block, when all is cleaned up."""
    stops = Stops()
    try:
        yield stops
    except BaseException:
        if stops.asked is None:
            raise
        with suppress(OSError):
            click.echo("heartline: stopped; nothing was written", err=True)
        die(stops.asked)
