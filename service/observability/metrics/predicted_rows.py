"""What is counted of predictions: rows by class, their probabilities, and what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.schema.features import FeatureSet
from service.faults import FAULT_TYPES, NAME_FAULTS, RECORD_FAULTS, FaultType
from service.observability.metrics.registry import Registry
from service.observability.metrics.slots import CELLS
from service.observability.metrics.unseen_values import WarningMeter, cells_of_warnings

WHOLE = "record"
"""Stands for a record, or a batch, as a whole."""

UNKNOWN = "unknown"
"""The label value for every name that is not a field: such a name is a text of the client."""

UNKNOWN_FIELD: tuple[str, FaultType] = (UNKNOWN, "unknown_field")

BATCH_ROWS = (1.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 1e5, 1e6)

TENTHS = tuple(tenth / 10 for tenth in range(1, 11))


def cells_of(artifact: Artifact) -> int:
    """Return how many numbers a worker counts in that serves a model."""
    faults = len(_fields(artifact)) * len(FAULT_TYPES)
    warnings = cells_of_warnings(artifact.features)
    of_classes = len(artifact.labels) * (1 + len(TENTHS) + 2)
    return CELLS + of_classes + faults + warnings + len(BATCH_ROWS) + 2


def _fields(artifact: Artifact) -> list[str]:
    # A feature may have the name that stands for a whole record, or for unknown names.
    return [*dict.fromkeys([*artifact.features.names, WHOLE, UNKNOWN])]


def _possible_faults(features: FeatureSet) -> set[tuple[str, FaultType]]:
    """Return the fields with the kinds of faults that each can have."""
    of_values = {(one.name, kind) for one in features for kind in one.rule.fault_kinds}
    of_names = set(product(features.names, NAME_FAULTS))
    return of_values | of_names | {(WHOLE, kind) for kind in RECORD_FAULTS} | {UNKNOWN_FIELD}


class PredictionMeter:
    """Counts what this worker predicts and what it refuses; from any thread.

    Parameters
    ----------
    registry : Registry
        Where the numbers go.
    artifact : Artifact
        The model; one that takes its place has the same fields and classes.
    """

    def __init__(self, registry: Registry, artifact: Artifact) -> None:
        rows = registry.counter(
            "heartline_rows_predicted_total",
            "Records predicted, by predicted class.",
            {"class": artifact.labels},
        )
        self._histogram = registry.histogram(
            "heartline_predicted_probability",
            "Predicted probability of a class; with two classes, of the positive one.",
            {"class": artifact.labels if artifact.threshold is None else artifact.labels[-1:]},
            TENTHS,
        )
        faults = registry.counter(
            "heartline_validation_faults_total",
            "Faults listed in error responses and reported rows, by field and kind.",
            {"field": _fields(artifact), "kind": FAULT_TYPES},
            _possible_faults(artifact.features),
        )
        self._warnings = WarningMeter(registry, artifact.features)
        batches = registry.histogram(
            "heartline_batch_rows", "Rows per answered batch or stream.", {}, BATCH_ROWS
        )
        self._rows = list(rows.places.values())
        self._probabilities = list(self._histogram.places.values())
        self._faults = faults.places
        self._fields = {
            name: feature.name for name, feature in artifact.features.by_accepted_name.items()
        }
        self._cells = registry.cells
        self._observers = [self._histogram.observer(self._cells, to) for to in self._probabilities]
        self._observe = self._observers[0]
        self._count_batch = batches.observer(self._cells, batches.places[()])
        self._lock = Lock()

    def predicted_row(
        self,
        probability: float | list[float],
        number: int,
        unseen: Sequence[int],
        missing: Sequence[int],
    ) -> None:
        """Count a row: its probability, or one for each class, its class and its warnings."""
        with self._lock:
            self._cells[self._rows[number]] += 1
            if isinstance(probability, list):
                for observe, value in zip(self._observers, probability, strict=True):
                    observe(value)
            else:
                self._observe(probability)
            if unseen or missing:
                self._warnings.count_row(unseen, missing)

    def predicted(
        self,
        probabilities: Array,
        classes: NDArray[np.intp],
        unseen: NDArray[np.bool_],
        missing: NDArray[np.bool_],
    ) -> None:
        """Count rows: their probabilities, classes and warnings."""
        counts = np.bincount(classes, minlength=len(self._rows)).tolist()
        columns = probabilities.T if probabilities.ndim > 1 else [probabilities]
        with self._lock:
            for place, count in zip(self._rows, counts, strict=True):
                self._cells[place] += count
            for place, column in zip(self._probabilities, columns, strict=True):
                self._histogram.observe_many(self._cells, place, column)
            self._warnings.count_rows(unseen, missing)

    def answered_batch(self, rows: int) -> None:
        """Count a batch or stream with its number of rows, including rows with faults."""
        with self._lock:
            self._count_batch(rows)

    def refused(self, faults: Iterable[Mapping[str, Any]]) -> None:
        """Count the faults of a body that is rejected."""
        with self._lock:
            for fault in faults:
                if fault["loc"][0] == "body":
                    self._cells[self._faults[self._field(fault), fault["type"]]] += 1

    def _field(self, fault: Mapping[str, Any]) -> str:
        if fault["type"] == "unknown_field":
            return UNKNOWN
        return self._fields.get(fault["loc"][-1], WHOLE)
