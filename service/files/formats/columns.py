"""Columns: which column of a table is which feature, and texts as tables hold them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.errors import HeartlineError
from model.schema.features import FeatureSet
from service.faults import MAX_NAME, as_text, kept_names
from service.validation.fault_finder import FaultFinder
from service.wire.ids import ID

Mask: TypeAlias = NDArray[np.bool_]

TEXTS = (pl.String, pl.Categorical, pl.Enum)
"""Types of columns that hold texts."""


class BadColumns(HeartlineError):
    """A table whose columns are not those that the model takes."""


def given_names(
    features: FeatureSet, names: Sequence[str], others: Collection[str] = ()
) -> dict[str, str]:
    """Return for each feature the name that its column has in a table.

    Parameters
    ----------
    features : FeatureSet
        The features.
    names : sequence of str
        Names of the table's columns.
    others : collection of str
        Those that it may have beside the features.

    Raises
    ------
    BadColumns
        With everything that is wrong with the names. An unknown one is not repeated: where a
        file has no header, or a bad line end after it, what stands there is a patient's value.
    """
    own = {name: feature.name for name, feature in features.by_accepted_name.items()}
    if not any(name in own for name in names):
        raise BadColumns(f"no names of columns that the model knows: {', '.join(features.names)}")
    finder = FaultFinder(features, {}, kept=kept_names(features, others))
    if faults := finder.name_faults(names):
        raise BadColumns("; ".join(_as_text(fault, names) for fault in faults))
    return {own[name]: name for name in names if name in own}


def check_ids(types: Mapping[str, pl.DataType]) -> None:
    """Check the type of a column of ids of which the model knows nothing.

    Raises
    ------
    BadColumns
        When it holds anything but texts or whole numbers, which come back as they are.
    """
    if ID in types and not (types[ID] in TEXTS or types[ID].is_integer()):
        raise BadColumns(f"{ID}: the column must hold texts or whole numbers")


def _as_text(fault: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return a fault of a name as a sentence, an unknown name's by the place of its column."""
    if fault["type"] != "unknown_field":
        return as_text(fault)
    place = [name[:MAX_NAME] for name in names].index(fault["loc"][-1])
    return f"column {place + 1}: {fault['msg']} ({fault['type']})"


def joined(texts: Sequence[str], told: Mask) -> pl.Series:
    """Return for each row the texts that are told of it, one after the other, null for none.

    Parameters
    ----------
    texts : sequence of str
        What may be told.
    told : NDArray of bool, of shape (n, len(texts))
        Of which row which is.
    """
    rows = np.flatnonzero(told.any(axis=1))
    columns = zip(texts, told[rows].T, strict=True)
    parts = [pl.when(pl.Series(mask)).then(pl.lit(text)) for text, mask in columns if mask.any()]
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(told))
    if not parts:
        return nothing
    together = pl.select(pl.concat_str(parts, separator=" ", ignore_nulls=True)).to_series()
    return nothing.scatter(rows, together)
