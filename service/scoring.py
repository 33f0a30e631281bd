"""Scoring: the bytes of a request in, the bytes of the answer out."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from model.arrays import Array
from model.features import Feature
from model.predictor import Predictor
from service.errors import ContentTooLarge, InvalidInput, RequestError
from service.faults import MAX_BAD_ROWS, fault, find_faults, limit_rows
from service.schemas import Batch, Record, batch_type, record_type

T = TypeVar("T")


class Scorer:
    """Validates requests against the features of a model and answers them.

    Parameters
    ----------
    predictor : Predictor
        The model.
    max_rows : int
        Most records in a batch.
    """

    def __init__(self, predictor: Predictor, max_rows: int) -> None:
        artifact = predictor.artifact
        self.predictor = predictor
        self._features = artifact.features
        self._labels = artifact.labels
        self._threshold = artifact.threshold
        self._model = {"threshold": artifact.threshold, "model_version": artifact.version}
        self._max_rows = max_rows
        self._warnings = [_unseen(feature) for feature in artifact.features]
        record = record_type(artifact.features)
        self._record: TypeAdapter[Record] = TypeAdapter(record)
        self._batch: TypeAdapter[Batch] = TypeAdapter(batch_type(record, max_rows))

    def predict(self, body: bytes) -> bytes:
        """Answer one record.

        Raises
        ------
        InvalidInput
            With every fault of the record.
        """
        record = self._validate(self._record, body)
        self._refuse_duplicates(body, records=1)
        (row,) = self._rows(self._features.matrix([record]))
        warnings = row.pop("warnings")
        return to_json({**row, **self._model, "warnings": warnings})

    def predict_batch(self, body: bytes) -> bytes:
        """Answer a batch of records, each as if it had come alone.

        Raises
        ------
        InvalidInput
            With every fault of the first bad records.
        ContentTooLarge
            When there are more than `max_rows`.
        """
        records = self._validate(self._batch, body)["instances"]
        self._refuse_duplicates(body, records=len(records), outer_keys=1)
        rows = self._rows(self._features.matrix(records))
        return to_json({"predictions": rows, **self._model})

    def _validate(self, adapter: TypeAdapter[T], body: bytes) -> T:
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            raise self._refusal(error, body) from None

    def _refuse_duplicates(self, body: bytes, *, records: int, outer_keys: int = 0) -> None:
        """Refuse a valid body in which a key stands twice; pydantic takes the last in silence.

        Every key of a valid body is known, and no name or value of it holds a colon: so there are
        as many colons as keys.
        """
        if body.count(b":") != records * len(self._features) + outer_keys:
            raise self._refusal(None, body)

    def _refusal(self, error: ValidationError | None, body: bytes) -> RequestError:
        if error is not None and error.errors()[0]["type"] == "too_long":
            return ContentTooLarge(f"A batch holds at most {self._max_rows} records; split it.")
        faults, bad_rows = limit_rows(find_faults(error, body, self._features))
        if bad_rows > MAX_BAD_ROWS:
            return InvalidInput(
                f"{bad_rows} records have faults; those of the first {MAX_BAD_ROWS} are listed.",
                faults,
            )
        return InvalidInput("Nothing was predicted; every fault is listed in errors.", faults)

    def _rows(self, X: Array) -> list[dict[str, Any]]:
        probabilities = self.predictor.predict_proba(X)
        classes = (probabilities > self._threshold).astype(int)
        rows: list[dict[str, Any]] = [
            {
                "probability": probability,
                "predicted_class": predicted,
                "label": self._labels[predicted],
                "warnings": [],
            }
            for probability, predicted in zip(probabilities.tolist(), classes.tolist(), strict=True)
        ]
        for row, column in np.argwhere(self._features.unseen(X)):
            rows[row]["warnings"].append(self._warnings[column])
        return rows


def _unseen(feature: Feature) -> dict[str, Any]:
    if feature.is_coded:
        return fault(
            (feature.name,), "No patient with this code was seen in training.", "unseen_code"
        )
    low, high = feature.observed
    unit = f" {feature.unit}" if feature.unit else ""
    return fault(
        (feature.name,),
        f"Outside of what was seen in training, {low:g} to {high:g}{unit}.",
        "outside_training_range",
    )
