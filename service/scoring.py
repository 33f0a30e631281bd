"""Scoring: the bytes of a request in, the bytes of the answer out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, to_json

from model.arrays import Array
from model.artifact import Artifact
from model.classes import predicted_classes
from model.predictor import Predictor
from service.errors import ContentTooLarge, InvalidInput
from service.faults import FaultFinder, unseen_warning
from service.metrics.predictions import PredictionMeter
from service.schemas import Batch, Record, batch_type, record_type

T = TypeVar("T")

SPARE_MARKS = 1000
"""A batch may have twice as many brackets and commas as one of most records has, and so many more.
Each array costs pydantic 270 bytes, even where nothing asks for it: 8 MB of them a gigabyte."""


class Scorer:
    """Validates requests against the features of a model and answers them.

    Parameters
    ----------
    predictor : Predictor
        The model.
    max_rows : int
        Most records in a batch.
    meter : PredictionMeter, optional
        Counts the answers and the refusals.

    Notes
    -----
    pydantic checks the values; it passes over unknown fields and takes the last of repeated ones.
    But no known name and no valid value holds a colon: where every field is given, and there are
    as many colons as fields, no name stands there that does not belong, and none twice.
    """

    def __init__(
        self, predictor: Predictor, max_rows: int, meter: PredictionMeter | None = None
    ) -> None:
        artifact = predictor.artifact
        features = artifact.features
        record = record_type(features)
        self.predictor = predictor
        self._features = features
        self._labels = artifact.labels
        self._threshold = artifact.threshold
        self._model = _context(artifact)
        self._warnings = [unseen_warning(feature) for feature in features]
        self._max_rows = max_rows
        self._max_marks = SPARE_MARKS + 2 * max_rows * (1 + len(features))
        self._meter = meter
        self._record: TypeAdapter[Record] = TypeAdapter(record)
        self._record_faults = FaultFinder(features, is_batch=False)
        self._batch: TypeAdapter[Batch] = TypeAdapter(batch_type(record, max_rows))
        self._batch_faults = FaultFinder(features, is_batch=True)

    def predict(self, body: bytes) -> bytes:
        """Answer one record.

        Raises
        ------
        InvalidInput
            With every fault of the record.
        """
        record = self._validate(self._record, body, self._record_faults)
        (row,) = self._rows(self._matrix([record], body, self._record_faults))
        warnings = row.pop("warnings")
        return to_json({**row, **self._model, "warnings": warnings})

    def predict_batch(self, body: bytes) -> bytes:
        """Answer a batch of records, each as if it had come alone.

        Raises
        ------
        InvalidInput
            With every fault of the first bad records.
        ContentTooLarge
            When there are more than `max_rows`, or far more values than they can have.
        """
        if sum(map(body.count, (b"[", b"{", b","))) > self._max_marks:
            raise ContentTooLarge(
                f"There are more values in it than in {self._max_rows} records; split the batch."
            )
        records = self._validate(self._batch, body, self._batch_faults).get("instances")
        rows = self._rows(self._matrix(records, body, self._batch_faults))
        return to_json({"predictions": rows, **self._model})

    def _validate(self, adapter: TypeAdapter[T], body: bytes, faults: FaultFinder) -> T:
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
        if errors[0]["type"] == "too_long":
            raise ContentTooLarge(f"A batch holds at most {self._max_rows} records; split it.")
        raise self._refusal(faults, errors, body)

    def _matrix(self, records: Sequence[Record] | None, body: bytes, faults: FaultFinder) -> Array:
        """Return records as rows, if every name stands there once and no other does."""
        if records is not None:
            fields = faults.outer_names + len(records) * len(self._features)
            with suppress(KeyError):
                X = self._features.matrix(records)
                if body.count(b":") == fields:
                    return X
        raise self._refusal(faults, [], body)

    def _refusal(
        self, faults: FaultFinder, errors: Sequence[ErrorDetails], body: bytes
    ) -> InvalidInput:
        refusal = faults.refusal(errors, body)
        if self._meter:
            self._meter.refused(refusal.faults)
        return refusal

    def _rows(self, X: Array) -> list[dict[str, Any]]:
        """Return the answer to each row of X, of shape (n, n_features)."""
        probabilities = self.predictor.predict_proba(X)
        classes = predicted_classes(probabilities, self._threshold).tolist()
        told: list[Any] = probabilities.tolist()
        if self._meter:
            self._meter.predicted(told, classes)
        key = "probability"
        if self._threshold is None:
            told = [dict(zip(self._labels, row, strict=True)) for row in told]
            key = "probabilities"
        rows: list[dict[str, Any]] = [
            {
                key: probability,
                "predicted_class": predicted,
                "label": self._labels[predicted],
                "warnings": [],
            }
            for probability, predicted in zip(told, classes, strict=True)
        ]
        for row, column in np.argwhere(self._features.unseen(X)):
            rows[row]["warnings"].append(self._warnings[column])
        return rows


def _context(artifact: Artifact) -> dict[str, Any]:
    """Return what every answer says of the model that made it."""
    version = {"model_version": artifact.version}
    if artifact.threshold is None:
        return version
    reason = artifact.threshold_reason
    return {"threshold": artifact.threshold, "threshold_reason": reason, **version}
