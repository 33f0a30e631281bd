"""The fit loop: forward, loss, backward, step, and the history of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from model.arrays import Array
from model.errors import DivergenceError
from model.losses import Loss, l2_penalty
from model.network import NeuralNetwork
from model.optimizers import Optimizer

Reduction: TypeAlias = Literal["mean", "sum"]


@dataclass
class History:
    """What a fit went through.

    Parameters
    ----------
    loss : list of Array
        Loss before the step of each iteration, penalty included: a number, or one for each network
        of a stack.
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
    callback: Callable[[int], None] | None = None,
) -> History:
    """Train a network, or a stack of them, in place, on all rows at every iteration.

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
    scale = 1.0 / rows if reduction == "mean" else np.ones_like(rows)
    row_scale = (weights * scale[..., np.newaxis])[..., np.newaxis]
    decay = (l2 * scale)[..., np.newaxis, np.newaxis]
    for iteration in range(1, iterations + 1):
        # A run that overflows is reported below by its loss, not by warnings along the way.
        with np.errstate(over="ignore", invalid="ignore"):
            activations = network.forward(X)
            value = loss.value(activations[-1], y, sample_weight)
            value = value + l2_penalty(network.parameters, l2) / rows
            delta = loss.output_delta(activations[-1], y) * row_scale
            gradients = network.backward(activations, delta)
            for key, gradient in gradients.items():
                if key[0] == "W":
                    gradient += decay * network.parameters[key]  # noqa: PLW2901
            optimizer.step(network.parameters, gradients)
        history.loss.append(value)
        _check_finite(network, value, iteration, optimizer.learning_rate)
        if callback is not None:
            callback(iteration)
    return history


def _check_finite(network: NeuralNetwork, loss: Array, iteration: int, rate: float) -> None:
    if np.isfinite(loss).all() and all(np.isfinite(w).all() for w in network.parameters.values()):
        return
    raise DivergenceError(
        f"Training left the finite numbers at iteration {iteration} (learning rate {rate:g}): "
        "use a smaller learning rate, and look for extreme values in the data."
    )
