"""The data set: a table with its description."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.arrays import Array
from model.schema.features import Feature, FeatureSet

OWN_FILE_CARD: dict[str, Any] = {
    "intended_use": "What the owner of the data trained it for.",
    "not_for": "Diagnosis, triage or any decision about a person, unless validated for it.",
    "limits": ["Trained on a file of the user's own: this card knows nothing of its rows."],
}


@dataclass(frozen=True)
class Subgroup:
    """Rows with a common property, for which figures are reported separately.

    Parameters
    ----------
    name : str
        The common property.
    feature : str
        The column that defines it.
    low, high : float
        The rows from `low` up to, but not including, `high`.
    """

    name: str
    feature: str
    low: float
    high: float


@dataclass(frozen=True)
class Costs:
    """The costs of the two kinds of wrong decision between two classes.

    Parameters
    ----------
    false_negative : float
        Cost of a positive row that is predicted negative.
    false_positive : float
        Cost of a negative row that is predicted positive.
    """

    false_negative: float
    false_positive: float

    @property
    def threshold(self) -> float:
        """The threshold of the probability that minimises the expected cost."""
        return self.false_positive / (self.false_positive + self.false_negative)


@dataclass(frozen=True)
class Dataset:
    """A table with its description.

    Parameters
    ----------
    frame : DataFrame of n rows
        A column of numbers for each feature and one for the target, by their names; NaN where a
        value is missing.
    features : FeatureSet
        The input columns.
    target : Feature
        The column that is predicted; where it has two codes, the last is the positive class.
    card : mapping
        Texts about the data and its models for the model card.
    source : str
        Where the rows come from.
    path : Path, optional
        The file, where there is one.
    threshold_reason : str
        Why the decision threshold of two classes is what it is.
    costs : Costs, optional
        The cost matrix, where the data set has one.
    subgroups : tuple of Subgroup
        Rows for which figures are reported separately.
    published_costs : mapping of str to float
        Cost per row of other methods, by name, in a published study of the same rows.
    threshold : float
        Above which probability the positive class of two is predicted.
    groups : NDArray of int, of shape (n,), optional
        The number of each row's group, whose rows stay together in every fold.
    weights : Array of shape (n,), optional
        The weight of each row.
    other_columns : tuple of str
        Names of the file's columns that are no features, the target among them.
    """

    frame: pd.DataFrame
    features: FeatureSet
    target: Feature
    card: Mapping[str, Any]
    source: str
    path: Path | None = None
    threshold_reason: str = "The more probable class."
    costs: Costs | None = None
    subgroups: tuple[Subgroup, ...] = ()
    published_costs: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.5
    groups: NDArray[np.intp] | None = None
    weights: Array | None = None
    other_columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def X(self) -> Array:  # noqa: N802
        """The input matrix, of shape (n, n_features)."""
        return self.frame[self.features.names].to_numpy(dtype="float64")

    @property
    def classes(self) -> NDArray[np.intp]:
        """The number of each row's class, of shape (n,), counted from 0."""
        codes = pd.Index([code for code, _ in self.target.codes])
        return codes.get_indexer(pd.Index(self.frame[self.target.name]))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(name for _, name in self.target.codes)

    def about(self) -> dict[str, object]:
        """Return where the rows come from, with the digest of their file."""
        about: dict[str, object] = {"source": self.source, "rows": len(self)}
        if self.path is not None:
            about["sha256"] = hashlib.sha256(self.path.read_bytes()).hexdigest()
        return about

    def rows_of(self, subgroup: Subgroup) -> NDArray[np.bool_]:
        """Return which rows belong to a subgroup, of shape (n,)."""
        column = self.frame[subgroup.feature].to_numpy()
        return np.asarray((column >= subgroup.low) & (column < subgroup.high))
