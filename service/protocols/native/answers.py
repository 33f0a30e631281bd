"""Answers: from probabilities to the bytes that are sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.schema.classes import probability_names
from service.faults import unseen_warning

Warnings: TypeAlias = list[dict[str, Any]]

Rows: TypeAlias = list[dict[str, Any]]

NONE: Warnings = []

encode = msgspec.json.Encoder().encode


class OfTwo(msgspec.Struct, gc=False):
    """A row of a batch, where there are two classes."""

    probability: float
    predicted_class: int
    label: str
    warnings: Warnings


class OfMore(msgspec.Struct, gc=False):
    """A row of a batch, where there are more."""

    probabilities: dict[str, float]
    predicted_class: int
    label: str
    warnings: Warnings


class Answers:
    """Writes what a model answers.

    Parameters
    ----------
    artifact : Artifact
        The model.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._labels = labels = artifact.labels
        self._is_binary = artifact.threshold is not None
        self._rules = artifact.features.rules
        self._unseen = [unseen_warning(feature) for feature in artifact.features]
        self._row = OfTwo if self._is_binary else OfMore
        self._columns = [*probability_names(labels), "predicted_class", "label"]
        self._model = model = _context(artifact)
        self._head = b'{"probability":' if self._is_binary else b'{"probabilities":'
        # All that one answer says between its probability and its warnings.
        self._middles = [
            b"," + encode({"predicted_class": number, "label": label, **model})[1:-1]
            for number, label in enumerate(labels)
        ]

    def record(self, row: Sequence[float], probability: float | list[float], number: int) -> bytes:
        """Answer a record.

        Parameters
        ----------
        row : sequence of n_features numbers
            The record's values.
        probability : float or list of float
            Of the positive class, or of each.
        number : int
            The predicted class.
        """
        told = self._by_label(probability) if isinstance(probability, list) else probability
        warnings = [self._unseen[column] for column in self._rules.unseen_in(row)]
        middle = self._middles[number]
        return b'%b%b%b,"warnings":%b}' % (self._head, encode(told), middle, encode(warnings))

    def batch(self, X: Array, probabilities: Array, classes: NDArray[np.intp]) -> bytes:
        """Answer the records whose values are the rows of X."""
        told: list[Any] = probabilities.tolist()
        if not self._is_binary:
            told = list(map(self._by_label, told))
        warnings = [NONE] * len(X)
        for row, found in self._warnings(X).items():
            warnings[row] = found
        numbers, labels = classes.tolist(), self._labels_of(classes)
        rows = list(map(self._row, told, numbers, labels, warnings))
        return encode({"predictions": rows, **self._model})

    def rows(self, X: Array, probabilities: Array, classes: NDArray[np.intp]) -> Rows:
        """Return what `record` tells of each row of X."""
        told: list[Any] = probabilities.tolist()
        key = "probability" if self._is_binary else "probabilities"
        if not self._is_binary:
            told = list(map(self._by_label, told))
        warnings = self._warnings(X)
        return [
            {
                key: probability,
                "predicted_class": number,
                "label": label,
                **self._model,
                "warnings": warnings.get(row, NONE),
            }
            for row, (probability, number, label) in enumerate(
                zip(told, classes.tolist(), self._labels_of(classes), strict=True)
            )
        ]

    def table(self, X: Array, probabilities: Array, classes: NDArray[np.intp]) -> bytes:
        """Answer the rows of a table in a table."""
        told = [probabilities] if self._is_binary else probabilities.T
        columns = [column.tolist() for column in (*told, classes)]
        rows = list(zip(*columns, self._labels_of(classes), strict=True))
        warnings = [
            {**warning, "loc": ["body", "data", row, warning["loc"][-1]]}
            for row, found in self._warnings(X).items()
            for warning in found
        ]
        table = {"columns": self._columns, "data": rows, "warnings": warnings}
        return encode({**table, **self._model})

    def _by_label(self, probabilities: list[float]) -> dict[str, float]:
        return dict(zip(self._labels, probabilities, strict=True))

    def _labels_of(self, classes: NDArray[np.intp]) -> list[str]:
        labels: list[str] = np.array(self._labels, object)[classes].tolist()
        return labels

    def _warnings(self, X: Array) -> dict[int, Warnings]:
        """Return the warnings of each row that has any."""
        found: dict[int, Warnings] = defaultdict(list)
        unseen = self._rules.unseen(X)
        if unseen.any():
            for row, column in np.argwhere(unseen).tolist():
                found[row].append(self._unseen[column])
        return found


def _context(artifact: Artifact) -> dict[str, Any]:
    """Return what every answer says of the model that made it."""
    version = {"model_version": artifact.version}
    if artifact.threshold is None:
        return version
    return {"threshold": artifact.threshold, **version}
