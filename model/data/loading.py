"""Loading: the rows of a file as a data set, checked by their schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from model.arrays import Array
from model.data.cells import as_numbers, faults_of, numbers_of
from model.data.dataset import OWN_FILE_CARD, Dataset
from model.data.schema_file import SchemaError
from model.data.sources import Cells, Table, read_source
from model.data.sources.table import shown
from model.data.table_schema import DEFAULT_REASON, DEFAULT_THRESHOLD, TableSchema
from model.errors import DataError
from model.inference.frames import own_names
from model.schema.cell_faults import Fault
from model.schema.features import Feature, FeatureSet

OWN_SOURCE = "a {} of the user's own"

Columns: TypeAlias = Mapping[str, Cells]
"""The columns of a file by their names in the schema."""


def load_dataset(schema: TableSchema, data: Path | None = None) -> Dataset:
    """Read the rows that a schema describes.

    Parameters
    ----------
    schema : TableSchema
        What the columns hold.
    data : Path, optional
        Another file with the same columns, of which the schema's card claims nothing.

    Raises
    ------
    DataError
        When the file cannot be used; its text names file, line and column.
    SchemaError
        When the schema names no file and none is given.
    """
    path = data or schema.data_path
    if path is None:
        raise SchemaError(schema.path or Path(schema.name), "data is missing, the path of the rows")
    accepted = [column.accepted_names for column in schema.used]
    table = read_source(path, accepted, partial(_check_names, schema))
    return dataset_of(schema, table, is_other=data is not None)


def dataset_of(schema: TableSchema, table: Table, *, is_other: bool = False) -> Dataset:
    """Return the rows of a table as a data set; see `load_dataset`."""
    columns = _own_columns(schema, table)
    faults: list[Fault] = []
    frame = _numbers(schema.used, columns, table, faults)
    groups, weights = None, None
    if schema.group:
        groups = _groups(columns[schema.group], schema.group, faults)
    if schema.weight:
        weights = _weights(columns[schema.weight], schema.weight, faults)
    table.check(faults)
    if groups is not None and groups.max() == 0:
        problem = "all rows are of one group, so that none can be held out"
        raise table.fault(problem, column=schema.group)
    path = table.path if isinstance(table.path, Path) else None
    kind = "file" if path else table.path
    return Dataset(
        frame=pd.DataFrame(frame, index=table.lines),
        features=schema.features,
        target=schema.target.feature,
        card=OWN_FILE_CARD if is_other else schema.card,
        source=OWN_SOURCE.format(kind) if is_other or not schema.source else schema.source,
        path=path,
        threshold_reason=_threshold_reason(schema, is_other=is_other),
        costs=schema.target.costs,
        subgroups=schema.subgroups,
        published_costs={} if is_other else schema.published_costs,
        threshold=schema.target.threshold,
        groups=groups,
        weights=weights,
    )


def rows_to_predict(path: Path, features: FeatureSet) -> Array:
    """Return the rows of a file as numbers, of shape (n, n_features).

    Parameters
    ----------
    path : Path
        It has a column for each feature under one of its names; other columns are not looked at.
    features : FeatureSet
        The input columns of a model.

    Raises
    ------
    DataError
        When the file cannot be used; its text names file, line and column.
    """
    table = read_source(path)
    names = own_names(list(table.columns), features, table.fault)
    columns = {own: table.columns[name] for own, name in names.items()}
    _check_usable(columns, table)
    faults: list[Fault] = []
    numbers = _numbers(features, columns, table, faults)
    table.check(faults)
    return np.column_stack(list(numbers.values()))


def _numbers(
    features: Iterable[Feature], columns: Columns, table: Table, faults: list[Fault]
) -> dict[str, Array]:
    """Return the numbers of each column, and note which cells stand for none."""
    frame = {}
    for feature in features:
        cells = columns[feature.name]
        numbers = numbers_of(cells, feature, reads_text=table.reads_text)
        faults += faults_of(cells, feature, numbers)
        frame[feature.name] = numbers.values
    return frame


def _threshold_reason(schema: TableSchema, *, is_other: bool) -> str:
    """Return why the threshold is what it is; what is said of the rows holds for no others."""
    if is_other and schema.target.threshold == DEFAULT_THRESHOLD:
        return DEFAULT_REASON
    return schema.target.threshold_reason


def _own_names(schema: TableSchema) -> dict[str, str]:
    """Return the columns' names in the schema by each name that is accepted for them."""
    own = {name: column.name for column in schema.used for name in column.accepted_names}
    return own | {name: name for name in (schema.group, schema.weight) if name}


def _check_names(
    schema: TableSchema, names: Sequence[str], fault: Callable[..., DataError]
) -> None:
    """Refuse a file that lacks a column of the schema, or has one that the schema does not have."""
    own = _own_names(schema)
    if not any(name in own for name in names):
        known = ", ".join(dict.fromkeys(own.values()))
        raise fault(f"no column's name is known; a CSV file begins with a header, here of {known}")
    ignored = {column.name for column in schema.ignored}
    unknown = [name for name in names if name not in own and name not in ignored]
    if "" in unknown:
        raise fault("a column without a name")
    if unknown:
        raise fault(f"unknown column; {_hint(unknown[0], own)}", column=ascii(unknown[0][:40]))
    given = [own[name] for name in names if name in own]
    for name in dict.fromkeys(own.values()):
        if given.count(name) != 1:
            problem = "is given twice" if name in given else "is missing"
            raise fault(problem, column=shown(name))


def _hint(name: str, own: Mapping[str, str]) -> str:
    lower = {accepted.lower(): of for accepted, of in own.items()}
    near = get_close_matches(name.lower(), lower, n=1)
    return f"did you mean {lower[near[0]]}?" if near else f"known are {', '.join(own)}"


def _own_columns(schema: TableSchema, table: Table) -> Columns:
    """Return the columns that are used, by the names that the schema has for them."""
    own = _own_names(schema)
    columns = {own[name]: cells for name, cells in table.columns.items() if name in own}
    _check_usable(columns, table)
    return columns


def _check_usable(columns: Columns, table: Table) -> None:
    for name, cells in columns.items():
        if cells.problem:
            raise table.fault(cells.problem, column=shown(name))


def _groups(cells: Cells, name: str, faults: list[Fault]) -> NDArray[np.intp]:
    """Return the number of each row's group, in the order of their first rows."""
    is_missing = cells.is_missing.to_numpy()
    faults.append(Fault(name, is_missing, "the group is missing"))
    typed = {"text": cells.texts, "number": cells.numbers, "boolean": cells.booleans}
    keys = [pl.format(f"{kind} {{}}", pl.col(kind).cast(pl.String)) for kind in typed]
    groups = pl.DataFrame(typed).select(pl.coalesce(keys)).to_series()
    return np.asarray(pd.factorize(groups.to_numpy())[0], np.intp)


def _weights(cells: Cells, name: str, faults: list[Fault]) -> Array:
    numbers = as_numbers(cells.texts.cast(pl.String)).fill_null(cells.numbers.cast(pl.Float64))
    values = numbers.fill_null(np.nan).to_numpy()
    is_bad = ~(np.isfinite(values) & (values > 0))
    faults.append(Fault(name, is_bad, "a weight must be a positive number"))
    return np.asarray(values)
