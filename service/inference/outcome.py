"""The outcome: what the model says of valid rows, before any contract gives it a form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.arrays import Array
from model.inference.predictor import Predictor
from model.schema.classes import predicted_class, predicted_classes

NONE: list[int] = []
"""The columns of a row in which nothing is missing; never changed."""


class Outcome(NamedTuple):
    """What the model says of n rows.

    Parameters
    ----------
    probabilities : Array of shape (n,) or (n, n_classes)
        Of the positive class; with more than two classes, of each.
    classes : NDArray of intp, of shape (n,)
        Number of the predicted class.
    unseen : NDArray of bool, of shape (n, n_features)
        Which values training has not seen.
    missing : NDArray of bool, of shape (n, n_features)
        Which values are missing.
    version : str
        That of the model.
    """

    probabilities: Array
    classes: NDArray[np.intp]
    unseen: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    version: str


class RowOutcome(NamedTuple):
    """What the model says of one row: the same in plain numbers.

    Parameters
    ----------
    probability : float or list of float
        Of the positive class, or of each.
    number : int
        That of the predicted class.
    unseen : list of int
        The columns whose values training has not seen.
    missing : list of int
        The columns whose values are missing.
    version : str
        That of the model.
    """

    probability: float | list[float]
    number: int
    unseen: list[int]
    missing: list[int]
    version: str


class Outcomes:
    """Makes outcomes.

    Parameters
    ----------
    predictor : Predictor
        The model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._threshold = predictor.threshold
        self._rules = predictor.features.rules
        self._version = predictor.version

    def of_row(self, row: Sequence[float]) -> RowOutcome:
        """Return the outcome of a row of valid values."""
        probability = self._predictor.predict_row(row)
        number = predicted_class(probability, self._threshold)
        unseen = self._rules.unseen_in(row)
        missing = self._rules.missing_in(row) if self._rules.optional else NONE
        return RowOutcome(probability, number, unseen, missing, self._version)

    def of_rows(self, X: Array) -> Outcome:
        """Return the outcome of valid values, of shape (n, n_features)."""
        probabilities = self._predictor.predict_proba(X)
        classes = predicted_classes(probabilities, self._threshold)
        unseen, missing = self._rules.unseen(X), self._rules.missing(X)
        return Outcome(probabilities, classes, unseen, missing, self._version)
