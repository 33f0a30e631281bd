"""The table of a file: columns of cells, with the line of every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.errors import DataError
from model.schema.cell_faults import Fault, check_faults

Lines: TypeAlias = NDArray[np.int64]

CheckNames: TypeAlias = Callable[[Sequence[str], Callable[..., DataError]], None]
"""Takes the names of a file's columns, and what makes an error of a problem and a column.

It is called before any row is read.
"""

CHUNK_ROWS = 1_000
"""So many rows are Python objects at once.

The columns of Polars take a tenth of their memory, and with more of them the garbage collector
looks at all objects again and again: 50,000 take three times as long.
"""


@dataclass(frozen=True)
class Cells:
    """The cells of a column: each is a text, a number or a boolean, or missing.

    Parameters
    ----------
    texts, numbers, booleans : Series of n cells
        The cells of each type, null where a cell is not of it; of type Null where none is. A cell
        that is null in all three is missing.
    problem : str
        Why no cell of the column can be used, where that is so.
    """

    texts: pl.Series
    numbers: pl.Series
    booleans: pl.Series
    problem: str = ""

    @classmethod
    def of(
        cls,
        rows: int,
        *,
        texts: pl.Series | None = None,
        numbers: pl.Series | None = None,
        booleans: pl.Series | None = None,
        problem: str = "",
    ) -> Cells:
        """Return cells of the types that are given."""
        none = pl.repeat(None, rows, dtype=pl.Null, eager=True)
        return cls(
            none if texts is None else texts,
            none if numbers is None else numbers,
            none if booleans is None else booleans,
            problem,
        )

    @property
    def is_missing(self) -> pl.Series:
        """Which cells are missing."""
        return self.texts.is_null() & self.numbers.is_null() & self.booleans.is_null()


@dataclass(frozen=True)
class Table:
    """The columns of a file.

    Parameters
    ----------
    path : Path or str
        The file, or in a few words what else holds the rows.
    columns : dict of str to Cells
        The cells of each column, by the names that the file gives.
    lines : NDArray of int64, of shape (n,)
        The line of each row, from 1.
    header_line : int, optional
        The line of the header, where the file has one.
    reads_text : bool
        Whether a text may stand for a number, as in CSV, where all is text.
    has_rows_only : bool
        Whether the file has no lines, so that `lines` are the numbers of the rows.
    """

    path: Path | str
    columns: dict[str, Cells]
    lines: Lines
    header_line: int | None = None
    reads_text: bool = False
    has_rows_only: bool = False

    def __len__(self) -> int:
        return len(self.lines)

    def fault(
        self, problem: str, *, row: int | None = None, column: str | None = None
    ) -> DataError:
        """Return an error that names the place: a row counted from 0, by default the header."""
        line = self.header_line if row is None else int(self.lines[row])
        if self.has_rows_only:
            return DataError(self.path, problem, row=line, column=column)
        return DataError(self.path, problem, line=line, column=column)

    def check(self, faults: Iterable[Fault]) -> None:
        """Raise an error for cells that cannot be used; see `check_faults`."""
        check_faults(self.path, faults, self.fault)


def shown(name: str) -> str:
    """Return a name as an error has it, where it may be anything that stands in a file."""
    return name if name.isprintable() and len(name) <= 64 else ascii(name[:40])
