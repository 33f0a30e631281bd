"""Answers: from probabilities to the bytes that are sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import msgspec
import numpy as np

from model.inference.predictor import Predictor
from model.schema.classes import probability_names
from service.faults import Faults, missing_warning, unseen_warning
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


class Rejected(msgspec.Struct, gc=False):
    """A row of a batch whose faults are reported in its place."""

    id: Id
    errors: Faults


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
        self._threshold = self._model.get("threshold", msgspec.UNSET)

    def record(self, outcome: RowOutcome, own: Id | None) -> bytes:
        """Answer a record, with its id if it has one."""
        probability, number, unseen, missing, version = outcome
        warnings = NONE
        if missing:
            warnings = self._in_order(unseen, missing)
        elif unseen:
            warnings = [self._unseen[column] for column in unseen]
        common = (number, self._labels[number], self._threshold, version, warnings)
        shown = own or msgspec.UNSET
        if isinstance(probability, list):
            return encode(OfOne(shown, msgspec.UNSET, self._by_label(probability), *common))
        return encode(OfOne(shown, probability, msgspec.UNSET, *common))

    def batch(self, outcome: Outcome, ids: Sequence[Id], faults: Mapping[int, Faults]) -> bytes:
        """Answer records, with the ids of those that have one.

        Parameters
        ----------
        outcome : Outcome
            That of the records without a fault.
        ids : sequence of Id
            Those of all records.
        faults : mapping of int to list
            What is reported in place of the others, by their numbers.
        """
        own = [ids[number] for number in _others(len(ids), faults)] if faults else ids
        predictions: list[object] = self._predictions(outcome, own)
        if faults:
            good = iter(predictions)
            predictions = [
                Rejected(ids[number], faults[number]) if number in faults else next(good)
                for number in range(len(ids))
            ]
        return encode({"predictions": predictions, **self._model})

    def _predictions(self, outcome: Outcome, ids: Iterable[Id]) -> list[object]:
        warnings = [NONE] * len(outcome.classes)
        for row, found in self._warnings(outcome).items():
            warnings[row] = found
        numbers, labels = outcome.classes.tolist(), self._labels_of(outcome)
        return list(map(self._row, ids, self._probabilities(outcome), numbers, labels, warnings))

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

    def table(
        self, outcome: Outcome, ids: Sequence[Id] | None, faults: Mapping[int, Faults] | None
    ) -> bytes:
        """Answer the rows of a table in a table, with a column of their ids if it has one.

        Parameters
        ----------
        outcome : Outcome
            That of the rows without a fault.
        ids : sequence of Id or None
            Those of all rows.
        faults : mapping of int to list, or None
            Those of the others, by their numbers; None where there is no list of them.
        """
        reported = faults or {}
        n_rows = len(outcome.classes) + len(reported)
        places = _others(n_rows, reported)
        rows = self._cells(outcome)
        if reported:
            good, empty = iter(rows), (None,) * len(self._columns)
            rows = [empty if number in reported else next(good) for number in range(n_rows)]
        names = self._columns
        if ids is not None:
            names = [ID, *names]
            rows = [(own or None, *row) for own, row in zip(ids, rows, strict=True)]
        table = {"columns": names, "data": rows, "warnings": self._of_table(outcome, places)}
        if faults is not None:
            table["errors"] = [*chain.from_iterable(faults.values())]
        return encode({**table, **self._model})

    def _cells(self, outcome: Outcome) -> list[tuple[object, ...]]:
        """Return the cells of rows without a fault."""
        shown = [outcome.probabilities] if self._is_binary else outcome.probabilities.T
        columns = [column.tolist() for column in (*shown, outcome.classes)]
        return list(zip(*columns, self._labels_of(outcome), strict=True))

    def _of_table(self, outcome: Outcome, places: Sequence[int]) -> Warnings:
        """Return the warnings of the rows of a table, with their row numbers."""
        return [
            {**warning, "loc": ["body", "data", places[row], warning["loc"][-1]]}
            for row, found in self._warnings(outcome).items()
            for warning in found
        ]

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
        flags = outcome.unseen | outcome.missing
        if flags.any():
            is_missing = outcome.missing[flags].tolist()
            for (row, column), missing in zip(np.argwhere(flags).tolist(), is_missing, strict=True):
                found[row].append((self._missing if missing else self._unseen)[column])
        return found

    def _in_order(self, unseen: list[int], missing: list[int]) -> Warnings:
        """Return the warnings of a row in the order of the columns."""
        found = {column: self._unseen[column] for column in unseen}
        found |= {column: self._missing[column] for column in missing}
        return [found[column] for column in sorted(found)]


def _others(n_rows: int, faults: Mapping[int, Faults]) -> Sequence[int]:
    """Return the numbers of the rows without a fault."""
    return [number for number in range(n_rows) if number not in faults] if faults else range(n_rows)


def _context(predictor: Predictor) -> dict[str, Any]:
    """Return what every answer says of the model that made it."""
    version = {"model_version": predictor.version}
    if predictor.threshold is None:
        return version
    return {"threshold": predictor.threshold, **version}
