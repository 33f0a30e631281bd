"""Permutation importance: how much worse held-out predictions get without a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.arrays import Array
from model.data import Dataset
from model.evaluation.metrics import Metric, metrics_for
from model.evaluation.validation import Repeat

REPEATS = 5


@dataclass(frozen=True)
class Importance:
    """What a column is worth.

    Parameters
    ----------
    feature : str
        Its name.
    value : float
        How much the log loss of held-out rows grows when the column is shuffled among the rows.
    spread : float
        Standard deviation between the repeats.
    """

    feature: str
    value: float
    spread: float


def permutation_importances(
    dataset: Dataset, repeats: Sequence[Repeat], random_state: int
) -> list[Importance]:
    """Return the importance of every column, the greatest first.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    repeats : sequence of Repeat
        Of a cross-validation, of which the first five are used; nothing is fitted anew.
    random_state : int
        Seed of the shuffling.

    Notes
    -----
    A column that tells what another tells as well loses little when it alone is shuffled.

    References
    ----------
    Breiman, "Random forests", Machine Learning 45 (2001); Fisher, Rudin and Dominici, "All models
    are wrong, but many are useful", JMLR 20 (2019).
    """
    metric = metrics_for(len(dataset.labels))["log_loss"]
    rng = np.random.default_rng(random_state)
    y, judged = dataset.classes.astype(np.float64), repeats[:REPEATS]
    whole = np.array([_value(metric, y, repeat.held_out(dataset.X)) for repeat in judged])
    importances = []
    for column, feature in enumerate(dataset.features):
        values = []
        for repeat in judged:
            X = dataset.X.copy()
            X[:, column] = rng.permutation(X[:, column])
            values.append(_value(metric, y, repeat.held_out(X)))
        growth = np.array(values) - whole
        importances.append(Importance(feature.name, float(growth.mean()), float(growth.std())))
    return sorted(importances, key=lambda one: -one.value)


def _value(metric: Metric, y: Array, probabilities: Array) -> float:
    return float(metric(y, probabilities[np.newaxis], np.ones((1, len(y))))[0])
