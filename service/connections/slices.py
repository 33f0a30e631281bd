"""What has arrived and is not parsed yet, cut so that no slice reaches beyond a message's end."""

from __future__ import annotations

BLANK_LINE = b"\r\n\r\n"
"""Ends a head, and a body in chunks."""


class Slices:
    """Bytes that wait for the parser.

    The parser cannot be stopped at the end of a message: all that it is given, it parses. So it is
    given no byte behind that end.
    """

    def __init__(self) -> None:
        self._data = b""
        self._start = 0
        self._tail = b""  # of what was taken: a blank line may have begun in it

    def __len__(self) -> int:
        return len(self._data) - self._start

    def add(self, data: bytes) -> None:
        """Append what has arrived."""
        self._data = self._data[self._start :] + data if self._data else data
        self._start = 0

    def clear(self) -> None:
        """Drop all of it."""
        self._data, self._start = b"", 0

    def take(self, size: int) -> bytes:
        """Return the next bytes, up to a maximum."""
        end = self._start + size
        taken = self._data[self._start : end]
        if end < len(self._data):
            self._start = end
        else:
            self._data, self._start = b"", 0
        self._tail = (taken if len(taken) > 2 else self._tail + taken)[-3:]
        return taken

    def size_to_blank_line(self, most: int) -> int:
        """Return the length up to the first blank line, up to a maximum; without one, all bytes."""
        start, tail = self._start, self._tail
        if tail.endswith((b"\r", b"\n")):
            place = (tail + self._data[start : start + 3]).find(BLANK_LINE)
            if place >= 0:
                return min(most, place + len(BLANK_LINE) - len(tail))
        place = self._data.find(BLANK_LINE, start, start + most)
        return place + len(BLANK_LINE) - start if place >= 0 else min(most, len(self))


def is_one_message(data: bytes, most: int) -> bool:
    """Return whether this is a head within the limit, and the body that it announces.

    False where that would have to be parsed to be known. A line that is a Content-Length here is
    one to the parser too, which refuses a message with another length.
    """
    end = data.find(BLANK_LINE, 0, most) + len(BLANK_LINE)
    rest = len(data) - end
    if not rest or end < len(BLANK_LINE):
        return end >= len(BLANK_LINE)
    return (
        data.find(b"\r\nContent-Length: %d\r\n" % rest, 0, end) > 0
        or data.find(b"\r\ncontent-length: %d\r\n" % rest, 0, end) > 0
    )
