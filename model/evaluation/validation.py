"""Validation: which rows a fit may see, and which it is judged on."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from model.arrays import Array

Mask = NDArray[np.bool_]


def training_sets(y: Array, within: Mask, folds: int, random_state: int) -> Mask:
    """Return the rows that each fold of a stratified cross-validation is fitted on.

    Parameters
    ----------
    y : Array of shape (n,)
        Labels, 0 or 1.
    within : Mask of shape (n,)
        The rows that are divided; no other is in any fold.
    folds : int
        Number of parts, each with its share of both classes.
    random_state : int
        Seed of the division.

    Returns
    -------
    Mask of shape (folds, n)
        Fold k is held out of row k: `within & ~training_sets(...)[k]`.
    """
    rows = np.flatnonzero(within)
    masks = np.zeros((folds, len(y)), dtype=bool)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=random_state)
    for mask, (training, _) in zip(masks, splitter.split(rows, y[rows]), strict=True):
        mask[rows[training]] = True
    return masks


def held_out(training: Mask, within: Mask, predictions: Array) -> Array:
    """Return for each row the prediction of the one fit that has not seen it.

    Parameters
    ----------
    training : Mask of shape (folds, n)
        What `training_sets` returned for `within`.
    within : Mask of shape (n,)
        The rows that were divided.
    predictions : Array of shape (folds, n)
        Of each fit for every row.

    Returns
    -------
    Array of shape (n,)
        0 for the rows that were not divided.
    """
    return np.asarray(np.where(within & ~training, predictions, 0.0).sum(axis=0))
