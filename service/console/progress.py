"""Progress bars on standard error, shown only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

import click

STEPS = 1000
"""Of each bar: click counts whole steps, and a fit reports parts of itself."""

Advance: TypeAlias = Callable[[float], None]
Start: TypeAlias = Callable[[str, float], Advance]


def is_watched() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def progress_bars() -> Iterator[Start]:
    """Yield a function that starts a bar with a name and a total; each ends the one before."""
    with ExitStack() as shown:

        def start(name: str, total: float) -> Advance:
            shown.close()
            label, hidden = f"{name:<16}", not is_watched()
            bar = shown.enter_context(
                click.progressbar(length=STEPS, label=label, file=sys.stderr, hidden=hidden)
            )
            done = 0.0

            def advance(amount: float) -> None:
                nonlocal done
                done += amount
                bar.update(round(STEPS * done / max(total, 1)) - bar.pos)

            return advance

        yield start
