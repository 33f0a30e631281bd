"""Refusals: what a table must have so that it can be learned from, checked before any fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.artifact.metadata import MAX_CLASSES, MAX_FEATURES
from model.data import Dataset
from model.errors import DataError
from model.evaluation.validation import Mask
from model.memory import usable_memory
from model.recipes.tables.plans import units_of_classes

MAX_ENCODED = 20_000
"""Numbers and indicators that a network reads: its weights must fit into an artifact."""

LARGEST_VALUE = 1e100
"""The squares of larger ones, which a scale is made of, are not finite."""

SHARE_OF_MEMORY = 0.5


def place_of(dataset: Dataset) -> Path:
    """Return where the rows of a data set come from."""
    return dataset.path or Path(dataset.source)


def check_limits(dataset: Dataset, encoded: int) -> None:
    """Raise a DataError for more classes, columns or rows than can be fitted and served."""
    for number, limit, what, remedy in (
        (len(dataset.labels), MAX_CLASSES, "classes", "join rare ones"),
        (len(dataset.features), MAX_FEATURES, "columns", "ignore some"),
        (encoded, MAX_ENCODED, "numbers and indicators of codes", "join rare codes"),
    ):
        if number > limit:
            raise DataError(place_of(dataset), f"{number} {what}; the limit is {limit}: {remedy}")
    needed, memory = len(dataset) * encoded * 8 / 2**30, usable_memory() / 2**30
    if needed > SHARE_OF_MEMORY * memory:
        raise DataError(
            place_of(dataset),
            f"{len(dataset)} rows of {encoded} numbers and indicators take {needed:.1f} GiB; the "
            f"limit is half of the available memory of {memory:.1f} GiB: leave out rows or columns",
        )


def check_values(dataset: Dataset) -> None:
    """Raise a DataError for a column without two values, a weight or a value that cannot be."""
    X = dataset.X
    for feature, column in zip(dataset.features, X.T, strict=True):
        problem = _fault_of_column(column, may_miss=feature.missing == "indicator")
        if problem:
            raise DataError(place_of(dataset), problem, column=feature.name)
    weights = dataset.weights
    if weights is not None and not (np.isfinite(weights).all() and weights.min() > 0):
        problem = "a weight is not above 0: leave out its row, or correct it"
        raise DataError(place_of(dataset), problem)
    if dataset.costs is not None and len(dataset.labels) > 2:
        problem = (
            f"costs need exactly two classes, and there are {len(dataset.labels)}: remove them"
        )
        raise DataError(place_of(dataset), problem)


def _fault_of_column(column: np.ndarray, *, may_miss: bool) -> str:
    known = column[~np.isnan(column)]
    missing = len(column) - len(known)
    if missing and not may_miss:
        values = "value is" if missing == 1 else "values are"
        return f"{missing} {values} missing, which the column does not allow"
    if not len(known):
        return "all values are missing, so nothing can be learned from it: ignore the column"
    if np.abs(known).max() > LARGEST_VALUE:
        return f"a value is infinite, or its magnitude exceeds {LARGEST_VALUE:g}"
    if not missing and known.min() == known.max():
        return (
            f"all {len(column)} rows have the same value, so nothing can be learned from it: "
            "add rows with other values"
        )
    return ""


def check_classes(dataset: Dataset, folds: int) -> None:
    """Raise a DataError for a class with fewer rows than folds, or with too few groups.

    Notes
    -----
    Two rows are left to learn from, for the inner division has two parts at least.
    """
    needed = folds if folds > 2 else 4
    fewest = units_of_classes(dataset, np.ones(len(dataset), dtype=bool))
    if dataset.groups is not None:
        _check_groups(dataset, folds)
    if fewest.min() < needed:
        label = dataset.labels[fewest.argmin()]
        units = "row" if dataset.groups is None else "group"
        found = f"{_number(int(fewest.min()), units)}{' with rows' if units == 'group' else ''}"
        raise DataError(
            place_of(dataset),
            f"{found} of {label} ({dataset.target.name}); cross-validation needs at "
            f"least {needed} of each class: add rows of this class",
        )


def _check_groups(dataset: Dataset, folds: int) -> None:
    _, rows = np.unique(np.asarray(dataset.groups), return_counts=True)
    if len(rows) < folds:
        problem = f"{_number(len(rows), 'group')} of rows; cross-validation needs at least {folds}"
        raise DataError(place_of(dataset), problem)
    if 2 * rows.max() > len(dataset):
        raise DataError(
            place_of(dataset),
            f"one group has {rows.max()} of the {len(dataset)} rows; cross-validation needs groups "
            "of at most half of the rows",
        )


def check_training_sets(dataset: Dataset, training: Mask) -> None:
    """Raise a DataError where groups leave a fold without a class to learn from.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    training : Mask of shape (..., n)
        The rows that each fold learns from.
    """
    for index, label in enumerate(dataset.labels):
        if not training[..., dataset.classes == index].any(axis=-1).all():
            raise DataError(
                place_of(dataset),
                f"the training rows of a fold would have no {label} ({dataset.target.name}), whose "
                "rows are in too few groups: use fewer folds, or add rows of this class",
            )


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
