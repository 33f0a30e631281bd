"""Lines: bodies of one record a line, cut into blocks."""

from __future__ import annotations

from collections.abc import AsyncIterator

from service.errors import ContentTooLarge

BLOCK_LINES = 1000
"""So many are scored at once, which holds the event loop for a few milliseconds."""


async def blocks_of_lines(
    chunks: AsyncIterator[bytes], max_line: int
) -> AsyncIterator[list[bytes]]:
    """Yield the lines of a body as they arrive, without their ends and without blank ones.

    Raises
    ------
    ContentTooLarge
        When a line has more than `max_line` bytes.
    """
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        lines = [line for line in map(bytes.strip, whole) if line]
        if len(max((rest, *lines), key=len)) > max_line:
            raise ContentTooLarge(f"A line may have {max_line} bytes.")
        for start in range(0, len(lines), BLOCK_LINES):
            yield lines[start : start + BLOCK_LINES]
    if last := rest.strip():
        yield [last]
