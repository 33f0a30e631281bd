"""Validation: probabilities for rows that the model has not seen."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from model.arrays import Array
from model.pipeline import Pipeline

Fit: TypeAlias = Callable[[Array, Array], Pipeline]
"""Takes X of shape (n, n_features) and y of shape (n, 1), returns what was fitted on them."""


def cross_validate(fit: Fit, X: Array, y: Array, *, folds: int, random_state: int) -> Array:
    """Return the held-out probability of every row.

    Parameters
    ----------
    fit : callable
        Called once for each fold, with the rows of the others.
    X : Array of shape (n, n_features)
        All rows.
    y : Array of shape (n, 1)
        Labels, 0 or 1.
    folds : int
        Number of parts, each with its share of both classes.
    random_state : int
        Seed of the split.

    Returns
    -------
    Array of shape (n,)
    """
    held_out = np.empty(len(X))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=random_state)
    for training, validation in splitter.split(X, y[:, 0]):
        pipeline = fit(X[training], y[training])
        held_out[validation] = pipeline.predict_proba(X[validation])[:, 0]
    return held_out


def select(candidates: Sequence[Fit], X: Array, y: Array, *, folds: int, random_state: int) -> int:
    """Return the index of the candidate with the lowest log loss in cross-validation."""
    losses = [
        log_loss(y[:, 0], cross_validate(fit, X, y, folds=folds, random_state=random_state))
        for fit in candidates
    ]
    return int(np.argmin(losses))
