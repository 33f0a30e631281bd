"""The registry: the families of the service, and the numbers of this worker."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from service.observability.metrics.families import Counter, Family, Histogram, Labels, LabelValue
from service.observability.metrics.slots import Slots, leave

F = TypeVar("F", bound=Family)


class Registry:
    """Gives each family its cells, in the order in which they are made.

    All workers make the same families in the same order, so that a cell means the same in every
    slot.

    Parameters
    ----------
    slots : Slots
        The memory; this worker claims one of them.

    Attributes
    ----------
    cells : memoryview of float
        The numbers of this worker.
    in_flight : memoryview of float
        One number: the requests that this worker is at.
    """

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.families: list[Family] = []
        self._row = slots.claim()
        self.cells = _numbers(self._row["cells"])
        self.in_flight = _numbers(self._row["in_flight"])

    def counter(
        self,
        name: str,
        documentation: str,
        labels: Labels,
        expected: Collection[tuple[LabelValue, ...]] | None = None,
    ) -> Counter:
        """Return a new counter; its labels have these values and no others."""
        return self._add(Counter(name, documentation, labels, self._free, expected))

    def histogram(
        self, name: str, documentation: str, labels: Labels, buckets: tuple[float, ...]
    ) -> Histogram:
        """Return a new histogram; its labels have these values and no others."""
        return self._add(Histogram(name, documentation, labels, self._free, buckets))

    def serves(self, name: str, version: str) -> None:
        """Say which model this worker holds."""
        self._row["model"] = f"{name} {version}".encode()

    def leave(self) -> None:
        """Give the slot back; the counts stay in it."""
        leave(self._row)

    @property
    def _free(self) -> int:
        return self.families[-1].end if self.families else 0

    def _add(self, family: F) -> F:
        if family.end > self.slots.cells:
            raise ValueError(f"{family.name} needs {family.end} cells; CELLS must be more")
        self.families.append(family)
        return family


def _numbers(field: NDArray[np.float64]) -> memoryview[float]:
    """Return a view that is five times as quick at single numbers as the array is."""
    return field.data.cast("B").cast("d")
