"""Blocks: the lines of a text file, read a bounded number of bytes at a time.

A line ends in LF, CR LF or CR. A line of blanks alone is no row; every other line is one row.
"""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from model.errors import DataError
from model.text_files import other_format

BLOCK_BYTES = 2**20
"""A block has at most so many bytes, and so has a line."""

PIECE_LINES = 2**15
"""So many lines are scored at once: what is said of bad ones can be far longer than they are."""

BLANKS = b" \t\v\f"
KINDS = bytes(byte in b"\r\n" for byte in range(256))
"""For each byte whether it ends a line."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; a FIFO does not block.

    Raises
    ------
    DataError
        When it is a folder, a FIFO or a device, of which the last may have no end.
    """

    def opener(name: str, flags: int) -> int:
        number = os.open(name, flags | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(number).st_mode):
            return number
        os.close(number)
        raise DataError(path, "not a regular file")

    return open(path, "rb", opener=opener)  # Path.open takes no opener


def pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same rows in pieces of a bounded number of lines; at least one for each block."""
    for block in blocks:
        if block.count(b"\n") + block.count(b"\r") <= PIECE_LINES:
            yield block
            continue
        lines = [line for line in block.splitlines(keepends=True) if not line.isspace()]
        for start in range(0, max(len(lines), 1), PIECE_LINES):
            yield b"".join(lines[start : start + PIECE_LINES])


class RowCounter:
    """Counts the rows of a text that arrives in pieces.

    It shares no code with what reads the rows, and is there to check that none of them is lost.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._last = b"\1"

    def add(self, piece: bytes) -> None:
        """Count the rows that begin in a piece."""
        kinds = self._last + piece.translate(KINDS, BLANKS)
        is_end = np.frombuffer(kinds, np.bool_)
        self.rows += int(np.count_nonzero(is_end[:-1] > is_end[1:]))
        self._last = kinds[-1:]


class TextBlocks:
    """Reads a text file in blocks of whole lines.

    Parameters
    ----------
    path : Path
        Named in errors.
    file : BinaryIO
        The file at its start.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._counter = RowCounter()

    @property
    def rows(self) -> int:
        """The number of rows that have been read, by a count of their own."""
        return self._counter.rows

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks, without a byte order mark.

        Raises
        ------
        DataError
            When the text is encoded or compressed in another way, has a line that is too long, or
            has changed while it was read.
        """
        rest = self._first()
        while piece := self._file.read(BLOCK_BYTES - len(rest)):
            self._counter.add(piece)
            text = rest + piece
            end = _end_of_lines(text)
            if end:
                yield text[:end]
            rest = text[end:]
            if len(rest) == BLOCK_BYTES:
                begin = self._file.tell() - len(rest)
                raise DataError(
                    self._path,
                    f"the line that begins at byte {begin} is longer than {BLOCK_BYTES} bytes",
                )
        if self._file.tell() != os.fstat(self._file.fileno()).st_size:
            raise DataError(self._path, "the file changed while it was read")
        if rest:
            yield rest

    def _first(self) -> bytes:
        """Return the first bytes, without a byte order mark."""
        start = self._file.read(4)
        if problem := other_format(start):
            raise DataError(self._path, problem)
        start = start.removeprefix(BOM_UTF8)
        self._counter.add(start)
        return start


def _end_of_lines(text: bytes) -> int:
    """Return where the last whole line ends; a CR at the very end may be half of a CR LF."""
    return max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
