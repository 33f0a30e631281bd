"""The learning curve: how good a procedure is with fewer rows to learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from model.arrays import Array
from model.data import Dataset
from model.evaluation.metrics import metrics_for
from model.evaluation.validation import Mask, Repeat, Rows
from model.inference.pipeline import Pipeline

SHARES = (0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
"""Of the training rows of a fold."""


@dataclass(frozen=True)
class LearningPoint:
    """How good a procedure is with so many rows.

    Parameters
    ----------
    rows : int
        Mean number of training rows.
    held_out, training : float
        Log loss of the rows that the fits have not seen, and of those that they have.
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
        Their folds are taken, and their pipelines for the whole of the training rows.
    fit_folds : callable
        Takes rows of shape (folds, n); returns a pipeline for each.
    fewest_rows : int
        A part with fewer rows of a class is left out.
    random_state : int
        Seed of the parts, which are stratified.
    """
    points = []
    for share in SHARES:
        parts, fitted = [], []
        for repeat in repeats:
            part = _part(repeat.training, dataset.classes, share, random_state)
            if _fewest(part, dataset.classes) < fewest_rows:
                break
            parts.append(part)
            pipelines = repeat.pipelines if share == 1.0 else fit_folds(part)
            fitted.append(Repeat(repeat.training, pipelines))
        else:
            points.append(_point(dataset, parts, fitted))
    return points


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
    losses = [_log_loss(dataset.classes, repeat.held_out(dataset.X)) for repeat in fitted]
    training = [
        _log_loss(dataset.classes[rows], pipeline.class_probabilities(dataset.X[rows]))
        for part, repeat in zip(parts, fitted, strict=True)
        for rows, pipeline in zip(part, repeat.pipelines, strict=True)
    ]
    rows = float(np.mean([part.sum(axis=1) for part in parts]))
    return LearningPoint(round(rows), float(np.mean(losses)), float(np.mean(training)))


def _log_loss(classes: Rows, probabilities: Array) -> float:
    of_class = probabilities.shape[1] if probabilities.ndim == 2 else 2
    metric = metrics_for(of_class)["log_loss"]
    once = np.ones((1, len(classes)))
    return float(metric(classes.astype(np.float64), probabilities[np.newaxis], once)[0])
