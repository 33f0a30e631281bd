"""The learning curve: how good a procedure is with fewer training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from model.data import Dataset
from model.evaluation.metrics import metrics_for, value_of
from model.evaluation.validation import Mask, Repeat, Rows
from model.inference.pipeline import Pipeline

SHARES = (0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
"""Of the training rows of a fold."""


@dataclass(frozen=True)
class LearningPoint:
    """The log loss of a procedure with a number of training rows.

    Parameters
    ----------
    rows : int
        Mean number of training rows.
    held_out, training : float
        Log loss of held-out rows, and of the training rows.
    """

    rows: int
    held_out: float
    training: float


def learning_curve(
    dataset: Dataset,
    repeats: Sequence[Repeat],
    fit_folds: Callable[[Mask], list[Pipeline]],
    fewest_rows: int,
    random_state: int,
) -> list[LearningPoint]:
    """Fit on growing parts of the training rows of each fold.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    repeats : sequence of Repeat
        Their folds are used, and their pipelines where all training rows are used.
    fit_folds : callable
        Takes rows of shape (folds, n); returns a pipeline for each.
    fewest_rows : int
        A part with fewer rows of a class is left out.
    random_state : int
        Seed of the parts, which are stratified.
    """
    points = []
    for share in SHARES:
        if not all(_is_divisible(repeat.training, dataset.classes, share) for repeat in repeats):
            continue
        parts = [_part(repeat.training, dataset.classes, share, random_state) for repeat in repeats]
        if any(_fewest(part, dataset.classes) < fewest_rows for part in parts):
            continue
        fitted = [
            repeat if share == 1.0 else Repeat(repeat.training, fit_folds(part))
            for repeat, part in zip(repeats, parts, strict=True)
        ]
        points.append(_point(dataset, parts, fitted))
    return points


def _is_divisible(training: Mask, classes: Rows, share: float) -> bool:
    """Return whether a share, and the rest, can have rows of every class."""
    if share == 1.0:
        return True
    rows = training.sum(axis=1)
    fewest = np.minimum(np.floor(share * rows), rows - np.floor(share * rows))
    return bool(fewest.min() > classes.max() and _fewest(training, classes) > 1)


def _part(training: Mask, classes: Rows, share: float, random_state: int) -> Mask:
    """Return a share of the rows of each fold, of shape (folds, n)."""
    if share == 1.0:
        return training
    part = np.zeros_like(training)
    for mask, rows in zip(part, map(np.flatnonzero, training), strict=True):
        chosen, _ = train_test_split(
            rows, train_size=share, stratify=classes[rows], random_state=random_state
        )
        mask[chosen] = True
    return part


def _fewest(part: Mask, classes: Rows) -> int:
    """Return the number of rows of the rarest class in any fold."""
    return min(int(np.bincount(classes[rows]).min()) for rows in part)


def _point(dataset: Dataset, parts: Sequence[Mask], fitted: Sequence[Repeat]) -> LearningPoint:
    metric = metrics_for(len(dataset.labels))["log_loss"]
    X, classes = dataset.X, dataset.classes.astype(np.float64)
    held_out = [value_of(metric, classes, repeat.held_out(X)[np.newaxis]) for repeat in fitted]
    training = [
        value_of(metric, classes[rows], pipeline.class_probabilities(X[rows])[np.newaxis])
        for part, repeat in zip(parts, fitted, strict=True)
        for rows, pipeline in zip(part, repeat.pipelines, strict=True)
    ]
    rows = float(np.mean([part.sum(axis=1) for part in parts]))
    return LearningPoint(round(rows), float(np.mean(held_out)), float(np.mean(training)))
