"""NDJSON: a JSON object on every line, all with the same names."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from model.data.sources.table import CHUNK_ROWS, Cells, CheckNames, Table, shown
from model.errors import DataError


def read_ndjson(path: Path, text: TextIOWrapper, check: CheckNames | None) -> Table:
    """Read an object a line; the first has the names of the columns."""
    records = _records(path, text)
    chunks: list[list[Cells]] = []
    lines = array("q")
    names: tuple[str, ...] = ()
    while rows := list(islice(records, CHUNK_ROWS)):
        if not names:
            line, first = rows[0]
            names = tuple(first)
            if check:
                check(names, partial(DataError, path, line=line))
        for line, record in rows:
            _check_names(path, line, record, names)
            lines.append(line)
        chunks.append([typed_cells([record[name] for _, record in rows]) for name in names])
    columns = (_together(parts) for parts in zip(*chunks, strict=True))
    return Table(path, dict(zip(names, columns, strict=True)), np.array(lines, np.int64))


def _records(path: Path, text: TextIOWrapper) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the object of each line that is not blank."""
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            record = decoder.decode(line)
        except _GivenTwice as error:
            problem = "is given twice"
            raise DataError(path, problem, line=number, column=shown(str(error))) from None
        except (ValueError, RecursionError):
            raise DataError(path, "not JSON", line=number) from None
        if not isinstance(record, dict) or not record:
            raise DataError(path, "not a JSON object with a value for each column", line=number)
        yield number, record


class _GivenTwice(Exception):
    """A name that is twice in an object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise _GivenTwice(next(name for name in names if names.count(name) > 1))
    return record


def _no_constant(constant: str) -> None:
    raise ValueError(constant)


def _check_names(path: Path, line: int, record: dict[str, Any], names: Sequence[str]) -> None:
    if record.keys() == set(names):
        return
    for name in names:
        if name not in record:
            problem = "is missing; a missing value is written as null"
            raise DataError(path, problem, line=line, column=shown(name))
    unknown = next(name for name in record if name not in names)
    problem = "unknown column; the first line does not have it"
    raise DataError(path, problem, line=line, column=shown(unknown))


def typed_cells(values: list[Any]) -> Cells:
    """Return values of JSON as cells: texts, numbers, true and false, and None."""
    types = set(map(type, values)) - {type(None)}
    if types & {list, dict}:
        return Cells.of(len(values), problem="holds lists or objects")
    numbers = [_float(v) if type(v) in (int, float) else None for v in values]
    return Cells.of(
        len(values),
        texts=pl.Series(_of_type(str, values), dtype=pl.String) if str in types else None,
        numbers=pl.Series(numbers, dtype=pl.Float64) if types & {int, float} else None,
        booleans=pl.Series(_of_type(bool, values), dtype=pl.Boolean) if bool in types else None,
    )


def _of_type(kind: type, values: list[Any]) -> list[Any]:
    return [value if type(value) is kind else None for value in values]


def _float(number: float) -> float:
    """Return a whole number of any size as a float."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _together(parts: Sequence[Cells]) -> Cells:
    """Return the parts of a column as one."""
    problems = [part.problem for part in parts if part.problem]
    rows = sum(len(part.texts) for part in parts)
    if problems:
        return Cells.of(rows, problem=problems[0])
    return Cells(
        _joined([part.texts for part in parts], pl.String()),
        _joined([part.numbers for part in parts], pl.Float64()),
        _joined([part.booleans for part in parts], pl.Boolean()),
    )


def _joined(parts: Sequence[pl.Series], kind: pl.DataType) -> pl.Series:
    if all(part.dtype == pl.Null for part in parts):
        return pl.concat(parts)
    return pl.concat([part.cast(kind) for part in parts])
