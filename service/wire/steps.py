"""Steps: long work in short pieces, between which the event loop serves everything else."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Work that yields wherever it may be interrupted, and returns its result."""


def finish(steps: Steps[T]) -> T:
    """Do all steps at once, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def interleave(steps: Steps[T]) -> T:
    """Do one step in each turn of the event loop, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        await sleep(0)
