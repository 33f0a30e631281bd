"""Losses: how far the outputs are from the targets, and the derivative that says where to go."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from model.arrays import Array
from model.network.activations import ACTIVATIONS, softmax

SMALLEST_PROBABILITY = 1e-10
LARGE = 500.0
"""exp(709) is the last that a float64 holds."""


class Loss(Protocol):
    """What the fit loop asks of a loss.

    A loss takes the output layer's activation along: from the weighted sums both are cheaper and
    more exact together.
    """

    @property
    def output_activation(self) -> str:
        """Name in `model.network.activations.ACTIVATIONS` of the activation that it takes along."""
        ...

    def prepare(self, targets: Array) -> Array:
        """Return what `of_rows` takes of the targets, made once for all iterations.

        Parameters
        ----------
        targets : Array of shape (..., n, n_outputs)
            What the outputs should be.

        Returns
        -------
        Array of shape (..., n, n_outputs)
            Rows may be taken of it.
        """
        ...

    def of_rows(self, z: Array, prepared: Array) -> tuple[Array, Array]:
        """Return what each row loses, and how that changes with the row's weighted sums.

        Parameters
        ----------
        z : Array of shape (..., n, n_outputs)
            Weighted sums of the output layer.
        prepared : Array
            What `prepare` made of the targets.

        Returns
        -------
        Array of shape (..., n)
            Losses, in nats where they are cross-entropies.
        Array of shape (..., n, n_outputs)
            Their derivatives by z.
        """
        ...


class BinaryCrossEntropy:
    """Binary cross-entropy of sigmoid outputs, with its exact gradient.

    Notes
    -----
    With p = sigmoid(z) a row loses L = -(y log p + (1 - y) log(1 - p)), and dL/dz = p - y. Both
    come of q, the probability of the row's label: p where y is 1 and 1 - p where it is 0, which is
    1 / (1 + exp(s z)) with s = 1 - 2y. Then L = -log q, and dL/dz = s (1 - q). The logarithm, not
    the gradient, is taken of at least 1e-10.
    """

    output_activation = "sigmoid"

    def prepare(self, targets: Array) -> Array:
        """Return s, -1 for label 1 and 1 for label 0."""
        return 1.0 - 2.0 * targets

    def of_rows(self, z: Array, prepared: Array) -> tuple[Array, Array]:
        """Return losses and derivatives; see `Loss.of_rows`."""
        q = 1.0 / (1.0 + np.exp(np.minimum(prepared * z, LARGE)))
        return summed(-np.log(np.maximum(q, SMALLEST_PROBABILITY))), prepared * (1.0 - q)


class CategoricalCrossEntropy:
    """Cross-entropy of softmax outputs.

    Notes
    -----
    With p = softmax(z) a row loses L = -sum over classes of y log p, the logarithm taken of at
    least 1e-10, and dL/dz = p - y.
    """

    output_activation = "softmax"

    def prepare(self, targets: Array) -> Array:
        """Return one-hot targets as they are."""
        return targets

    def of_rows(self, z: Array, prepared: Array) -> tuple[Array, Array]:
        """Return losses and derivatives; see `Loss.of_rows`."""
        return self.of_outputs(softmax(z), prepared)

    def of_outputs(self, p: Array, prepared: Array) -> tuple[Array, Array]:
        """Return losses and derivatives for what softmax makes of the weighted sums."""
        return summed(-prepared * np.log(np.maximum(p, SMALLEST_PROBABILITY))), p - prepared


class SquaredError:
    """Half the squared distance of the outputs from the targets.

    Parameters
    ----------
    output_activation : str
        Name in `model.network.activations.ACTIVATIONS`; not softmax.

    Notes
    -----
    With a = f(z) a row loses L = 1/2 sum (a - y)^2, and dL/dz = (a - y) f'(z).
    """

    def __init__(self, output_activation: str) -> None:
        self.output_activation = output_activation
        self._output = ACTIVATIONS[output_activation]

    def prepare(self, targets: Array) -> Array:
        """Return the targets as they are."""
        return targets

    def of_rows(self, z: Array, prepared: Array) -> tuple[Array, Array]:
        """Return losses and derivatives; see `Loss.of_rows`."""
        a = self._output.function(z)
        error = a - prepared
        return summed(0.5 * error**2), error * self._output.derivative(a)


def summed(losses: Array) -> Array:
    """Return the sums over the outputs, of shape (..., n)."""
    return losses[..., 0] if losses.shape[-1] == 1 else losses.sum(axis=-1)


def l2_penalty(parameters: Mapping[str, Array], l2: float | Array) -> Array:
    """Return l2 / 2 times the sum of the squared weights, of each network; biases are free."""
    squares = [np.sum(W * W, axis=(-2, -1)) for key, W in parameters.items() if key[0] == "W"]
    return np.asarray(0.5 * l2 * sum(squares))
