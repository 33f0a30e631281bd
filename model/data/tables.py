"""Tables: files of values read into numbers, or an error that names the invalid cell."""

from __future__ import annotations

import csv
from collections import OrderedDict
from collections.abc import Sequence
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from model.errors import DataError
from model.files import read_regular
from model.schema.features import Feature
from model.schema.rules import RuleTable

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
    rows = _csv_rows(path, text) if is_csv else _spaced_rows(text)
    names = [column.name for column in columns]
    if is_csv:
        line, header = rows.popitem(last=False)
        names = _own_names(path, line, header, columns)
    for line, cells in rows.items():
        if len(cells) != len(names):
            problem = f"expected {len(names)} values ({', '.join(names)}), found {len(cells)}"
            raise DataError(path, problem, line=line)
    if not rows:
        raise DataError(path, "a header and no rows")
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=names, dtype=str)
    return pd.DataFrame(
        {column.name: _numbers(path, column, frame[column.name]) for column in columns}
    )


def _read_text(path: Path) -> str:
    try:
        # newline=None: line ends of every kind become one, as in a file opened as text.
        text = StringIO(read_regular(path).decode("utf-8-sig"), newline=None).read()
    except UnicodeDecodeError:
        raise DataError(path, "not a text file in UTF-8") from None
    except (OSError, ValueError) as error:
        raise DataError(path, getattr(error, "strerror", None) or "cannot be read") from None
    if not text.strip():
        raise DataError(path, "the file is empty")
    return text


def _spaced_rows(text: str) -> OrderedDict[int, list[str]]:
    """Return the cells of each line that is not blank, by its number."""
    lines = enumerate(text.splitlines(), start=1)
    return OrderedDict((number, line.split()) for number, line in lines if line.strip())


def _csv_rows(path: Path, text: str) -> OrderedDict[int, list[str]]:
    """Return the cells of each record that is not blank, by the number of its last line."""
    reader = csv.reader(StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        records = ((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
        return OrderedDict((line, cells) for line, cells in records if cells not in ([], [""]))
    except csv.Error as error:
        raise DataError(path, f"not CSV: {error}", line=reader.line_num) from None


def _own_names(
    path: Path, line: int, header: Sequence[str], columns: Sequence[Feature]
) -> list[str]:
    """Return the columns' own names for those of a header."""
    own = {name: column.name for column in columns for name in column.accepted_names}
    if not any(name in own for name in header):
        problem = (
            "no column's name is known; a CSV file begins with a header, here of "
            f"{', '.join(column.name for column in columns)}"
        )
        raise DataError(path, problem, line=line)
    if "" in header:
        raise DataError(path, "a column without a name", line=line)
    lower = {name.lower(): owner for name, owner in own.items()}
    for name in header:
        if name not in own:
            near = get_close_matches(name.lower(), lower, n=1)
            hint = f"did you mean {lower[near[0]]}?" if near else f"known are {', '.join(own)}"
            raise DataError(path, f"unknown column; {hint}", line=line, column=ascii(name[:40]))
    names = [own[name] for name in header]
    for column in columns:
        if names.count(column.name) != 1:
            problem = "is given twice" if column.name in names else "is missing"
            raise DataError(path, problem, line=line, column=column.name)
    return names


def _numbers(path: Path, column: Feature, cells: pd.Series[str]) -> pd.Series[float]:
    """Return a column's cells as numbers, each one a possible value."""
    rule, text = column.rule, cells.str.strip()
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    numbers = text.map(rule.by_name).astype("float64").fillna(numbers)
    X = np.asarray(numbers, np.float64)[:, np.newaxis]
    possible = RuleTable([rule], {column.name: 0}).accepts(X)[:, 0]
    for line in numbers.index[~possible]:
        missing = text[line].lower() in MISSING
        fault = "a value is missing" if missing else "not a value of this column"
        raise DataError(
            path, f"{fault}; expected {column.expected}", line=int(line), column=column.name
        )
    return numbers
