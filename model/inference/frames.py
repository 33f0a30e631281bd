"""Frames: the cells of a data frame in memory, and its rows as numbers.

The frames of pandas and Polars, and mappings from names to sequences, are read alike, and neither
library is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.arrays import Array
from model.errors import DataError
from model.schema.cell_faults import MISSING_TEXTS, Fault, check_faults, value_faults
from model.schema.features import Feature, FeatureSet
from model.schema.rules import Cell, Mask, Rule, RuleTable

SOURCE = "data frame"
"""What errors say in the place of a file."""

UNUSABLE = "holds lists, objects or bytes"


class DataFrame(Protocol):
    """What is used of a data frame of pandas or Polars."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""
        ...

    def __getitem__(self, name: Any, /) -> Any:
        """Return a column."""
        ...


Frame: TypeAlias = DataFrame | Mapping[str, Any]

Column: TypeAlias = NDArray[Any]
"""Cells of a column: an array of floats, of booleans, or of Python's objects, `Cell` each.

Among floats NaN is a missing value, among objects None.
"""


def names_of(frame: Frame) -> list[Any]:
    """Return the names of a frame's columns.

    Raises
    ------
    TypeError
        When it is no frame.
    """
    if isinstance(frame, Mapping):
        for name, column in frame.items():
            if isinstance(column, str) or not hasattr(column, "__len__"):
                raise TypeError(f"column {name}: expected a sequence of values, found one value")
        return list(frame)
    if not (hasattr(frame, "__len__") and hasattr(frame, "columns")):
        raise TypeError(
            f"expected a data frame of pandas or Polars, or a mapping, found {type(frame).__name__}"
        )
    return list(frame.columns)


def column_of(frame: Frame, name: str) -> Column:
    """Return the cells of a column.

    Raises
    ------
    ValueError
        When they are neither numbers, texts, booleans nor times.
    """
    values = _array(frame[name])
    kind = values.dtype.kind
    if values.ndim != 1 or kind not in "biufMOTU":
        raise ValueError(UNUSABLE)
    if kind == "b":
        return values
    if kind in "iuf":
        return values.astype(np.float64)
    if kind == "M":
        texts = np.datetime_as_string(values).astype(object)
        texts[np.isnat(values)] = None
        values = texts
    cells = np.empty(len(values), object)
    cells[:] = [_cell(value) for value in values.tolist()]
    return cells


def _array(column: Any) -> NDArray[Any]:
    """Return a column as an array; a missing text is None or NaN there."""
    if isinstance(column, np.ndarray):
        return column
    if not hasattr(column, "to_numpy"):
        cells = np.empty(len(column), object)
        cells[:] = list(column)
        return cells
    values: NDArray[Any] = column.to_numpy()
    if values.dtype == object and hasattr(column, "isna"):
        values = values.copy()
        values[np.asarray(column.isna())] = None  # pandas' own sign for it compares with nothing
    return values


def _cell(value: Any) -> Cell:
    """Return a value as a cell."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (str, bool):
        return value  # type: ignore[no-any-return]
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "isoformat"):  # a date or a time
        return str(value)
    if not isinstance(value, Real | Decimal):
        raise ValueError(UNUSABLE)  # noqa: TRY004  # as of every other column
    try:
        number = float(value)
    except OverflowError:
        number = np.inf  # no value of any column, whatever its sign
    return None if np.isnan(number) else number


def matrix_of(frame: Frame, features: FeatureSet) -> Array:
    """Return the rows of a frame as numbers.

    Parameters
    ----------
    frame : data frame or mapping
        It has a column for each feature under one of its names; other columns are not looked at.
    features : FeatureSet
        The input columns.

    Returns
    -------
    Array of shape (n, n_features)

    Raises
    ------
    DataError
        When a column is missing, or a cell is no value of its column; no cell is repeated.
    """
    names = own_names(names_of(frame), features, error_at)
    columns: list[Array] = []
    faults: list[Fault] = []
    for feature in features:
        try:
            cells = column_of(frame, names[feature.name])
        except ValueError as error:
            raise error_at(str(error), column=feature.name) from None
        values, is_bad, is_null = _numbers(cells, feature)
        columns.append(values)
        faults += value_faults(feature, is_bad & is_null, is_bad & ~is_null)
    if len(set(map(len, columns))) > 1:
        raise error_at("the columns have different numbers of rows")
    check_faults(SOURCE, faults, error_at)
    return np.column_stack(columns)


def own_names(
    names: Sequence[Any], features: FeatureSet, error_at: Callable[..., DataError]
) -> dict[str, str]:
    """Return under which of some names each feature stands.

    Parameters
    ----------
    names : sequence
        The names of columns.
    features : FeatureSet
        The features.
    error_at : callable
        Takes a problem, and by keyword the column.

    Raises
    ------
    DataError
        When a feature stands under none of them, or under two.
    """
    given = {}
    for feature in features:
        found = [name for name in names if name in feature.accepted_names]
        if len(found) > 1:
            raise error_at("is given twice", column=feature.name)
        if not found:
            near = _near(feature, names)
            problem = f"is missing; did you mean {near}?" if near else "is missing"
            raise error_at(problem, column=feature.name)
        given[feature.name] = found[0]
    return given


def _near(feature: Feature, names: Sequence[Any]) -> str:
    """Return which of the names in a frame is meant for a feature, if one is like it."""
    texts = {name.lower(): name for name in names if isinstance(name, str)}
    for accepted in feature.accepted_names:
        for near in get_close_matches(accepted.lower(), texts, n=1):
            return ascii(texts[near][:40])
    return ""


def error_at(problem: str, *, row: int | None = None, column: str | None = None) -> DataError:
    """Return an error that names a place; the row is counted from 0, in the error from 1."""
    return DataError(SOURCE, problem, row=None if row is None else row + 1, column=column)


def _numbers(cells: Column, feature: Feature) -> tuple[Array, Mask, Mask]:
    """Return the numbers that cells stand for, which stand for none, and which look missing."""
    rule = feature.rule
    if cells.dtype == np.float64 and not rule.is_named_only:
        return _measured(cells, rule)
    keys = [*map(_key, cells.tolist())]
    values = {key: _read(rule, key[1]) for key in {*keys}}
    nulls = {key: _looks_missing(rule, key[1]) for key in values}
    numbers = np.array([values[key] for key in keys], np.float64)
    return numbers, np.isinf(numbers), np.array([nulls[key] for key in keys], np.bool_)


def _measured(numbers: Array, rule: Rule) -> tuple[Array, Mask, Mask]:
    """Return the same for numbers, by the vectorised evaluator."""
    table = RuleTable([rule], {"": 0})
    values = table.with_missing(numbers[:, np.newaxis])
    is_null = np.isnan(numbers) | np.isin(numbers, rule.missing_numbers)
    return values[:, 0], ~table.accepts(values)[:, 0], is_null


def _key(cell: Cell) -> tuple[type, Cell]:
    """Return a key that is unique to a cell: true and 1 are equal, and NaN is not."""
    is_nan = isinstance(cell, float) and np.isnan(cell)
    return (type(None), None) if is_nan else (type(cell), cell)


def _read(rule: Rule, cell: Cell) -> float:
    """Return the number that a cell stands for; infinity where it stands for none."""
    try:
        return rule.strict_read(cell)
    except (KeyError, TypeError, ValueError):
        return np.inf


def _looks_missing(rule: Rule, cell: Cell) -> bool:
    is_word = isinstance(cell, str) and cell.lower() in MISSING_TEXTS
    return is_word or rule.fault(cell) == "null"
