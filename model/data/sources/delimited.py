"""Delimited text: CSV with a header, and values between blanks without one."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from model.data.sources.table import CHUNK_ROWS, Cells, CheckNames, Lines, Table, shown
from model.errors import DataError
from model.text_files import delimiter_of


def read_text(
    path: Path,
    text: TextIOWrapper,
    columns: Sequence[Sequence[str]],
    check: CheckNames | None,
) -> Table:
    """Read CSV, or where the columns are known, values between blanks; see `read_source`."""
    first = next((line for line in text if line.strip()), "")
    text.seek(0)
    delimiter = delimiter_of(first)
    known = {name for names in columns for name in names}
    if columns and (
        not delimiter or (delimiter == "\t" and known.isdisjoint(_split(first, delimiter)))
    ):
        return _read_spaced(path, text, [names[0] for names in columns])
    return _read_csv(path, text, delimiter or ",", check)


def _split(header: str, delimiter: str) -> list[str]:
    return [name.strip().strip('"') for name in header.split(delimiter)]


def _read_spaced(path: Path, text: TextIOWrapper, names: Sequence[str]) -> Table:
    rows = ((number, line.split()) for number, line in enumerate(text, 1) if line.strip())
    table = _Columns(path, names)
    table.fill(rows)
    return Table(path, table.cells(), table.lines, reads_text=True)


def _read_csv(path: Path, text: TextIOWrapper, delimiter: str, check: CheckNames | None) -> Table:
    records = _records(path, text, delimiter)
    line, header = next(records)
    names = [name.strip() for name in header]
    if check:
        check(names, partial(DataError, path, line=line))
    _check_once(names, path, line)
    table = _Columns(path, names)
    table.fill(records)
    return Table(path, table.cells(), table.lines, header_line=line, reads_text=True)


def _records(path: Path, text: TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, and the line that it ends on; a blank line is no row."""
    reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)
    last = 0
    try:
        for cells in reader:
            last = reader.line_num
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield last, cells
    except csv.Error as error:
        # What is wrong with a row may be seen at the end of the file alone.
        raise DataError(path, f"not CSV: {error}", line=last + 1) from None


def _check_once(names: list[str], path: Path, line: int) -> None:
    """Refuse a header with a name that stands there twice."""
    for name in names:
        if names.count(name) > 1:
            raise _given_twice(path, name, line)


def _given_twice(path: Path, name: str, line: int) -> DataError:
    if not name:
        return DataError(path, "two columns without a name", line=line)
    if _is_number(name):  # a cell of a person's row, perhaps
        problem = "a CSV file begins with a header, and here one number stands twice"
        return DataError(path, problem, line=line)
    return DataError(path, "is given twice", line=line, column=shown(name))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@dataclass
class _Columns:
    """The columns of a text, made of its rows a chunk at a time."""

    path: Path
    names: Sequence[str]
    chunks: list[pl.DataFrame] = field(default_factory=list)
    _lines: array[int] = field(default_factory=lambda: array("q"))

    def fill(self, records: Iterable[tuple[int, list[str]]]) -> None:
        """Read all rows, each of which has a cell for every column."""
        records = iter(records)
        while chunk := list(islice(records, CHUNK_ROWS)):
            lines, rows = zip(*chunk, strict=True)
            if set(map(len, rows)) != {len(self.names)}:
                raise self._ragged(chunk)
            self._lines.extend(lines)
            columns = enumerate(map(list, zip(*rows, strict=True)))
            texts = [pl.Series(str(place), of, pl.String) for place, of in columns]
            self.chunks.append(pl.DataFrame(texts))
        if not self.chunks:
            raise DataError(self.path, "a header and no rows")

    def _ragged(self, chunk: Iterable[tuple[int, list[str]]]) -> DataError:
        line, cells = next(of for of in chunk if len(of[1]) != len(self.names))
        names = ", ".join(map(shown, self.names))
        problem = f"expected {len(self.names)} values ({names}), found {len(cells)}"
        return DataError(self.path, problem, line=line)

    @property
    def lines(self) -> Lines:
        """The line of each row."""
        return np.array(self._lines, np.int64)

    def cells(self) -> dict[str, Cells]:
        """Return the cells of each column."""
        table = pl.concat(self.chunks, rechunk=True)
        self.chunks.clear()
        stripped = (texts.str.strip_chars().replace("", None) for texts in table)
        return {
            name: Cells.of(len(texts), texts=texts)
            for name, texts in zip(self.names, stripped, strict=True)
        }
