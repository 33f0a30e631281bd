"""What is counted of warnings: unseen and missing values, by their fields."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from model.schema.features import FeatureSet
from service.faults import WARNING_TYPES, WarningType, warning_type
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
        missing: list[tuple[str, WarningType]] = [
            (name, "missing_value") for name in features.names
        ]
        rules = features.rules
        places = registry.counter(
            "heartline_warnings_total",
            "Warnings in responses, by field and kind.",
            {"field": features.names, "kind": WARNING_TYPES},
            {kinds[column] for column in rules.unseen_columns}
            | {missing[column] for column in rules.optional},
        ).places
        self._unseen = [places[kind] for kind in kinds]
        self._missing = [places[kind] for kind in missing]
        self._cells = registry.cells

    def count_row(self, unseen: Iterable[int], missing: Iterable[int]) -> None:
        """Count the warnings of a row: one for each of the columns."""
        for column in unseen:
            self._cells[self._unseen[column]] += 1
        for column in missing:
            self._cells[self._missing[column]] += 1

    def count_rows(self, unseen: NDArray[np.bool_], missing: NDArray[np.bool_]) -> None:
        """Count those of rows, from arrays of shape (n, n_features)."""
        for flags, places in ((unseen, self._unseen), (missing, self._missing)):
            if flags.any():  # a look takes 3 us for 10,000 rows, counting 200
                counts = np.count_nonzero(flags, axis=0)
                for column in np.flatnonzero(counts).tolist():
                    self._cells[places[column]] += int(counts[column])
