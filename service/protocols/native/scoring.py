"""Scoring: the bytes of a request in, the bytes of the answer out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.arrays import Array
from model.inference.predictor import Predictor
from model.schema.classes import predicted_class, predicted_classes
from service.observability.metrics.predicted_rows import PredictionMeter
from service.protocols.native.answers import Answers
from service.wire.batch_validation import BatchValidator
from service.wire.decoding import Decoder
from service.wire.record_reader import RecordReader
from service.wire.steps import Steps, finish
from service.wire.validation import Validator

Classes: TypeAlias = NDArray[np.intp]

SHORT_BYTES = 2**19
"""A plain batch of no more is answered in one step: all of it takes about as long as one step of a
longer one, and each turn of the event loop costs."""


class Scored(NamedTuple):
    """What is counted of rows when their answers are sent."""

    probabilities: Array
    classes: Classes


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
    slow; `predict` and `batch` take the first that can.
    """

    def __init__(self, predictor: Predictor, max_rows: int) -> None:
        artifact = predictor.artifact
        self.predictor = predictor
        self._threshold = artifact.threshold
        self._meter: PredictionMeter | None = None
        self.reader = RecordReader(artifact.features)
        self.decoder = Decoder(artifact.features, max_rows)
        self.validator = Validator(artifact.features)
        self.batch_validator = BatchValidator(artifact.features, max_rows)
        self._answers = Answers(artifact)

    def counting(self, meter: PredictionMeter | None) -> Scorer:
        """Return the same with a meter that counts the answers and the refusals, or without."""
        scorer = copy(self)
        scorer._meter = meter
        scorer.batch_validator = self.batch_validator.counting(meter)
        return scorer

    def predict(self, body: bytes) -> bytes:
        """Answer one record.

        Raises
        ------
        InvalidInput
            With every fault of the record.
        """
        answer = self.predict_valid(body)
        if answer is None:
            refusal = self.validator.refusal(body)
            self.count_faults(refusal.faults)
            raise refusal
        return answer

    def predict_valid(self, body: bytes) -> bytes | None:
        """Answer one record; None where a fault has to be looked for."""
        row = self.reader.record(body)
        return None if row is None else self._predicted_row(row)

    def predict_batch(self, body: bytes) -> bytes:
        """Answer a batch of records or a table, each row as if it had come alone.

        Raises
        ------
        InvalidInput
            With every fault of the first bad records.
        ContentTooLarge
            When there are more than `max_rows`, or far more values than they can have.
        """
        return finish(self.batch(body))

    def predict_other_batch(self, body: bytes) -> bytes:
        """Do what `predict_batch` does, without a try whether the body is plainly good."""
        return finish(self._other_batch(body))

    def batch(self, body: bytes) -> Steps[bytes]:
        """Do what `predict_batch` does, in steps of a few milliseconds."""
        is_short = len(body) <= SHORT_BYTES
        X, is_table = self.decoder.batch(body), False
        if X is None:
            if not is_short:
                yield
            X, is_table = self.decoder.table(body), True
        if X is None:
            yield
            return (yield from self._other_batch(body))
        if is_short:
            return finish(self._answered(X, is_table=is_table))
        yield
        return (yield from self._answered(X, is_table=is_table))

    def _other_batch(self, body: bytes) -> Steps[bytes]:
        X, is_table = yield from self.batch_validator.valid(body)
        yield
        return (yield from self._answered(X, is_table=is_table))

    def _answered(self, X: Array, *, is_table: bool) -> Steps[bytes]:
        scored = self._scored(X)
        yield
        write = self._answers.table if is_table else self._answers.batch
        answer = write(X, *scored)
        self.count(scored)
        return answer

    def rows(self, X: Array) -> tuple[list[dict[str, Any]], Scored]:
        """Answer rows of valid values, of shape (n, n_features), without counting them."""
        scored = self._scored(X)
        return self._answers.rows(X, *scored), scored

    def count(self, scored: Scored) -> None:
        """Count rows whose answers are about to be sent."""
        if self._meter:
            self._meter.predicted(*scored)

    def count_faults(self, faults: Iterable[Mapping[str, Any]]) -> None:
        """Count faults that are about to be sent."""
        if self._meter:
            self._meter.refused(faults)

    def _predicted_row(self, row: Sequence[float]) -> bytes:
        probability = self.predictor.predict_row(row)
        number = predicted_class(probability, self._threshold)
        answer = self._answers.record(row, probability, number)
        if self._meter:
            self._meter.predicted_row(probability, number)
        return answer

    def _scored(self, X: Array) -> Scored:
        probabilities = self.predictor.predict_proba(X)
        return Scored(probabilities, predicted_classes(probabilities, self._threshold))
