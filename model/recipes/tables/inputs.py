"""Inputs: what the networks of a table read, learned from the training rows of each set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sklearn.preprocessing import StandardScaler

from model.arrays import Array
from model.data import Dataset
from model.evaluation.validation import Rows
from model.recipes.design import Design
from model.schema.encoding import Encoding, Made

BLOCK = 2**17
"""Numbers that are encoded, summed or predicted at once."""

RAMPS = 8
"""Ramps of a measurement or a count, one between each two of its quantiles."""

MOST_RAMPS = 256
"""Ramps of all columns. Where there are many columns, each has fewer."""


@dataclass(frozen=True, eq=False)
class EncodedTable:
    """A table as all of its fits read it; none of them copies it.

    Parameters
    ----------
    encoding : Encoding
        Of its features, before anything is learned.
    columns : Array of shape (n, d)
        The encoded rows, neither clipped nor scaled, with NaN where a value is missing.
    is_ramped : NDArray of bool, of shape (d,)
        Which columns are measurements or counts.
    targets : Array of shape (n, n_outputs)
        What the outputs should be, as the loss takes them.
    weights : Array of shape (n,)
        How often each row counts, in any unit.
    """

    encoding: Encoding
    columns: Array
    is_ramped: np.ndarray[tuple[int], np.dtype[np.bool_]]
    targets: Array
    weights: Array

    @classmethod
    def of(cls, dataset: Dataset, design: Design) -> EncodedTable:
        """Encode the rows of a data set for a design."""
        X, encoding = dataset.X, design.encode(dataset.features)
        columns = np.empty((len(X), len(encoding)))
        for block in _blocks(len(columns), len(encoding)):
            columns[block] = encoding.transform(X[block])
        weights = np.ones(len(X)) if dataset.weights is None else dataset.weights
        is_coded = [bool(feature.codes) for feature in dataset.features]
        is_ramped = np.array(
            [made is None and not is_coded[source] for source, made in encoding.columns]
        )
        return cls(
            encoding,
            columns,
            is_ramped,
            design.loss.prepare(design.targets(dataset)),
            weights,
        )

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def inputs(self) -> int:
        """The number of inputs that networks have at most."""
        return len(self.encoding) + _ramps(self) * int(self.is_ramped.sum())

    @cached_property
    def has_missing(self) -> bool:
        """Whether a value is missing."""
        return any(np.isnan(self.columns[block]).any() for block in _blocks(*self.columns.shape))

    def counts(self, rows: Rows) -> Array:
        """Return how often each of some rows counts, once on average.

        Notes
        -----
        So a penalty means the same whatever the unit of the weights.
        """
        weights = self.weights[rows]
        return np.asarray(weights * (len(rows) / weights.sum()))


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of the networks of K sets of rows.

    Parameters
    ----------
    table : EncodedTable
        The rows.
    sources : Rows of shape (d,)
        The column of the table of each input. The first are all columns, clipped to the range of
        the training rows where they are ramped; the ramps follow.
    low, high : Array of shape (K, d)
        The ends at which each input is clipped; infinite where it is not.
    mean, scale : Array of shape (K, d)
        The standard scaler.

    Notes
    -----
    A ramp whose ends are equal is the same for all rows, and 0 when it is scaled.
    """

    table: EncodedTable
    sources: Rows
    low: Array
    high: Array
    mean: Array
    scale: Array

    @classmethod
    def learned(
        cls, table: EncodedTable, sets: Sequence[Rows], *, has_ramps: bool = True
    ) -> Inputs:
        """Learn the inputs of sets of training rows."""
        ramps = _ramps(table) if has_ramps else 0
        ramped = np.flatnonzero(table.is_ramped)
        sources = np.concatenate([np.arange(len(table.encoding)), np.repeat(ramped, ramps)])
        low, high = np.array([_ends(table, rows, ramps) for rows in sets]).swapaxes(0, 1)
        mean, scale = np.array(
            [
                _scaler(table, rows, sources, *ends)
                for rows, *ends in zip(sets, low, high, strict=True)
            ]
        ).swapaxes(0, 1)
        return cls(table, sources, low, high, mean, scale)

    @property
    def lines(self) -> int:
        """Number of the inputs that are no ramps between quantiles."""
        return len(self.table.encoding)

    def of_lines(self) -> Inputs:
        """Return the inputs without the ramps between quantiles."""
        return Inputs(
            self.table,
            self.sources[: self.lines],
            *(ends[:, : self.lines] for ends in (self.low, self.high, self.mean, self.scale)),
        )

    def of_set(self, index: int) -> Inputs:
        """Return the inputs of one set."""
        one = slice(index, index + 1)
        return replace(
            self,
            low=self.low[one],
            high=self.high[one],
            mean=self.mean[one],
            scale=self.scale[one],
        )

    def of_rows(self, rows: Rows) -> Array:
        """Return the inputs of some rows of each set, scaled, with a last column of 1.

        Parameters
        ----------
        rows : Rows of shape (K, n)
            The rows of each set.

        Returns
        -------
        Array of shape (K, n, d + 1)
        """
        inputs = np.ones((*rows.shape, len(self.sources) + 1))
        numbers = inputs[..., :-1]
        has_ramps = len(self.sources) > self.lines
        for taken, of_set in zip(rows, numbers, strict=True):
            columns = self.table.columns[taken]
            of_set[...] = columns[:, self.sources] if has_ramps else columns
        np.clip(numbers, self.low[:, np.newaxis], self.high[:, np.newaxis], out=numbers)
        numbers -= self.mean[:, np.newaxis]
        numbers /= self.scale[:, np.newaxis]
        if self.table.has_missing:
            np.nan_to_num(numbers, copy=False)  # 0 is the mean
        return inputs

    def blocks(self, rows: Rows) -> Iterator[slice]:
        """Yield slices of so many rows as are read at once."""
        return _blocks(len(rows), len(self.sources))

    def encoding(self) -> tuple[Encoding, Rows]:
        """Return the encoding of the only set, and which inputs it has.

        Those of one value are left out, but for the first where there is no other.
        """
        low, high = self.low[0], self.high[0]
        kept = np.flatnonzero(low < high)
        if not len(kept):
            kept = np.array([0])
        return Encoding(self._column(index) for index in kept.tolist()), kept

    def _column(self, index: int) -> tuple[int, Made]:
        source, made = self.table.encoding.columns[self.sources[index]]
        if not self.table.is_ramped[self.sources[index]]:
            return source, made
        return source, (float(self.low[0, index]), float(self.high[0, index]))


def _ramps(table: EncodedTable) -> int:
    """Return the number of ramps of each measurement or count."""
    ramps = min(RAMPS, MOST_RAMPS // max(1, int(table.is_ramped.sum())))
    return ramps if ramps > 1 else 0  # a single one is the column itself


def _ends(table: EncodedTable, rows: Rows, ramps: int) -> tuple[Array, Array]:
    """Return the ends of all inputs of a set of training rows, each of shape (d,)."""
    low, high = np.full((2, len(table.encoding)), [[-np.inf], [np.inf]])
    starts, stops = [low], [high]
    for column in np.flatnonzero(table.is_ramped):
        values = table.columns[rows, column]
        edges = _edges(values[~np.isnan(values)], ramps)
        low[column], high[column] = edges[0], edges[-1]
        if ramps:
            starts.append(edges[:-1])
            stops.append(edges[1:])
    return np.concatenate(starts), np.concatenate(stops)


def _edges(values: Array, ramps: int) -> Array:
    """Return quantiles from the least to the largest value, of shape (ramps + 1,)."""
    if not len(values):  # these rows tell nothing of the column
        return np.zeros(max(ramps, 1) + 1)
    return np.asarray(np.quantile(values, np.linspace(0.0, 1.0, max(ramps, 1) + 1)))


def _scaler(
    table: EncodedTable, rows: Rows, sources: Rows, low: Array, high: Array
) -> tuple[Array, Array]:
    """Return mean and scale of each input over some rows, 0 and 1 for indicators."""
    mean, scale = np.zeros(len(sources)), np.ones(len(sources))
    numbers = np.flatnonzero(~table.encoding.is_indicator[sources])
    at_once = max(1, BLOCK // len(rows))
    for start in range(0, len(numbers), at_once):
        some = numbers[start : start + at_once]
        values = table.columns[rows[:, np.newaxis], sources[some]]
        values = np.clip(values, low[some], high[some])
        unknown = np.isnan(values).all(axis=0)  # these rows tell nothing of such a column
        scaler = StandardScaler().fit(
            np.where(unknown, 0.0, values), sample_weight=table.weights[rows]
        )
        mean[some], scale[some] = scaler.mean_, scaler.scale_
    return mean, scale


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of so many rows as are read at once."""
    size = max(1, BLOCK // max(1, columns))
    for start in range(0, rows, size):
        yield slice(start, start + size)
