"""A data frame in memory as a table, of which only its errors know that it is no file."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from model.data.sources.json_lines import typed_cells
from model.data.sources.table import Cells, Table, shown
from model.errors import DataError
from model.inference.frames import SOURCE, Frame, column_of, names_of


def table_of(frame: Frame) -> Table:
    """Return the cells of a data frame of pandas or Polars, or of a mapping.

    Raises
    ------
    DataError
        When its columns have no names of their own, or it has no rows.
    """
    names = names_of(frame)
    _check_names(names)
    columns = {name: _cells(frame, name) for name in names}
    rows = {len(cells.texts) for cells in columns.values()}
    if len(rows) > 1:
        raise DataError(SOURCE, "the columns have different numbers of rows")
    if rows in (set(), {0}):
        raise DataError(SOURCE, "no rows")
    return Table(SOURCE, columns, np.arange(1, rows.pop() + 1), has_rows_only=True)


def _check_names(names: list[Any]) -> None:
    if not all(isinstance(name, str) for name in names):
        raise DataError(SOURCE, "the name of a column is not a text")
    for name in names:
        if names.count(name) > 1:
            raise DataError(SOURCE, "is given twice", column=shown(name))


def _cells(frame: Frame, name: str) -> Cells:
    try:
        values = column_of(frame, name)
    except ValueError as error:
        return Cells.of(len(frame[name]), problem=str(error))
    if values.dtype == np.bool_:
        return Cells.of(len(values), booleans=pl.Series(values))
    if values.dtype == np.float64:
        return Cells.of(len(values), numbers=pl.Series(values).fill_nan(None))
    return typed_cells(values.tolist())
