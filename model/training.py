"""The fit loop: forward, loss, backward, step, and the history of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from model.arrays import Array
from model.errors import DivergenceError
from model.losses import Loss, l2_penalty
from model.network import NeuralNetwork
from model.optimizers import Optimizer

Reduction: TypeAlias = Literal["mean", "sum"]
Carry: TypeAlias = Literal["exact", "updated"]


@dataclass
class History:
    """What a fit went through.

    Parameters
    ----------
    loss : list of Array
        Loss of each iteration, that of every batch taken before its step, penalty included: a
        number, or one for each network of a stack.
    """

    loss: list[Array] = field(default_factory=list)


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
    carry: Carry = "exact",
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
        different numbers of rows.
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
    carry : {"exact", "updated"}
        Whether the derivative goes back through the weights that it was taken at, or through those
        just moved, as in the source of the iris network. The second is not a gradient.
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

    Notes
    -----
    The loss is (sum over rows of their losses + l2 / 2 * sum of squared weights) / n, so that
    `l2` means what scikit-learn's ``alpha`` means.
    """
    history = History()
    weights = np.ones(X.shape[-2]) if sample_weight is None else sample_weight
    rows = weights.sum(axis=-1)
    size = batch_size or X.shape[-2]
    batches = [slice(start, start + size) for start in range(0, X.shape[-2], size)]
    for iteration in range(1, iterations + 1):
        # A run that overflows is reported below by its loss, not by warnings along the way.
        with np.errstate(over="ignore", invalid="ignore"):
            value = l2_penalty(network.parameters, l2) / rows
            for batch in batches:
                counts = weights[..., batch]
                share = counts.sum(axis=-1) / rows
                scale = 1.0 / counts.sum(axis=-1) if reduction == "mean" else np.ones_like(share)
                activations = network.forward(X[..., batch, :])
                outputs, targets = activations[-1], y[..., batch, :]
                value = value + share * loss.value(outputs, targets, counts)
                row_scale = (counts * scale[..., np.newaxis])[..., np.newaxis]
                delta = loss.output_delta(outputs, targets) * row_scale
                steps = network.layer_gradients(activations, delta)
                for gradients in steps if carry == "updated" else [_all(steps)]:
                    _add_decay(gradients, network, l2 * share * scale)
                    optimizer.step(network.parameters, gradients)
        history.loss.append(value)
        _check_finite(network, value, iteration, optimizer.learning_rate)
        if callback is not None:
            callback(iteration)
    return history


def _all(of_layers: Iterable[dict[str, Array]]) -> dict[str, Array]:
    return {key: gradient for gradients in of_layers for key, gradient in gradients.items()}


def _add_decay(gradients: dict[str, Array], network: NeuralNetwork, decay: Array) -> None:
    """Add the gradient of the penalty, which is on the weights alone."""
    for key, gradient in gradients.items():
        if key[0] == "W":
            gradient += decay[..., np.newaxis, np.newaxis] * network.parameters[key]  # noqa: PLW2901


def _check_finite(network: NeuralNetwork, loss: Array, iteration: int, rate: float) -> None:
    if np.isfinite(loss).all() and all(np.isfinite(w).all() for w in network.parameters.values()):
        return
    raise DivergenceError(
        f"Training left the finite numbers at iteration {iteration} (learning rate {rate:g}): "
        "use a smaller learning rate, and look for extreme values in the data."
    )
