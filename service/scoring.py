"""Scoring: the bytes of a request in, the bytes of the answer out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.arrays import Array
from model.classes import predicted_class, predicted_classes
from model.predictor import Predictor
from service.answers import Answers
from service.decoding import PlainDecoder
from service.metrics.predictions import PredictionMeter
from service.validation import Validator

Classes: TypeAlias = NDArray[np.intp]
T = TypeVar("T")


class Scorer:
    """Reads requests, predicts, and writes the answers.

    Parameters
    ----------
    predictor : Predictor
        The model.
    max_rows : int
        Most records in a batch.

    Notes
    -----
    What is plainly good is answered by one way, everything else by another that is ten times as
    slow; `predict` and `predict_batch` take the first that can.
    """

    def __init__(self, predictor: Predictor, max_rows: int) -> None:
        artifact = predictor.artifact
        self.predictor = predictor
        self._threshold = artifact.threshold
        self._meter: PredictionMeter | None = None
        self.decoder = PlainDecoder(artifact.features, max_rows)
        self.validator = Validator(artifact.features, max_rows)
        self._answers = Answers(artifact)

    def counting(self, meter: PredictionMeter) -> Scorer:
        """Return the same with a meter that counts the answers and the refusals."""
        scorer = copy(self)
        scorer._meter = meter
        scorer.validator = self.validator.counting(meter)
        return scorer

    def predict(self, body: bytes) -> bytes:
        """Answer one record.

        Raises
        ------
        InvalidInput
            With every fault of the record.
        """
        answer = self.predict_familiar(body)
        if answer is None:
            X = self.validator.record(body)
            answer = self._answers.record(*self._predicted_row(X[0].tolist()), X)
        return answer

    def predict_familiar(self, body: bytes) -> bytes | None:
        """Answer one record that is plainly good and needs no warning; None for any other."""
        row = self.decoder.familiar_record(body)
        return None if row is None else self._answers.record(*self._predicted_row(row))

    def predict_batch(self, body: bytes) -> bytes:
        """Answer a batch of records or a table, each row as if it had come alone.

        Raises
        ------
        InvalidInput
            With every fault of the first bad records.
        ContentTooLarge
            When there are more than `max_rows`, or far more values than they can have.
        """
        return self.predict_plain_batch(body) or self.predict_other_batch(body)

    def predict_plain_batch(self, body: bytes) -> bytes | None:
        """Answer a batch or table that is plainly good; None for any other."""
        X, write = self.decoder.batch(body), self._answers.batch
        if X is None:
            X, write = self.decoder.table(body), self._answers.table
        return None if X is None else self._predicted(X, write)

    def predict_other_batch(self, body: bytes) -> bytes:
        """Do what `predict_batch` does, for those that `predict_plain_batch` leaves."""
        if self.validator.is_table(body):
            return self._predicted(self.validator.table(body), self._answers.table)
        return self._predicted(self.validator.batch(body), self._answers.batch)

    def rows(self, X: Array) -> list[dict[str, Any]]:
        """Return what is told of each row of valid values, of shape (n, n_features)."""
        return self._predicted(X, self._answers.rows)

    def _predicted_row(self, row: Sequence[float]) -> tuple[float | list[float], int]:
        """Return the probability of the positive class, or of each, and the predicted class."""
        told = self.predictor.predict_row(row)
        number = predicted_class(told, self._threshold)
        if self._meter:
            self._meter.predicted_row(told, number)
        return told, number

    def _predicted(self, X: Array, write: Callable[[Array, Array, Classes], T]) -> T:
        probabilities = self.predictor.predict_proba(X)
        classes = predicted_classes(probabilities, self._threshold)
        if self._meter:
            self._meter.predicted(probabilities, classes)
        return write(X, probabilities, classes)
