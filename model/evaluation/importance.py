"""Permutation importance: how much worse held-out predictions are with a shuffled column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance

from model.arrays import Array
from model.data import Dataset
from model.evaluation.metrics import metrics_for, value_of
from model.evaluation.validation import Repeat, Rows

SHUFFLES = 5

FEWEST_ROWS = 200
SHUFFLED = 2**26
"""Rows times the square of the columns: with more, a part of the rows is shuffled."""


@dataclass(frozen=True)
class Importance:
    """The importance of a column.

    Parameters
    ----------
    feature : str
        Its name.
    value : float
        How much the log loss of held-out rows grows when the column is shuffled among the rows.
    spread : float
        Standard deviation between the shuffles.
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
        Of a cross-validation; nothing is fitted again. The first five are used, with one shuffle
        each; where there are fewer, each is used for several, five in all.
    random_state : int
        Seed of the shuffles of the first repeat; each further repeat has the next seed.

    Notes
    -----
    A column whose information is in another column as well has a low importance. Where columns and
    rows are many, a random part of the rows is shuffled and predicted: the time would grow with the
    square of the columns.

    References
    ----------
    Breiman, "Random forests", Machine Learning 45 (2001); Fisher, Rudin and Dominici, "All models
    are wrong, but many are useful", JMLR 20 (2019).
    """
    log_loss = metrics_for(len(dataset.labels))["log_loss"]

    def score(repeat: Repeat, X: Array, y: Array) -> float:
        """Return the negative log loss of the held-out rows: a score is better when greater."""
        return -value_of(log_loss, y, repeat.held_out(X)[np.newaxis])

    rows = _judged_rows(dataset, random_state)
    X, y = dataset.X[rows], dataset.classes[rows].astype(np.float64)
    judged = [Repeat(one.training[:, rows], one.pipelines) for one in repeats[:SHUFFLES]]
    shuffles = math.ceil(SHUFFLES / len(judged))
    growth = np.hstack(
        [
            # Frozen, because scikit-learn accepts estimators only; nothing is fitted.
            permutation_importance(
                FrozenEstimator(repeat), X, y, scoring=score, n_repeats=shuffles, random_state=seed
            ).importances
            for seed, repeat in enumerate(judged, start=random_state)
        ]
    )[:, :SHUFFLES]
    columns = zip(dataset.features.names, growth.mean(axis=1), growth.std(axis=1), strict=True)
    importances = [Importance(name, float(value), float(spread)) for name, value, spread in columns]
    return sorted(importances, key=lambda one: -one.value)


def _judged_rows(dataset: Dataset, random_state: int) -> Rows:
    rows = np.arange(len(dataset))
    most = max(FEWEST_ROWS, SHUFFLED // len(dataset.features) ** 2)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(random_state).choice(rows, most, replace=False))
