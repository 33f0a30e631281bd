"""Metrics: probabilities and decisions compared with what was the case."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from model.arrays import Array

FALSE_NEGATIVE_COST = 5.0
FALSE_POSITIVE_COST = 1.0
COST_THRESHOLD = FALSE_POSITIVE_COST / (FALSE_POSITIVE_COST + FALSE_NEGATIVE_COST)
"""To call it presence above 1/6 minimises the expected cost under the data set's cost matrix."""


def accuracy(y: Array, probabilities: Array, threshold: float = 0.5) -> float:
    """Return the share of rows whose class is predicted rightly.

    Parameters
    ----------
    y : Array of shape (n,)
        Labels, 0 or 1.
    probabilities : Array of shape (n,)
        Of the positive class.
    threshold : float
        The positive class is predicted above it.
    """
    return float(np.mean((probabilities > threshold) == (y == 1)))


def cost(y: Array, probabilities: Array) -> float:
    """Return the misclassification cost per patient at the threshold that minimises it.

    Notes
    -----
    The matrix of the Statlog data set: to call a sick patient healthy costs 5, to call a healthy
    one sick costs 1.
    """
    called: NDArray[np.bool_] = probabilities > COST_THRESHOLD
    costs = np.where(y == 1, FALSE_NEGATIVE_COST * ~called, FALSE_POSITIVE_COST * called)
    return float(np.mean(costs))


def binary_metrics(y: Array, probabilities: Array) -> dict[str, float]:
    """Return every metric of a binary model by name; see `accuracy` for the parameters."""
    return {
        "accuracy": accuracy(y, probabilities),
        "cost": cost(y, probabilities),
        "roc_auc": float(roc_auc_score(y, probabilities)),
        "brier": float(brier_score_loss(y, probabilities)),
        "log_loss": float(log_loss(y, probabilities)),
    }
