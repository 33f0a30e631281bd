"""What is counted of warnings: the values that training has not seen, by their fields."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from model.schema.features import FeatureSet
from service.faults import WARNING_TYPES, warning_type
from service.observability.metrics.registry import Registry


def cells_of_warnings(features: FeatureSet) -> int:
    """Return how many numbers these are."""
    return len(features) * len(WARNING_TYPES)


class WarningMeter:
    """Counts the warnings of answers; its caller holds a lock.

    Parameters
    ----------
    registry : Registry
        Where the numbers go.
    features : FeatureSet
        The fields of a record.
    """

    def __init__(self, registry: Registry, features: FeatureSet) -> None:
        kinds = [(feature.name, warning_type(feature)) for feature in features]
        places = registry.counter(
            "heartline_warnings_total",
            "Warnings in answers, by field and kind.",
            {"field": features.names, "kind": WARNING_TYPES},
            {kinds[column] for column in features.rules.unseen_columns},
        ).places
        self._places = [places[kind] for kind in kinds]
        self._cells = registry.cells

    def count_row(self, columns: Iterable[int]) -> None:
        """Count the warnings of a row: one for each of the columns."""
        for column in columns:
            self._cells[self._places[column]] += 1

    def count_rows(self, unseen: NDArray[np.bool_]) -> None:
        """Count those of rows, from an array of shape (n, n_features)."""
        if unseen.any():  # a look takes 3 us for 10,000 rows, counting 200
            counts = np.count_nonzero(unseen, axis=0)
            for column in np.flatnonzero(counts).tolist():
                self._cells[self._places[column]] += int(counts[column])
