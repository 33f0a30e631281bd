"""Figures: the metrics of a data set and of its subgroups, each with its interval."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from model.arrays import Array
from model.data import Dataset
from model.evaluation.metrics import SUBGROUP_METRICS, metrics_for, metrics_with_intervals

Figures: TypeAlias = dict[str, dict[str, float]]


def dataset_metrics(dataset: Dataset, probabilities: Array, random_state: int) -> Figures:
    """Return the metrics of held-out probabilities of every row.

    Parameters
    ----------
    dataset : Dataset
        It has the true classes.
    probabilities : Array of shape (repeats, n) or (repeats, n, n_classes)
        Held-out probabilities, by repeat of the cross-validation.
    random_state : int
        Seed of the bootstrap.
    """
    metrics = metrics_for(len(dataset.labels), dataset.costs)
    y = dataset.classes.astype(np.float64)
    return metrics_with_intervals(metrics, y, probabilities, random_state, dataset.weights)


def subgroup_metrics(
    dataset: Dataset, probabilities: Array, random_state: int
) -> dict[str, dict[str, object]]:
    """Return for each subgroup its size, its rows of the last class, and some of the metrics.

    Notes
    -----
    A subgroup that lacks a class has no metrics.
    """
    figures = {}
    metrics = metrics_for(len(dataset.labels), dataset.costs)
    metrics = {name: metrics[name] for name in SUBGROUP_METRICS if name in metrics}
    for subgroup in dataset.subgroups:
        rows = dataset.rows_of(subgroup)
        weights = None if dataset.weights is None else dataset.weights[rows]
        y = dataset.classes[rows].astype(np.float64)
        positives = int((y == len(dataset.labels) - 1).sum())
        figures[subgroup.name] = {
            "rows": len(y),
            "positives": positives,
            "metrics": metrics_with_intervals(
                metrics, y, probabilities[:, rows], random_state, weights
            )
            if len(np.unique(y)) == len(dataset.labels)
            else {},
        }
    return figures
