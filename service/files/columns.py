"""Columns: which column of a table is which feature, and texts as tables hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.errors import HeartlineError
from model.features import FeatureSet
from service.faults import FaultFinder, as_text, kept_names

Mask: TypeAlias = NDArray[np.bool_]


class BadColumns(HeartlineError):
    """A table whose columns are not those that the model takes."""


def given_names(features: FeatureSet, names: Sequence[str]) -> dict[str, str]:
    """Return for each feature the name that its column has in a table.

    Raises
    ------
    BadColumns
        With everything that is wrong with the names. Where none is known they are not repeated:
        the first row of a file without a header is a patient.
    """
    own = {name: feature.name for name, feature in features.by_accepted_name.items()}
    if not any(name in own for name in names):
        raise BadColumns(f"no names of columns that the model knows: {', '.join(features.names)}")
    finder = FaultFinder(features, {}, kept=kept_names(features))
    if faults := finder.name_faults(names):
        raise BadColumns("; ".join(as_text(fault) for fault in faults))
    return {own[name]: name for name in names if name in own}


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
