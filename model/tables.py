"""Tables: a file of values read into numbers, or one sentence that says which cell is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from model.errors import DataError
from model.features import Feature

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})


def read_table(path: Path, columns: Sequence[Feature]) -> pd.DataFrame:
    """Read a file of numbers and check every one.

    Parameters
    ----------
    path : Path
        Space-separated values without a header, in the order of `columns`; or CSV with a header
        of their names or aliases in any order. A coded value may be given by its name.
    columns : sequence of Feature
        What the file must hold: these columns and no other.

    Returns
    -------
    DataFrame
        Numbers under the columns' own names; the index is the line of the file, from 1.

    Raises
    ------
    DataError
        At the first fault, with file, line and column.
    """
    text = _read_text(path)
    is_csv = "," in text.lstrip().partition("\n")[0]
    cells = _split(path, text, "," if is_csv else r"\s+", len(columns))
    header = [column.name for column in columns]
    if is_csv:
        header = _header(path, cells.iloc[0], columns)
        cells = cells.iloc[1:]
    _check_widths(path, cells, len(columns), is_csv=is_csv)
    cells = cells.iloc[:, : len(columns)].set_axis(header, axis="columns")
    if cells.empty:
        raise DataError(path, "a header and no rows")
    return pd.DataFrame(
        {column.name: _numbers(path, column, cells[column.name]) for column in columns}
    )


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(path, "not a text file in UTF-8") from None
    except OSError as error:
        raise DataError(path, error.strerror or "cannot be read") from None
    if not text.strip():
        raise DataError(path, "the file is empty")
    return text


def _split(path: Path, text: str, separator: str, width: int) -> pd.DataFrame:
    """Return the cells as text, by line; one column more than asked for shows longer lines."""
    try:
        cells = pd.read_csv(
            StringIO(text),
            sep=separator,
            header=None,
            names=range(width + 1),
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
        )
    except pd.errors.ParserError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else None
        raise DataError(path, f"too many values, expected {width}", line=line) from None
    cells.index += 1
    return cells[(cells != "").any(axis="columns")]


def _check_widths(path: Path, cells: pd.DataFrame, width: int, *, is_csv: bool) -> None:
    """Refuse longer lines, and shorter ones where no comma tells which value is missing."""
    values = (cells != "").sum(axis="columns")
    wrong = cells[width] != "" if is_csv else values != width
    for line in values.index[wrong]:
        found = f"more than {width}" if is_csv else str(values[line])
        raise DataError(path, f"{found} values, expected {width}", line=int(line))


def _header(path: Path, first: pd.Series[str], columns: Sequence[Feature]) -> list[str]:
    """Return the columns' own names for those of a header line."""
    line = int(str(first.name))
    own = {name: column.name for column in columns for name in column.accepted_names}
    found = [name.strip() for name in first if name]
    if not any(name in own for name in found):
        raise DataError(
            path, "no header; a CSV file begins with the names of its columns", line=line
        )
    for name in found:
        if name not in own:
            near = get_close_matches(name, own, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(own)}"
            raise DataError(path, f"unknown column; {hint}", line=line, column=ascii(name[:40]))
    header = [own[name] for name in found]
    for column in columns:
        if header.count(column.name) != 1:
            problem = "stands there twice" if column.name in header else "is missing"
            raise DataError(path, problem, line=line, column=column.name)
    return header


def _numbers(path: Path, column: Feature, cells: pd.Series[str]) -> pd.Series[float]:
    """Return a column's cells as numbers, each one a possible value."""
    names = {name: str(code) for code, name in column.codes}
    text = cells.str.strip().replace(names)
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    possible = numbers.map(lambda number: bool(np.isfinite(number)) and column.accepts(number))
    for line in numbers.index[~possible]:
        missing = text[line].lower() in MISSING
        fault = "a value is missing" if missing else "not a value of this column"
        raise DataError(
            path, f"{fault}; expected {column.expected}", line=int(line), column=column.name
        )
    return numbers
