"""Lines: bodies of one record a line, cut into blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator

from service.errors import ContentTooLarge

BLOCK_LINES = 1000
"""So many are scored at once, which holds the event loop for a few milliseconds."""


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
    async for piece in slices:
        *whole, rest = (rest + piece).split(b"\n")
        if max(map(len, (rest, *whole))) > max_line:
            raise ContentTooLarge(f"A line is larger than {max_line} bytes.")
        lines = [line.rstrip(b"\r") for line in whole if line and not line.isspace()]
        for start in range(0, len(lines), BLOCK_LINES):
            yield lines[start : start + BLOCK_LINES]
    if not rest.isspace() and rest:
        yield [rest.rstrip(b"\r")]
