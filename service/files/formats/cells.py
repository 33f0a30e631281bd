"""Cells: lines of CSV, cut at their delimiters.

A row is one line: a value in quotation marks may hold delimiters and doubled quotation marks, but
no line end. So a stray quotation mark spoils its own row and no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.errors import HeartlineError
from model.text_files import DELIMITERS
from service.files.formats.kept import REJECTED, free_names

CELLS = {
    delimiter: re.compile(rf'{delimiter}("[^"]*+(?:""[^"]*+)*+"|[^"{delimiter}]*+)')
    for delimiter in DELIMITERS
}
"""A delimiter and the cell after it."""

NOT_UTF8 = "The line is not UTF-8."
BAD_QUOTES = (
    "A quotation mark is not closed on its line, or is within a value that has none around it."
)
TOO_FEW = "There are fewer values than columns."
TOO_MANY = "There are more values than columns."


class RowsLost(HeartlineError):
    """Rows that went in and did not come out."""


class CsvRows(NamedTuple):
    """The rows of a block: those with a text for each column, and those without."""

    texts: pl.DataFrame
    numbers: NDArray[np.int64]
    broken: pl.DataFrame


def split_line(line: str, delimiter: str = ",") -> list[str] | None:
    """Return the values of a line; None where its quotation marks do not enclose whole values."""
    found = CELLS[delimiter].findall(f"{delimiter}{line}")
    if sum(map(len, found)) + len(found) != len(line) + 1:
        return None
    return [cell[1:-1].replace('""', '"') if cell[:1] == '"' else cell for cell in found]


class CellReader:
    """Reads blocks of lines of CSV.

    Polars cuts the lines that need no thought: without a quotation mark, in UTF-8, and with a
    delimiter between any two columns. All others are cut one by one.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    numbers : mapping of str to sequence of str
        Those that hold numbers, with the texts that mean a missing one.
    delimiter : str
        What stands between two values.
    """

    def __init__(
        self, names: Sequence[str], numbers: Mapping[str, Sequence[str]], delimiter: str = ","
    ) -> None:
        self._names = list(names)
        self._delimiter = delimiter
        self._schema = dict.fromkeys(names, pl.String())
        # With a line before them Polars takes no block for one that has a byte order mark or is
        # compressed. Its own names are plain, whatever those of the columns are.
        places = [str(place) for place in range(len(names))]
        kinds = [pl.Float64() if name in numbers else pl.String() for name in names]
        self._texts = dict.fromkeys(places, pl.String())
        self._numbers = dict(zip(places, kinds, strict=True))
        # Polars takes one such text for each column; a block with another is not read at once.
        self._missing = {
            place: numbers[name][0]
            for place, name in zip(places, names, strict=True)
            if numbers.get(name)
        }
        self._head = f"{delimiter.join(places)}\n".encode()

    def read_numbers(self, block: bytes) -> pl.DataFrame | None:
        """Return the rows of a block with numbers as such; None where it holds anything else.

        A missing number is null.
        """
        rows = self._rows_if_plain(block)
        try:
            table = self._cut(block, rows, self._numbers, self._missing) if rows else None
        except pl.exceptions.ComputeError:
            return None
        return None if table is None or _has_nan(table) else self._named(table)

    def read(self, block: bytes) -> CsvRows:
        """Return the rows of a block, numbered from 1; blank lines are none."""
        lines = [line for line in block.split(b"\n") if line and not line.isspace()]
        plain, plain_numbers = [], []
        rows, numbers = [], []
        broken = []
        for number, line in enumerate(lines, start=1):
            if self._is_plain(line):
                plain.append(line)
                plain_numbers.append(number)
                continue
            cells, reason = self._cells(line)
            if reason:
                broken.append((number, *cells, reason))
            else:
                rows.append(cells)
                numbers.append(number)
        cut = self._named(self._cut(b"\n".join([*plain, b""]), len(plain), self._texts))
        careful = pl.DataFrame(rows, self._schema, orient="row")
        all_numbers = np.array([*plain_numbers, *numbers], np.int64)
        order = np.argsort(all_numbers)
        return CsvRows(pl.concat([cut, careful])[order], all_numbers[order], self.broken(broken))

    def broken(self, rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
        """Return a table of a row's number, its texts, and what is wrong with it."""
        renamed = free_names(self._names, REJECTED)
        own = dict.fromkeys((renamed.get(name, name) for name in self._names), pl.String())
        schema = {"row": pl.Int64(), **own, "reasons": pl.String()}
        return pl.DataFrame(rows, schema, orient="row")

    def _rows_if_plain(self, block: bytes) -> int:
        """Return how many lines a block has if all are plain, 0 if any is not."""
        each = len(self._names) - 1
        if not each or b'"' in block or not _is_utf8(block):
            return 0
        text = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(text == ord("\n"))
        delimiters = np.flatnonzero(text == ord(self._delimiter))
        if delimiters.size != ends.size * each:
            return 0
        by_line = delimiters.reshape(ends.size, each)
        own = (by_line[:, -1] < ends).all() and (by_line[1:, 0] > ends[:-1]).all()
        return ends.size if own else 0

    def _is_plain(self, line: bytes) -> bool:
        delimiters = line.count(self._delimiter.encode())
        return b'"' not in line and delimiters == len(self._names) - 1 and _is_utf8(line)

    def _cells(self, line: bytes) -> tuple[list[str | None], str]:
        """Return a text for each column, and what is wrong with the line."""
        width, text = len(self._names), line.decode(errors="replace")
        cells = split_line(text, self._delimiter)
        shown = [cell or None for cell in (cells or text.split(self._delimiter))[:width]]
        shown += [None] * (width - len(shown))
        if not _is_utf8(line):
            return shown, NOT_UTF8
        if cells is None:
            return shown, BAD_QUOTES
        return shown, TOO_FEW if len(cells) < width else TOO_MANY if len(cells) > width else ""

    def _cut(
        self,
        block: bytes,
        rows: int,
        schema: Mapping[str, pl.DataType],
        missing: Mapping[str, str] | None = None,
    ) -> pl.DataFrame:
        """Cut lines that are plain, which a delimiter and a line feed always do."""
        if not rows:  # of which Polars makes an error
            return pl.DataFrame(schema=dict(schema))
        nulls = dict(missing) if missing else None
        table = pl.read_csv(
            self._head + block,
            separator=self._delimiter,
            schema=schema,
            quote_char=None,
            null_values=nulls,
        )
        if table.height != rows:
            raise RowsLost(f"{rows} lines were read as {table.height} rows")
        return table

    def _named(self, table: pl.DataFrame) -> pl.DataFrame:
        table.columns = self._names
        return table


def _has_nan(table: pl.DataFrame) -> bool:
    """Return whether a number is NaN: to Polars, the text is a number."""
    numbers = table.select(pl.col(pl.Float64))
    return any(column.is_nan().any() for column in numbers)


def with_line_feeds(block: bytes) -> bytes:
    """Return lines with a line feed at the end of each, the last included."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return block if block.endswith(b"\n") else block + b"\n"


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
