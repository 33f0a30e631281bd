"""Reading: a file's format by its name, and its text or its columns."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import polars as pl

from model.data.sources.delimited import read_text
from model.data.sources.json_lines import read_ndjson
from model.data.sources.table import Cells, CheckNames, Table
from model.errors import DataError
from model.files import read_regular
from model.memory import usable_memory
from model.text_files import other_format

SHARE_OF_MEMORY = 0.25
"""A file may be so large: its text and its cells are in memory together."""


def read_source(
    path: Path, columns: Sequence[Sequence[str]] = (), check: CheckNames | None = None
) -> Table:
    """Read a file: Parquet or NDJSON by the end of its name, otherwise CSV.

    Parameters
    ----------
    path : Path
        The file. CSV is separated by commas, semicolons or tabs, whichever its header has most of.
    columns : sequence of sequences of str
        The names that each column may have, in their order. Where they are given, values that are
        separated by blanks and have no header are read too, in this order.
    check : callable, optional
        What refuses the names of the columns, before any row is read.

    Raises
    ------
    DataError
        When the file cannot be read; no cell is repeated.
    """
    try:
        _check_size(path)
        content = read_regular(path)
    except (OSError, ValueError) as error:
        raise DataError(path, getattr(error, "strerror", None) or "cannot be read") from None
    if problem := other_format(content[:4]):
        raise DataError(path, problem)
    if not content.removeprefix(BOM_UTF8).strip():
        raise DataError(path, "the file is empty")
    if path.suffix == ".parquet":
        return _read_parquet(path, content, check)
    if b"\0" in content[:4]:
        raise DataError(path, "the text has a NUL character, as UTF-16 has, and must be UTF-8")
    text = TextIOWrapper(BytesIO(content), encoding="utf-8-sig", newline=None)
    try:
        if path.suffix in (".ndjson", ".jsonl"):
            return read_ndjson(path, text, check)
        return read_text(path, text, columns, check)
    except UnicodeDecodeError:
        raise DataError(path, "not a text file in UTF-8") from None


def _check_size(path: Path) -> None:
    """Refuse a file whose cells would take more memory than there is."""
    size, memory = path.stat().st_size, usable_memory()
    if size > SHARE_OF_MEMORY * memory:
        problem = (
            f"{size / 2**30:.1f} GiB; the limit is a quarter of the memory that may be used, "
            f"{memory / 2**30:.1f} GiB: leave out rows or columns"
        )
        raise DataError(path, problem)


def _read_parquet(path: Path, content: bytes, check: CheckNames | None) -> Table:
    try:
        table = pl.read_parquet(BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        # Polars' own text may repeat values.
        raise DataError(path, "cannot be read as Parquet") from None
    if check:
        check(table.columns, partial(DataError, path))
    if not table.height or not table.width:
        raise DataError(path, "columns and no rows")
    columns = {column.name: _of_parquet(column) for column in table}
    lines = np.arange(1, table.height + 1)
    return Table(path, columns, lines, has_rows_only=True)


def _of_parquet(column: pl.Series) -> Cells:
    """Return a typed column as cells; NaN is missing."""
    column = column.alias("")  # Polars takes some names for patterns of names
    kind, rows = column.dtype, len(column)
    if kind == pl.Boolean:
        return Cells.of(rows, booleans=column)
    if kind.is_numeric():
        return Cells.of(rows, numbers=column.cast(pl.Float64).fill_nan(None))
    if kind in (pl.String, pl.Categorical, pl.Enum, pl.Date, pl.Datetime, pl.Time):
        return Cells.of(rows, texts=column.cast(pl.String))
    return Cells.of(rows, problem="" if kind == pl.Null else "holds lists, objects or bytes")
