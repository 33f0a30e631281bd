"""Families of numbers: counters and histograms, each with its range of a slot's cells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, product
from typing import TypeAlias

import numpy as np
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from model.arrays import Array

LabelValue: TypeAlias = str | int
Labels: TypeAlias = Mapping[str, Sequence[LabelValue]]

MANY = 1000
"""A model of 2,000 features has 12,000 kinds of faults, most of which never occur."""


@dataclass(frozen=True)
class Family(ABC):
    """Numbers for every combination of label values.

    Parameters
    ----------
    name, documentation : str
        As Prometheus shows them.
    labels : dict
        Every value that a label will ever have, by the label's name.
    start : int
        The first of the family's cells.
    """

    name: str
    documentation: str
    labels: Labels
    start: int

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of cells for one combination."""

    @abstractmethod
    def metric(self, totals: Sequence[float]) -> Metric:
        """Return the family with its samples, from the sums of all cells."""

    @cached_property
    def places(self) -> dict[tuple[LabelValue, ...], int]:
        """The first cell of each combination."""
        combinations = product(*self.labels.values())
        return {values: self.start + self.width * i for i, values in enumerate(combinations)}

    @property
    def end(self) -> int:
        """The cell after the family's last."""
        return self.start + self.width * len(self.places)


@dataclass(frozen=True)
class Counter(Family):
    """Counts, a cell for each.

    Parameters
    ----------
    expected : collection of tuples, or None
        The combinations that can occur, all if None. Each is exposed from the start, unless there
        are very many; any other one once it has counted something.
    """

    expected: Collection[tuple[LabelValue, ...]] | None

    width = 1

    def metric(self, totals: Sequence[float]) -> Metric:
        metric = CounterMetricFamily(self.name, self.documentation, labels=list(self.labels))
        expected = self.places if self.expected is None else self.expected
        from_start = expected if len(expected) <= MANY else ()
        for values, place in self.places.items():
            if totals[place] or values in from_start:
                metric.add_metric([str(value) for value in values], totals[place])
        return metric


@dataclass(frozen=True)
class Histogram(Family):
    """Observations: how many in each bucket, how many above all of them, and the sum.

    Parameters
    ----------
    buckets : tuple of float
        The upper bounds, each of which belongs to its bucket.
    """

    buckets: tuple[float, ...]

    @property
    def width(self) -> int:
        return len(self.buckets) + 2

    def observer(self, cells: memoryview[float], place: int) -> Callable[[float], None]:
        """Return what adds an observation to the combination at a place.

        What is the same for all observations is looked up once: a request has two.
        """
        buckets, total = self.buckets, place + len(self.buckets) + 1

        def observe(value: float) -> None:
            cells[place + bisect_left(buckets, value)] += 1
            cells[total] += value

        return observe

    def observe_many(self, cells: memoryview[float], place: int, values: Array) -> None:
        """Add observations, an array of shape (n,), to the combination at a place."""
        buckets = np.searchsorted(self.buckets, values)
        for bucket, count in enumerate(np.bincount(buckets).tolist(), place):
            cells[bucket] += count
        cells[place + len(self.buckets) + 1] += float(values.sum())

    def metric(self, totals: Sequence[float]) -> Metric:
        metric = HistogramMetricFamily(self.name, self.documentation, labels=list(self.labels))
        bounds = [*map(str, self.buckets), "+Inf"]
        for values, place in self.places.items():
            *counts, total = totals[place : place + self.width]
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            metric.add_metric([str(value) for value in values], buckets, total)
        return metric
