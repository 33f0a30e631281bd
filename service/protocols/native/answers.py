"""Answers: from probabilities to the bytes that are sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec
import numpy as np

from model.inference.predictor import Predictor
from model.schema.classes import probability_names
from service.faults import missing_warning, unseen_warning
from service.inference.outcome import Outcome, RowOutcome
from service.wire.ids import ID
from service.wire.record_reader import Id

Warnings: TypeAlias = list[dict[str, Any]]

Rows: TypeAlias = list[dict[str, Any]]

NONE: Warnings = []

encode = msgspec.json.Encoder().encode


class OfTwo(msgspec.Struct, gc=False):
    """A row of a batch, where there are two classes."""

    id: Id
    probability: float
    predicted_class: int
    label: str
    warnings: Warnings


class OfMore(msgspec.Struct, gc=False):
    """A row of a batch, where there are more."""

    id: Id
    probabilities: dict[str, float]
    predicted_class: int
    label: str
    warnings: Warnings


class OfOne(msgspec.Struct, gc=False):
    """The answer to a record: two classes have no `probabilities`, more have no `threshold`."""

    id: Id
    probability: float | msgspec.UnsetType
    probabilities: dict[str, float] | msgspec.UnsetType
    predicted_class: int
    label: str
    threshold: float | msgspec.UnsetType
    model_version: str
    warnings: Warnings


class Answers:
    """Writes what a model answers.

    Parameters
    ----------
    predictor : Predictor
        The model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._labels = labels = predictor.labels
        self._is_binary = predictor.threshold is not None
        self._unseen = [unseen_warning(feature) for feature in predictor.features]
        self._missing = [missing_warning(feature) for feature in predictor.features]
        self._row = OfTwo if self._is_binary else OfMore
        self._columns = [*probability_names(labels), "predicted_class", "label"]
        self._model = _context(predictor)

    def record(self, outcome: RowOutcome, own: Id | None) -> bytes:
        """Answer a record, with its id if it has one."""
        probability, number, unseen, missing, version = outcome
        warnings = [self._unseen[column] for column in unseen]
        if missing:
            warnings = self._in_order(unseen, missing)
        threshold = self._model.get("threshold", msgspec.UNSET)
        common = (number, self._labels[number], threshold, version, warnings)
        shown = own or msgspec.UNSET
        if isinstance(probability, list):
            return encode(OfOne(shown, msgspec.UNSET, self._by_label(probability), *common))
        return encode(OfOne(shown, probability, msgspec.UNSET, *common))

    def batch(self, outcome: Outcome, ids: Iterable[Id]) -> bytes:
        """Answer records, with the ids of those that have one."""
        warnings = [NONE] * len(outcome.classes)
        for row, found in self._warnings(outcome).items():
            warnings[row] = found
        numbers, labels = outcome.classes.tolist(), self._labels_of(outcome)
        rows = list(map(self._row, ids, self._probabilities(outcome), numbers, labels, warnings))
        return encode({"predictions": rows, **self._model})

    def rows(self, outcome: Outcome) -> Rows:
        """Return what `record` says of each row."""
        key = "probability" if self._is_binary else "probabilities"
        warnings = self._warnings(outcome)
        pairs = zip(self._probabilities(outcome), outcome.classes.tolist(), strict=True)
        return [
            {
                key: probability,
                "predicted_class": number,
                "label": self._labels[number],
                **self._model,
                "warnings": warnings.get(row, NONE),
            }
            for row, (probability, number) in enumerate(pairs)
        ]

    def table(self, outcome: Outcome, ids: Iterable[Id] | None) -> bytes:
        """Answer the rows of a table in a table, with a column of their ids if it has one."""
        shown = [outcome.probabilities] if self._is_binary else outcome.probabilities.T
        columns = [column.tolist() for column in (*shown, outcome.classes)]
        columns.append(self._labels_of(outcome))
        names = self._columns
        if ids is not None:
            columns, names = [ids, *columns], [ID, *names]
        rows = list(zip(*columns, strict=True))
        warnings = [
            {**warning, "loc": ["body", "data", row, warning["loc"][-1]]}
            for row, found in self._warnings(outcome).items()
            for warning in found
        ]
        table = {"columns": names, "data": rows, "warnings": warnings}
        return encode({**table, **self._model})

    def _probabilities(self, outcome: Outcome) -> list[Any]:
        """Return the probability of each row; with more than two classes, those by label."""
        shown: list[Any] = outcome.probabilities.tolist()
        return shown if self._is_binary else list(map(self._by_label, shown))

    def _by_label(self, probabilities: list[float]) -> dict[str, float]:
        return dict(zip(self._labels, probabilities, strict=True))

    def _labels_of(self, outcome: Outcome) -> list[str]:
        labels: list[str] = np.array(self._labels, object)[outcome.classes].tolist()
        return labels

    def _warnings(self, outcome: Outcome) -> dict[int, Warnings]:
        """Return the warnings of each row that has any."""
        found: dict[int, Warnings] = defaultdict(list)
        # A value that is missing is none that training has not seen.
        told = outcome.unseen | outcome.missing
        if told.any():
            is_missing = outcome.missing[told].tolist()
            for (row, column), missing in zip(np.argwhere(told).tolist(), is_missing, strict=True):
                found[row].append((self._missing if missing else self._unseen)[column])
        return found

    def _in_order(self, unseen: list[int], missing: list[int]) -> Warnings:
        """Return the warnings of a row in the order of the columns."""
        told = {column: self._unseen[column] for column in unseen}
        told |= {column: self._missing[column] for column in missing}
        return [told[column] for column in sorted(told)]


def _context(predictor: Predictor) -> dict[str, Any]:
    """Return what every answer says of the model that made it."""
    version = {"model_version": predictor.version}
    if predictor.threshold is None:
        return version
    return {"threshold": predictor.threshold, **version}
