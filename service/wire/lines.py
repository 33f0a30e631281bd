"""Lines: bodies of one record a line, cut into blocks."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import AsyncIterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.errors import ContentTooLarge

BLOCK_LINES = 1000
"""So many are scored at once, which holds the event loop for a few milliseconds."""

IS_VISIBLE = ~np.isin(np.arange(256), [*b" \t\n\r\x0b\x0c"])
"""Of each byte, whether it is more than a blank."""

Places: TypeAlias = NDArray[np.intp]


async def blocks_of_lines(
    slices: AsyncIterator[bytes], max_line: int
) -> AsyncIterator[list[bytes]]:
    """Yield the lines of a body as they arrive, without their ends and without blank ones.

    Parameters
    ----------
    slices : async iterator of bytes
        The body; each slice is split at once.
    max_line : int
        Most bytes in a line, counted before it has ended.

    Raises
    ------
    ContentTooLarge
        When a line has more, blanks included.
    """
    rest = b""
    async for piece in _without_mark(slices):
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        lines = _lines(whole + newline, max_line) if newline else []
        _check_length(len(rest), max_line)
        for start in range(0, len(lines), BLOCK_LINES):
            yield lines[start : start + BLOCK_LINES]
    if rest and not rest.isspace():
        yield [rest.rstrip(b"\r")]


async def _without_mark(slices: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a body without a byte order mark, which may arrive in pieces."""
    start = b""
    async for piece in slices:
        start += piece
        if len(start) >= len(BOM_UTF8) or not BOM_UTF8.startswith(start):
            yield start.removeprefix(BOM_UTF8)
            break
    else:
        yield start
    async for piece in slices:
        yield piece


def _lines(whole: bytes, max_line: int) -> list[bytes]:
    """Return lines that have ended, without the blank ones.

    Only the others become objects of Python: 64 KiB may be as many lines.
    """
    marks = np.frombuffer(whole, np.uint8)
    ends = np.flatnonzero(marks == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    _check_length(int((ends - starts).max()), max_line)
    shown = _are_shown(marks, starts)
    places = zip(starts[shown].tolist(), ends[shown].tolist(), strict=True)
    return [whole[start:end].rstrip(b"\r") for start, end in places]


def _are_shown(marks: NDArray[np.uint8], starts: Places) -> NDArray[np.bool_]:
    first = marks[starts]
    shown = IS_VISIBLE[first]
    if (shown | (first == ord("\n"))).all():
        return shown
    return np.logical_or.reduceat(IS_VISIBLE[marks], starts)


def _check_length(length: int, max_line: int) -> None:
    if length > max_line:
        raise ContentTooLarge(f"A line is larger than {max_line} bytes.")
