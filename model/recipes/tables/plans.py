"""Plans: how often a table is divided to judge a procedure, by its number of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from model.data import Dataset
from model.evaluation.validation import Mask, Rows, training_sets
from model.schema.encoding import Encoding

FEWEST_FOLDS = 3
"""A class with fewer rows than the usual folds makes fewer of them, down to this number."""

HOLD_OUT_FOLDS = 5
"""The single inner division holds out one of these."""

FEW_ROWS_OF_A_CLASS = 500
"""With fewer, a single inner division would hold out too few of them to calibrate by."""

FEW_COLUMNS = 48
"""With fewer columns and classes, a row costs about the same."""

SIZES = (
    # rows, folds, repeats, inner folds: at each the fits take about as long in all.
    (500, 9, 5, 5),
    (1_000, 9, 3, 5),
    (2_000, 5, 3, 5),
    (5_000, 5, 2, 3),
    (20_000, 5, 1, 3),
    (100_000, 5, 1, 1),
    (math.inf, 3, 1, 1),
)


EFFORTS = {"quick": 0.5, "normal": 1.0, "thorough": 2.0}
"""How many passes and repeats there are, in proportion to the usual ones."""

NORMAL = "normal"


@dataclass(frozen=True)
class Choices:
    """What can be chosen when a table is fitted.

    Parameters
    ----------
    folds, repeats : int, optional
        Of the cross-validation that judges; by the number of rows where they are left out.
    effort : str
        One of `EFFORTS`.
    """

    folds: int | None = None
    repeats: int | None = None
    effort: str = NORMAL


USUAL = Choices()


@dataclass(frozen=True)
class Plan:
    """How often a table is divided.

    Parameters
    ----------
    folds, repeats : int
        Of the outer cross-validation, which judges.
    inner_folds : int
        Of the inner one, which weighs and calibrates; 1 for a single inner division.
    effort : str
        One of `EFFORTS`.
    """

    folds: int
    repeats: int
    inner_folds: int
    effort: str = NORMAL

    @property
    def protocol(self) -> str:
        """The plan in words."""
        times = "once" if self.repeats == 1 else f"{self.repeats} times"
        inner = (
            f"calibrated on one of {HOLD_OUT_FOLDS} parts of the training rows"
            if self.inner_folds == 1
            else f"calibrated by {self.inner_folds}-fold cross-validation of the training rows"
        )
        return f"stratified {self.folds}-fold cross-validation, {times}; {inner}"


def plan_for(dataset: Dataset, choices: Choices) -> Plan:
    """Return the plan for a data set, as chosen or by its size."""
    folds = choices.folds
    size = next(size for size in SIZES if _size(dataset) <= size[0])
    if folds is not None and folds < 2:
        raise ValueError("a cross-validation has at least two folds")
    _, usual_folds, usual_repeats, inner_folds = size
    fewest = int(units_of_classes(dataset, np.ones(len(dataset), dtype=bool)).min())
    if inner_folds == 1 and fewest < FEW_ROWS_OF_A_CLASS:
        inner_folds = FEWEST_FOLDS
    usual_repeats = max(1, round(usual_repeats * EFFORTS[choices.effort]))
    return Plan(
        folds or max(FEWEST_FOLDS, min(usual_folds, fewest)),
        choices.repeats or usual_repeats,
        inner_folds,
        choices.effort,
    )


def _size(dataset: Dataset) -> float:
    """Return the number of rows, or how many with few columns and classes would cost as much."""
    columns = len(Encoding.for_table(dataset.features))
    return len(dataset) * max(1.0, (columns + 2 * len(dataset.labels)) / FEW_COLUMNS)


def units_of_classes(dataset: Dataset, within: Mask) -> Rows:
    """Return how many rows of each class there are, or how many groups that have such rows."""
    classes = dataset.classes[within]
    if dataset.groups is not None:
        pairs = np.unique(np.stack([classes, dataset.groups[within]]), axis=1)
        classes = pairs[0].astype(np.intp)
    return np.bincount(classes, minlength=len(dataset.labels))


def inner_sets(dataset: Dataset, within: Mask, folds: int, random_state: int) -> Mask:
    """Return the training rows of the inner division of some rows, of shape (folds, n).

    Notes
    -----
    A class with fewer rows than folds makes fewer of them, down to two.
    """
    fewest = int(units_of_classes(dataset, within).min())
    parts = max(2, min(HOLD_OUT_FOLDS if folds == 1 else folds, fewest))
    sets = training_sets(dataset.classes, within, parts, random_state, dataset.groups)
    return sets[:1] if folds == 1 else sets
