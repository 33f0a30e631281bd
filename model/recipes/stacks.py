"""Stacks for a table: networks of several penalties, fitted to many sets of its rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.preprocessing import StandardScaler

from model.arrays import Array
from model.data import Dataset
from model.evaluation.calibration import logit
from model.evaluation.validation import Mask, Rows
from model.inference.pipeline import Pipeline, scaled
from model.network.batches import Batch, make_batch
from model.network.network import NeuralNetwork, averaged
from model.network.training import fit_batches
from model.recipes.design import Design
from model.schema.encoding import Encoding

BLOCK = 2**17
"""Numbers that are encoded, summed or predicted at once."""

MANY_ROWS = 2000
"""A fit to more of them takes its steps by batches."""

BATCH_ROWS = 1000
"""About so many rows have a batch. Trials with 200 to 5,000 rows and with all of them: fewer cost
NumPy's calls, more leave too few steps."""

PASSED_ROWS = 5_000_000
"""Where a fit would go over more rows in all its passes, it makes fewer of them."""

FEWEST_PASSES = 10

STACKED_NUMBERS = 2**20
"""So many numbers of the rows of all sets."""

SMALLEST_PROBABILITY = 1e-300

STACKED_ROWS = 14_400
"""So many rows, each once for every network, are in the processor's cache together."""


@dataclass(frozen=True, eq=False)
class EncodedTable:
    """A table as all of its fits read it; none of them copies it.

    Parameters
    ----------
    encoding : Encoding
        Of its features.
    columns : Array of shape (n, d + 1)
        The encoded rows, unscaled, with NaN where a value is missing and a last column of 1.
    targets : Array of shape (n, n_outputs)
        What the outputs should be, as the loss takes them.
    weights : Array of shape (n,)
        How often each row counts, in any unit.
    """

    encoding: Encoding
    columns: Array
    targets: Array
    weights: Array

    @classmethod
    def of(cls, dataset: Dataset, design: Design) -> EncodedTable:
        """Encode the rows of a data set for a design."""
        X, encoding = dataset.X, design.encode(dataset.features)
        columns = np.ones((len(X), len(encoding) + 1))
        for block in _blocks(columns):
            columns[block, :-1] = encoding.transform(X[block])
        weights = np.ones(len(X)) if dataset.weights is None else dataset.weights
        return cls(encoding, columns, design.loss.prepare(design.targets(dataset)), weights)

    def __len__(self) -> int:
        return len(self.columns)

    @cached_property
    def has_missing(self) -> bool:
        """Whether a value is missing."""
        return any(np.isnan(self.columns[block]).any() for block in _blocks(self.columns))

    def scaler(self, rows: Rows) -> tuple[Array, Array]:
        """Return mean and scale of each column over some rows, 0 and 1 for indicators."""
        mean, scale = np.zeros(len(self.encoding)), np.ones(len(self.encoding))
        numbers = np.flatnonzero(~self.encoding.is_indicator)
        at_once = max(1, BLOCK // len(rows))
        for start in range(0, len(numbers), at_once):
            some = numbers[start : start + at_once]
            values = self.columns[rows[:, np.newaxis], some]
            unknown = np.isnan(values).all(axis=0)  # these rows contain no value of the column
            scaler = StandardScaler().fit(
                np.where(unknown, 0.0, values), sample_weight=self.weights[rows]
            )
            mean[some], scale[some] = scaler.mean_, scaler.scale_
        return mean, scale

    def logits(self, pipeline: Pipeline, rows: Rows) -> Array:
        """Return the logits that a pipeline gives some rows.

        Returns
        -------
        Array of shape (n,) or (n, n_classes)
            Of the positive class; for more than two classes the logarithms of the probabilities.
        """
        parts = [np.zeros((0, *pipeline.network.layer_sizes[-1:]))]
        for block in _blocks(self.columns, len(rows)):
            columns = self.columns[rows[block], :-1]
            X = scaled(self.encoding, columns, pipeline.mean, pipeline.scale)
            parts.append(pipeline.network.predict_proba(X))
        outputs = np.concatenate(parts)
        if outputs.shape[1] == 1:
            return logit(outputs[:, 0])
        return np.log(np.maximum(outputs, SMALLEST_PROBABILITY))

    def counts(self, rows: Rows) -> Array:
        """Return how often each of some rows counts, once on average.

        Notes
        -----
        So a penalty means the same whatever the unit of the weights.
        """
        weights = self.weights[rows]
        return np.asarray(weights * (len(rows) / weights.sum()))


@dataclass(frozen=True)
class Stacks:
    """Networks that differ in their penalties alone, fitted to sets of rows and averaged.

    Parameters
    ----------
    design : Design
        All but the penalty.
    penalties : tuple of float
        The penalty of each member.
    """

    design: Design
    penalties: tuple[float, ...]

    def chunks(self, training: Mask, columns: int) -> list[slice]:
        """Divide sets of rows, of shape (K, n), into so many as are quickest in one stack."""
        rows = int(training.sum(axis=1).max())
        at_once = STACKED_ROWS // (rows * len(self.penalties))
        at_once = max(1, min(at_once, STACKED_NUMBERS // (rows * columns)))
        if rows > MANY_ROWS:  # each has batches of its own
            at_once = 1
        return [slice(start, start + at_once) for start in range(0, len(training), at_once)]

    def fit(
        self,
        table: EncodedTable,
        training: Mask,
        random_state: int,
        on_share: Callable[[float], None],
    ) -> tuple[Pipeline, Array]:
        """Return a stack with the mean of the members for each set of rows.

        Parameters
        ----------
        table : EncodedTable
            The rows.
        training : Mask of shape (K, n)
            The sets, as `chunks` yields them.
        random_state : int
            Seed of all initialisations and of the order of the rows in batches.
        on_share : callable
            Called with the share of the fit that was done since the last call.

        Returns
        -------
        Pipeline
            A stack of K.
        Array of shape (passes, K)
            The mean loss of the members in each pass.
        """
        passes = _passes(table, training, random_state, np.array(self.penalties))
        network = self._network(table, len(training), random_state)
        optimizer, iterations = self.design.optimizer(), self.iterations(passes.longest)
        rate = optimizer.learning_rate

        def after_pass(number: int) -> None:
            """Slow down to the end where steps are taken by batches: they differ."""
            if passes.is_batched:
                optimizer.learning_rate = rate * (1.0 - number / (iterations + 1))
            on_share(1 / iterations)

        history = fit_batches(
            network,
            passes,
            passes.total,
            loss=self.design.loss,
            optimizer=optimizer,
            iterations=iterations,
            l2=passes.l2,
            callback=after_pass,
        )
        mean, scale = passes.mean[:, :-1], passes.scale[:, :-1]
        pipeline = Pipeline(table.encoding, mean, scale, _mean_of(network))
        return pipeline, np.array(history.loss).mean(axis=-1)

    def iterations(self, rows: int) -> int:
        """Return the number of passes over so many rows."""
        most = self.design.iterations
        return min(most, max(FEWEST_PASSES, PASSED_ROWS // rows))

    def _network(self, table: EncodedTable, sets: int, random_state: int) -> NeuralNetwork:
        design = self.design
        sizes = (len(table.encoding), *design.hidden_layer_sizes, table.targets.shape[1])
        start = {
            key: np.broadcast_to(array, (sets, len(self.penalties), *array.shape))
            for key, array in design.initializer(sizes, random_state).items()
        }
        activation = design.loss.output_activation
        return NeuralNetwork(sizes, design.hidden_activation, activation, start)


@dataclass(frozen=True, eq=False)
class Passes:
    """The batches of a pass over sets of rows, made anew in every pass from the table.

    Parameters
    ----------
    table : EncodedTable
        The rows.
    rows : Rows of shape (K, n)
        Those of each set; a shorter one is filled up with rows that count 0.
    counts : Array of shape (K, n)
        How often each row counts.
    mean, scale : Array of shape (K, d + 1)
        The scaler of each set.
    l2 : Array of shape (members,)
        The penalties.
    """

    table: EncodedTable
    rows: Rows
    counts: Array
    mean: Array
    scale: Array
    l2: Array

    @property
    def total(self) -> Array:
        """Sum of the counts of each set, of shape (K, 1): the members share it."""
        return np.asarray(self.counts.sum(axis=-1)[:, np.newaxis])

    @property
    def is_batched(self) -> bool:
        """Whether a pass has several steps."""
        return self.longest > MANY_ROWS

    @property
    def longest(self) -> int:
        """Number of rows of the longest set."""
        return int(self.rows.shape[1])

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._all_rows) if not self.is_batched else self._batches()

    @cached_property
    def _all_rows(self) -> list[Batch]:
        return [self._batch(slice(None))]

    def _batches(self) -> Iterator[Batch]:
        size = math.ceil(self.longest / math.ceil(self.longest / BATCH_ROWS))
        for start in range(0, self.longest, size):
            yield self._batch(slice(start, start + size))

    def _batch(self, part: slice) -> Batch:
        rows = self.rows[:, part]
        inputs = self.table.columns[rows]
        inputs -= self.mean[:, np.newaxis]
        inputs /= self.scale[:, np.newaxis]
        if self.table.has_missing:
            np.nan_to_num(inputs, copy=False)  # 0 is the mean
        # The second axis is that of the members, which all read the same rows.
        return make_batch(
            inputs[:, np.newaxis],
            self.table.targets[rows][:, np.newaxis],
            self.counts[:, np.newaxis, part],
            self.total,
            l2=self.l2,
        )


def _blocks(columns: Array, rows: int | None = None) -> Iterator[slice]:
    """Yield slices of so many rows as are read at once; of all rows of a table if left out."""
    size = max(1, BLOCK // columns.shape[1])
    for start in range(0, len(columns) if rows is None else rows, size):
        yield slice(start, start + size)


def _passes(table: EncodedTable, training: Mask, random_state: int, l2: Array) -> Passes:
    sets = [np.flatnonzero(mask) for mask in training]
    scalers = [table.scaler(rows) for rows in sets]
    mean, scale = (np.stack(parts) for parts in zip(*scalers, strict=True))
    longest = max(map(len, sets))
    rows, counts = np.zeros((2, len(sets), longest))
    order = np.random.default_rng(random_state)
    filled = rows.astype(np.intp)
    for index, of_set in enumerate(sets):
        # A table may be sorted by class: a batch must not hold one alone.
        taken = order.permutation(of_set) if longest > MANY_ROWS else of_set
        filled[index, : len(taken)] = taken
        counts[index, : len(taken)] = table.counts(taken)
    ends = np.zeros((len(sets), 1))
    return Passes(
        table, filled, counts, np.hstack([mean, ends]), np.hstack([scale, ends + 1.0]), l2
    )


def _mean_of(network: NeuralNetwork) -> NeuralNetwork:
    """Return the mean of the members, which the second axis of a stack holds."""
    members = network.parameters["b1"].shape[1]
    return averaged(
        [
            network.with_parameters(
                {key: array[:, member] for key, array in network.parameters.items()}
            )
            for member in range(members)
        ]
    )
