"""Validation: which rows a fit may see, and which it is judged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from model.arrays import Array
from model.inference.pipeline import Pipeline

Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.intp]
Parts: TypeAlias = dict[str, Rows]
"""The rows of each part by its name, in the order that a fit takes them; the first is fitted on."""


def all_rows(rows: int, random_state: int) -> Parts:  # noqa: ARG001  # nothing is drawn
    """Hold nothing out."""
    return {"train": np.arange(rows)}


def hold_out(test_size: float, split_seed: int, rows: int, random_state: int) -> Parts:  # noqa: ARG001
    """Hold out a share of the rows, the same ones for every seed of the fit."""
    train, test = train_test_split(np.arange(rows), test_size=test_size, random_state=split_seed)
    return {"train": train, "test": test}


def hold_out_twice(test_size: float, validation_size: float, rows: int, random_state: int) -> Parts:
    """Hold out a share of the rows for testing, and a share of the others for validation."""
    rest, test = train_test_split(np.arange(rows), test_size=test_size, random_state=random_state)
    train, validation = train_test_split(rest, test_size=validation_size, random_state=random_state)
    return {"train": train, "validation": validation, "test": test}


def training_sets(
    classes: Rows,
    within: Mask,
    folds: int,
    random_state: int,
    groups: NDArray[np.int64] | None = None,
) -> Mask:
    """Return the rows that each fold of a stratified cross-validation is fitted on.

    Parameters
    ----------
    classes : Rows of shape (n,)
        The class of each row.
    within : Mask of shape (n,)
        The rows that are divided; no other is in any fold.
    folds : int
        Number of parts, each with its share of all classes.
    random_state : int
        Seed of the division.
    groups : NDArray of int, of shape (n,), optional
        Rows with the same number are in the same part.

    Returns
    -------
    Mask of shape (folds, n)
        Fold k is held out of row k: `within & ~training_sets(...)[k]`.
    """
    rows = np.flatnonzero(within)
    masks = np.zeros((folds, len(classes)), dtype=bool)
    whole = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = whole(folds, shuffle=True, random_state=random_state)
    parts = splitter.split(rows, classes[rows], None if groups is None else groups[rows])
    for mask, (training, _) in zip(masks, parts, strict=True):
        mask[rows[training]] = True
    return masks


def repeated_training_sets(
    classes: Rows,
    folds: int,
    repeats: int,
    random_state: int,
    groups: NDArray[np.int64] | None = None,
) -> Mask:
    """Return the training rows of a repeated cross-validation, of shape (repeats, folds, n)."""
    everything = np.ones(len(classes), dtype=bool)
    seeds = range(random_state, random_state + repeats)
    return np.array([training_sets(classes, everything, folds, seed, groups) for seed in seeds])


def held_out(training: Mask, within: Mask, predictions: Array) -> Array:
    """Return for each row the prediction of the one fit that has not seen it.

    Parameters
    ----------
    training : Mask of shape (folds, n)
        What `training_sets` returned for `within`.
    within : Mask of shape (n,)
        The rows that were divided.
    predictions : Array of shape (folds, n, ...)
        Of each fit for every row.

    Returns
    -------
    Array of shape (n, ...)
        0 for the rows that were not divided.
    """
    fold_of = (within & ~training).argmax(axis=0)
    chosen = predictions[fold_of, np.arange(len(within))]
    return np.where(within.reshape(-1, *[1] * (chosen.ndim - 1)), chosen, 0.0)


@dataclass(frozen=True, eq=False)
class Repeat:
    """One cross-validation: the pipelines of its folds.

    Parameters
    ----------
    training : Mask of shape (folds, n)
        The rows that each fold may learn from.
    pipelines : sequence of Pipeline
        What each fold learned.
    """

    training: Mask
    pipelines: Sequence[Pipeline]

    def held_out(self, X: Array) -> Array:
        """Return each row's probabilities by the pipeline of the fold that held it out.

        Parameters
        ----------
        X : Array of shape (n, n_features)
            All rows.

        Returns
        -------
        Array of shape (n,) or (n, n_classes)
            See `model.schema.classes.class_probabilities`.
        """
        parts = [np.flatnonzero(~mask) for mask in self.training]
        found = [
            pipeline.class_probabilities(X[rows])
            for rows, pipeline in zip(parts, self.pipelines, strict=True)
        ]
        probabilities = np.empty((len(X), *found[0].shape[1:]))
        for rows, of_rows in zip(parts, found, strict=True):
            probabilities[rows] = of_rows
        return probabilities


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """A repeated cross-validation, and what it says of each row.

    Parameters
    ----------
    repeats : sequence of Repeat
        One cross-validation each.
    probabilities : Array of shape (repeats, n) or (repeats, n, n_classes)
        Of rows by pipelines that have not seen them.
    """

    repeats: Sequence[Repeat]
    probabilities: Array


def cross_validate(
    X: Array, training: Mask, fit_folds: Callable[[Mask], Sequence[Pipeline]]
) -> CrossValidation:
    """Fit on every fold of every repeat, and predict the rows that each has not seen.

    Parameters
    ----------
    X : Array of shape (n, n_features)
        All rows.
    training : Mask of shape (repeats, folds, n)
        The rows of each fit.
    fit_folds : callable
        Takes the rows of the folds of a repeat, of shape (folds, n); returns their pipelines.
    """
    repeats = [Repeat(folds, fit_folds(folds)) for folds in training]
    return CrossValidation(repeats, np.array([repeat.held_out(X) for repeat in repeats]))
