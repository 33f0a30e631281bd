"""The fit loop: forward, loss, backward, step, and the history of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from model.arrays import Array
from model.errors import DivergenceError
from model.network.batches import Batch, Reduction, batches_of
from model.network.descent import Descent
from model.network.losses import Loss
from model.network.network import NeuralNetwork, with_ones
from model.network.optimizers import Optimizer


@dataclass
class History:
    """What a fit went through.

    Parameters
    ----------
    loss : list of Array
        Loss of each iteration, that of every batch taken before its step, penalty included: a
        number, or one for each network of a stack.
    validation_loss : list of Array
        Loss of the validation rows after each iteration, without the penalty; empty where there
        are none.
    """

    loss: list[Array] = field(default_factory=list)
    validation_loss: list[Array] = field(default_factory=list)


class EarlyStopping:
    """Keeps the parameters of the lowest validation loss, and reports when it is long past.

    Parameters
    ----------
    patience : int
        Iterations without a lower loss after which the run ends; that of a stack when all its
        networks have waited so long. Until then each may still find a lower one.

    Raises
    ------
    ValueError
        When the patience is less than one iteration.

    References
    ----------
    Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, 1998.
    """

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ValueError("the patience must be at least one iteration")
        self.patience = patience

    def start(self, network: NeuralNetwork, validation: tuple[Array, Array] | None) -> None:
        """Forget what was, and watch this network; without validation rows raise ValueError."""
        if validation is None:
            raise ValueError("early stopping needs validation rows")
        self._network = network
        self._best = network.parameters.vector.copy()
        self._lowest = np.array(np.inf)
        self._waited = np.array(0)

    def is_over(self, validation_loss: Array) -> bool:
        """Record the loss after an iteration, and return whether to stop."""
        lower = validation_loss < self._lowest
        np.copyto(self._best, self._network.parameters.vector, where=lower[..., np.newaxis])
        self._lowest = np.where(lower, validation_loss, self._lowest)
        self._waited = np.where(lower, 0, self._waited + 1)
        return bool((self._waited >= self.patience).all())

    def restore(self) -> None:
        """Give the network the parameters of its lowest loss."""
        self._network.parameters.vector[...] = self._best


def fit(
    network: NeuralNetwork,
    X: Array,
    y: Array,
    *,
    sample_weight: Array | None = None,
    loss: Loss,
    optimizer: Optimizer,
    iterations: int,
    l2: float = 0.0,
    reduction: Reduction = "mean",
    batch_size: int | None = None,
    descent: Callable[[NeuralNetwork, Optimizer], Descent] = Descent,
    validation: tuple[Array, Array] | None = None,
    early_stopping: EarlyStopping | None = None,
    callback: Callable[[int], None] | None = None,
) -> History:
    """Train a network, or a stack of them, in place.

    Parameters
    ----------
    network : NeuralNetwork
        Its parameters are changed.
    X : Array of shape (..., n, n_inputs)
        One row a sample.
    y : Array of shape (..., n, n_outputs)
        Targets.
    sample_weight : Array of shape (..., n), optional
        How often each row counts; once if left out. So the networks of a stack can be trained on
        different numbers of rows. A batch without a counted row is still a step to an optimiser
        that remembers: use plain gradient descent where that may happen.
    loss : Loss
        What is minimised, a mean over the rows.
    optimizer : Optimizer
        Moves the parameters.
    iterations : int
        Number of passes over all rows.
    l2 : float
        Strength of the penalty, see Notes.
    reduction : {"mean", "sum"}
        Whether a step takes the gradient of the mean over the rows, or of their sum.
    batch_size : int, optional
        Rows of a step, in the order that they come in; all of them if left out. With 1, every row
        makes its step: stochastic gradient descent.
    descent : callable
        What moves the parameters by the losses of a batch.
    validation : (Array, Array), optional
        Rows and targets that are not trained on, of which the loss is noted.
    early_stopping : EarlyStopping, optional
        Ends the run when their loss no longer falls; the parameters are then those of the lowest.
    callback : callable, optional
        Called with the number of iterations done, after each.

    Returns
    -------
    History
        The loss of every iteration.

    Raises
    ------
    DivergenceError
        When the loss or a weight is no longer finite.
    ValueError
        When there is early stopping without validation, and when the loss is one of another output
        activation than the network's.

    Notes
    -----
    The loss is (sum over rows of their losses + l2 / 2 * sum of squared weights) / n, so that
    `l2` means what scikit-learn's ``alpha`` means.
    """
    size = batch_size or X.shape[-2]
    rows = np.array(X.shape[-2]) if sample_weight is None else sample_weight.sum(axis=-1)
    batches = batches_of(X, loss.prepare(y), sample_weight, size, reduction=reduction, l2=l2)
    return fit_batches(
        network,
        batches,
        rows,
        loss=loss,
        optimizer=optimizer,
        iterations=iterations,
        l2=l2,
        descent=descent,
        validation=validation,
        early_stopping=early_stopping,
        callback=callback,
    )


def fit_batches(
    network: NeuralNetwork,
    batches: Iterable[Batch],
    rows: Array,
    *,
    loss: Loss,
    optimizer: Optimizer,
    iterations: int,
    l2: float | Array = 0.0,
    descent: Callable[[NeuralNetwork, Optimizer], Descent] = Descent,
    validation: tuple[Array, Array] | None = None,
    early_stopping: EarlyStopping | None = None,
    callback: Callable[[int], None] | None = None,
) -> History:
    """Train a network, or a stack of them, in place, on batches made elsewhere.

    Parameters
    ----------
    batches : iterable of Batch
        The steps of a pass, gone through anew in each.
    rows : Array of shape (...)
        Sum of the counts of all rows.
    l2 : float or Array of shape (...)
        Strength of the penalty: a number, or one for each network of a stack.
    network, loss, optimizer, iterations, descent, validation, early_stopping, callback
        See `fit`.
    """
    _check_loss(network, loss)
    descending = descent(network, optimizer)
    if early_stopping is not None:
        early_stopping.start(network, validation)
    history = History()
    # A run that overflows is reported by its loss, not by warnings along the way.
    with np.errstate(over="ignore", invalid="ignore"):
        for iteration in range(1, iterations + 1):
            value: Any = descending.penalty(l2) / rows if np.any(l2) else 0.0
            for batch in batches:
                value = value + _step(descending, batch, loss)
            history.loss.append(value)
            _check_finite(network.parameters.vector, iteration, optimizer.learning_rate)
            if callback is not None:
                callback(iteration)
            if validation is not None:
                value = mean_loss(network, *validation, loss)
                history.validation_loss.append(value)
                _check_finite(value, iteration, optimizer.learning_rate)
            if early_stopping is not None and early_stopping.is_over(history.validation_loss[-1]):
                break
    _check_losses(history.loss, optimizer.learning_rate)
    if early_stopping is not None:
        early_stopping.restore()
    return history


def _check_loss(network: NeuralNetwork, loss: Loss) -> None:
    if loss.output_activation != network.output_activation:
        raise ValueError("the loss needs another output activation")


def mean_loss(network: NeuralNetwork, X: Array, y: Array, loss: Loss) -> Array:
    """Return the mean loss of rows, of each network of a stack, without a penalty."""
    _, z = network.forward(with_ones(X))
    losses, _ = loss.of_rows(z, loss.prepare(y))
    return np.asarray(losses.mean(axis=-1))


def _step(descent: Descent, batch: Batch, loss: Loss) -> Array:
    """Take one step; return the batch's share of the loss before it."""
    read, z = descent.network.forward(batch.inputs)
    losses, delta = loss.of_rows(z, batch.targets)
    if batch.row_scale is not None:
        delta *= batch.row_scale
    descent.step(read, delta, batch.decay)
    value: Array = np.vecdot(losses, batch.shares)
    return value


def _check_losses(losses: Sequence[Array], rate: float) -> None:
    """Raise an error that names the first iteration whose loss is not finite."""
    if not isfinite(np.sum(losses)):
        for iteration, loss in enumerate(losses, start=1):
            _check_finite(loss, iteration, rate)


def _check_finite(numbers: Array, iteration: int, rate: float) -> None:
    # A number that is not finite makes the sum not finite, and a sum is the fastest check.
    if isfinite(numbers.sum()):
        return
    raise DivergenceError(
        f"The loss or a weight is not finite at iteration {iteration} (learning rate {rate:g}): "
        "use a smaller learning rate, and look for extreme values in the data."
    )
