"""Figures by name, and their series over the repetitions of a measurement."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

Figures = dict[str, float]
Series = dict[str, list[float]]


def add(series: Series, figures: Figures) -> None:
    """Append each figure to those of its name."""
    for name, figure in figures.items():
        series.setdefault(name, []).append(figure)


def repeated(measure: Callable[[], Figures], repetitions: int) -> Series:
    """Return the figures of so many measurements."""
    series: Series = {}
    for _ in range(repetitions):
        add(series, measure())
    return series


def medians(series: Mapping[str, Sequence[float]]) -> Figures:
    """Return the median of each figure."""
    return {name: statistics.median(values) for name, values in series.items()}


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def in_turns(rounds: int, **runs: Callable[[], float]) -> Series:
    """Return the figures of some runs; in each round, every run has one turn."""
    series: Series = {}
    for _ in range(rounds):
        add(series, {name: run() for name, run in runs.items()})
    return series


def least(series: Mapping[str, Sequence[float]]) -> Figures:
    """Return the least of each figure: of times within a process, what others did not disturb."""
    return {name: min(values) for name, values in series.items()}
