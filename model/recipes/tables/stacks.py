"""Stacks for a table: networks of several forms and penalties, fitted to many sets of its rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.arrays import Array
from model.evaluation.validation import Mask, Rows
from model.inference.pipeline import Pipeline
from model.network.batches import Batch, make_batch
from model.network.descent import Descent
from model.network.input_scales import ScaledInputs
from model.network.network import NeuralNetwork, averaged
from model.network.training import fit_batches
from model.recipes.design import Design
from model.recipes.tables.inputs import EncodedTable, Inputs

MANY_ROWS = 2000
"""With more of them a network has more units, and a step takes a smaller share of the rows."""

UNITS = (8, 16)
"""Hidden units of a network: up to so many rows, and above."""

BATCH_ROWS = (128, 256)
"""Rows of a batch, at most: up to so many rows, and above."""

STEPS_OF_A_PASS = 4
"""Batches of a pass, at least."""

FEWEST_BATCH_ROWS = 16

PASSED_ROWS = 4000
"""Up to so many rows all passes are made; above, their number falls with the root of the rows."""

FEWEST_PASSES = 10

STACKED_NUMBERS = 2**20
"""So many numbers of the rows of a step of all sets."""

STACKED_ROWS = 14_400
"""So many rows, each once for every network, are in the processor's cache together."""


@dataclass(frozen=True)
class Family:
    """Networks that differ in their penalties only.

    Parameters
    ----------
    penalties : tuple of float
        The penalty of each member.
    has_ramps : bool
        Whether they read the ramps between quantiles, beside the columns.
    has_scales : bool
        Whether a scale is learned for each input.
    """

    penalties: tuple[float, ...]
    has_ramps: bool = False
    has_scales: bool = False

    @property
    def descent(self) -> Callable[..., Descent]:
        """What moves the parameters."""
        return ScaledInputs if self.has_scales else Descent


@dataclass(frozen=True, eq=False)
class Members:
    """The networks of all families, fitted to each of K sets of rows.

    Parameters
    ----------
    inputs : Inputs
        What they read.
    stacks : tuple of NeuralNetwork
        A stack for each family, of shape (K, members of the family).
    losses : Array of shape (passes, K)
        The mean loss of all members in each pass.
    """

    inputs: Inputs
    stacks: tuple[NeuralNetwork, ...]
    losses: Array

    def logits(self, index: int, rows: Rows) -> Array:
        """Return the logits that the members of a set give some rows.

        Returns
        -------
        Array of shape (members, n, n_outputs)
            The weighted sums of the output layer.
        """
        inputs, networks = self.inputs.of_set(index), self._networks(index)
        parts = [np.empty((len(networks), 0, networks[0].layer_sizes[-1]))]
        parts += [
            np.stack([network.forward(read)[1] for network in networks])
            for block in inputs.blocks(rows)
            for read in inputs.of_rows(rows[np.newaxis, block])
        ]
        return np.concatenate(parts, axis=1)

    def pipeline(self, index: int, weights: Array) -> Pipeline:
        """Return one pipeline whose logits are a weighted sum of those of a set's members."""
        inputs = self.inputs.of_set(index)
        encoding, kept = inputs.encoding()
        networks = self._networks(index)
        counted = np.flatnonzero(weights) if weights.any() else [0]
        network = averaged(
            [_scaled_output(networks[member], weights[member] * len(counted)) for member in counted]
        )
        sizes = (len(kept), *network.layer_sizes[1:])
        parameters = {**network.parameters, "W1": network.parameters["W1"][kept]}
        activations = network.hidden_activation, network.output_activation
        read_alone = NeuralNetwork(sizes, *activations, parameters)
        return Pipeline(encoding, inputs.mean[0, kept], inputs.scale[0, kept], read_alone)

    def _networks(self, index: int) -> list[NeuralNetwork]:
        """Return the members of a set, each of all inputs."""
        return [
            _widened(stack, (index, member), len(self.inputs.sources))
            for stack in self.stacks
            for member in range(stack.parameters["b1"].shape[1])
        ]


@dataclass(frozen=True)
class Stacks:
    """Networks of all families, fitted to sets of rows.

    Parameters
    ----------
    design : Design
        What all networks share.
    families : tuple of Family
        How they differ.
    """

    design: Design
    families: tuple[Family, ...]

    @property
    def penalties(self) -> list[float]:
        """The penalty of each member."""
        return [penalty for family in self.families for penalty in family.penalties]

    def chunks(self, training: Mask, columns: int) -> list[slice]:
        """Divide sets of rows, of shape (K, n), into so many as are quickest in one stack."""
        longest = int(training.sum(axis=1).max())
        rows = batch_rows(longest)
        largest = max(len(family.penalties) for family in self.families)
        at_once = STACKED_ROWS // (rows * largest)
        at_once = max(1, min(at_once, STACKED_NUMBERS // (rows * columns)))
        if longest > MANY_ROWS:
            at_once = 1
        return [slice(start, start + at_once) for start in range(0, len(training), at_once)]

    def fit(
        self,
        table: EncodedTable,
        training: Mask,
        random_state: int,
        on_share: Callable[[float], None],
    ) -> Members:
        """Return the members for each set of rows.

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
        """
        sets = [np.flatnonzero(mask) for mask in training]
        has_ramps = any(family.has_ramps for family in self.families)
        inputs = Inputs.learned(table, sets, has_ramps=has_ramps)
        stacks, losses = [], []
        for number, family in enumerate(self.families):
            passes = _passes(
                inputs if family.has_ramps else inputs.of_lines(),
                sets,
                np.array(family.penalties),
                np.random.default_rng((random_state, number)),
            )
            stack, of_passes = self._fitted(family, passes, on_share)
            stacks.append(stack)
            losses.append(of_passes)
        return Members(inputs, tuple(stacks), np.concatenate(losses, axis=-1).mean(axis=-1))

    def iterations(self, rows: int) -> int:
        """Return the number of passes over so many rows."""
        most = self.design.iterations
        return max(min(FEWEST_PASSES, most), round(most * min(1.0, math.sqrt(PASSED_ROWS / rows))))

    def _fitted(
        self, family: Family, passes: Passes, on_share: Callable[[float], None]
    ) -> tuple[NeuralNetwork, Array]:
        network = self._network(passes)
        optimizer, iterations = self.design.optimizer(), self.iterations(passes.longest)
        rate = optimizer.learning_rate

        def after_pass(number: int) -> None:
            """Slow down to the end, for the batches differ; see Loshchilov and Hutter, 2017."""
            optimizer.learning_rate = rate * 0.5 * (1.0 + math.cos(math.pi * number / iterations))
            on_share(1 / (iterations * len(self.families)))

        history = fit_batches(
            network,
            passes,
            passes.total,
            loss=self.design.loss,
            optimizer=optimizer,
            iterations=iterations,
            l2=passes.l2,
            descent=family.descent,
            callback=after_pass,
        )
        return network, np.array(history.loss)

    def _network(self, passes: Passes) -> NeuralNetwork:
        """Return networks at their start: one for each member, the same for all sets."""
        design, (sets, columns) = self.design, passes.inputs.low.shape
        units = UNITS[passes.longest > MANY_ROWS]
        sizes = (columns, units, passes.inputs.table.targets.shape[1])
        seeds = passes.order.integers(2**31, size=len(passes.l2)).tolist()
        starts = [design.initializer(sizes, seed) for seed in seeds]
        start = {
            key: np.stack([np.stack([of_member[key] for of_member in starts])] * sets)
            for key in starts[0]
        }
        activation = design.loss.output_activation
        return NeuralNetwork(sizes, design.hidden_activation, activation, start)


@dataclass(frozen=True, eq=False)
class Passes:
    """The batches of a pass over sets of rows, made anew in every pass from the table.

    Parameters
    ----------
    inputs : Inputs
        What the networks read of the rows.
    rows : Rows of shape (K, n)
        Those of each set; a shorter one is filled up with rows that count 0.
    counts : Array of shape (K, n)
        How often each row counts.
    l2 : Array of shape (members,)
        The penalties.
    order : Generator
        Draws the order of the rows in each pass. A table may be sorted by class, and a batch must
        not hold one alone.
    """

    inputs: Inputs
    rows: Rows
    counts: Array
    l2: Array
    order: np.random.Generator

    @property
    def total(self) -> Array:
        """Sum of the counts of each set, of shape (K, 1): the members share it."""
        return np.asarray(self.counts.sum(axis=-1)[:, np.newaxis])

    @property
    def longest(self) -> int:
        """Number of rows of the longest set."""
        return int(self.rows.shape[1])

    def __iter__(self) -> Iterator[Batch]:
        order, size = self.order.permutation(self.longest), batch_rows(self.longest)
        for start in range(0, self.longest, size):
            yield self._batch(order[start : start + size])

    def _batch(self, part: Rows) -> Batch:
        rows = self.rows[:, part]
        # The second axis is that of the members, which all read the same rows.
        return make_batch(
            self.inputs.of_rows(rows)[:, np.newaxis],
            self.inputs.table.targets[rows][:, np.newaxis],
            self.counts[:, np.newaxis, part],
            self.total,
            l2=self.l2,
        )


def batch_rows(rows: int) -> int:
    """Return the rows of a step where a set has so many."""
    few = max(FEWEST_BATCH_ROWS, math.ceil(rows / STEPS_OF_A_PASS))
    size = min(few, BATCH_ROWS[rows > MANY_ROWS])
    return math.ceil(rows / math.ceil(rows / size))


def _passes(inputs: Inputs, sets: Sequence[Rows], l2: Array, order: np.random.Generator) -> Passes:
    longest = max(map(len, sets))
    rows, counts = np.zeros((len(sets), longest), np.intp), np.zeros((len(sets), longest))
    for index, of_set in enumerate(sets):
        rows[index, : len(of_set)] = of_set
        counts[index, : len(of_set)] = inputs.table.counts(of_set)
    return Passes(inputs, rows, counts, l2, order)


def _widened(stack: NeuralNetwork, place: tuple[int, int], columns: int) -> NeuralNetwork:
    """Return a network of a stack, with weights of 0 for inputs that it does not read."""
    parameters = {key: array[place] for key, array in stack.parameters.items()}
    missing = columns - stack.layer_sizes[0]
    parameters["W1"] = np.pad(parameters["W1"], ((0, missing), (0, 0)))
    sizes = (columns, *stack.layer_sizes[1:])
    return NeuralNetwork(sizes, stack.hidden_activation, stack.output_activation, parameters)


def _scaled_output(network: NeuralNetwork, factor: float) -> NeuralNetwork:
    """Return a network whose weighted sums of the output layer are so many times those of one."""
    last = (f"W{network.depth}", f"b{network.depth}")
    scaled = {key: factor * network.parameters[key] for key in last}
    return network.with_parameters({**network.parameters, **scaled})
