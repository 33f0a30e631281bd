"""Losses: how far the outputs are from the targets, and the gradient that says where to go."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from model.activations import ACTIVATIONS
from model.arrays import Array

SMALLEST_PROBABILITY = 1e-10


class Loss(Protocol):
    """What the fit loop asks of a loss."""

    def value(self, outputs: Array, targets: Array, sample_weight: Array | None = None) -> Array:
        """Return the mean loss over the rows, of each network."""
        ...

    def output_delta(self, outputs: Array, targets: Array) -> Array:
        """Return the derivative of each row's loss by the output layer's weighted sums."""
        ...


class BinaryCrossEntropy:
    """Binary cross-entropy of sigmoid outputs, with its exact gradient.

    Notes
    -----
    L = -mean(y log p + (1 - y) log(1 - p)). With p = sigmoid(z) the derivative of a row's loss by
    z is p - y. The value, not the gradient, takes the logarithms of at least 1e-10.
    """

    def value(self, outputs: Array, targets: Array, sample_weight: Array | None = None) -> Array:
        """Return the mean loss over the rows.

        Parameters
        ----------
        outputs : Array of shape (..., n, 1)
            Probabilities p.
        targets : Array of shape (..., n, 1)
            Labels y, 0 or 1.
        sample_weight : Array of shape (..., n), optional
            How often each row counts; once if left out.

        Returns
        -------
        Array of shape (...)
            The mean loss of each network, in nats.
        """
        # Of the two terms one is zero: p is left where y is 1, and 1 - p where it is 0.
        of_the_label = np.abs(1.0 - targets - outputs)
        losses = -np.log(np.maximum(of_the_label, SMALLEST_PROBABILITY))
        return _mean_over_rows(losses, sample_weight)

    def output_delta(self, outputs: Array, targets: Array) -> Array:
        """Return dL/dz of each row, of shape (n, 1)."""
        return outputs - targets


class ClippedBinaryCrossEntropy(BinaryCrossEntropy):
    """Binary cross-entropy with the gradient of the tutorial that the project goes back to.

    Notes
    -----
    The tutorial multiplies dL/dp by dp/dz, with p and 1 - p in the denominators kept above 1e-10.
    On a saturated row p (1 - p) is zero and so is the product, where the exact gradient is
    p - y = +-1: such a row is never learned. Use it to reproduce the tutorial's figures alone.
    """

    def output_delta(self, outputs: Array, targets: Array) -> Array:
        """Return the tutorial's gradient of each row, of shape (n, 1)."""
        by_probability = (1.0 - targets) / np.maximum(1.0 - outputs, SMALLEST_PROBABILITY)
        by_probability -= targets / np.maximum(outputs, SMALLEST_PROBABILITY)
        return by_probability * outputs * (1.0 - outputs)


class CategoricalCrossEntropy:
    """Cross-entropy of softmax outputs.

    Notes
    -----
    L = -mean over rows of the sum over classes of y log p, the logarithm taken of at least 1e-10.
    With p = softmax(z) the derivative of a row's loss by z is p - y.
    """

    def value(self, outputs: Array, targets: Array, sample_weight: Array | None = None) -> Array:
        """Return the mean loss of one-hot targets; see `BinaryCrossEntropy.value`."""
        losses = -targets * np.log(np.maximum(outputs, SMALLEST_PROBABILITY))
        return _mean_over_rows(losses, sample_weight)

    def output_delta(self, outputs: Array, targets: Array) -> Array:
        """Return dL/dz of each row, of shape (..., n, classes)."""
        return outputs - targets


class SquaredError:
    """Half the squared distance of the outputs from the targets.

    Parameters
    ----------
    output_activation : str
        Name in `model.activations.ACTIVATIONS`; not softmax.

    Notes
    -----
    L = mean over rows of 1/2 sum (a - y)^2. With a = f(z) the derivative of a row's loss by z is
    (a - y) f'(z).
    """

    def __init__(self, output_activation: str) -> None:
        self._derivative = ACTIVATIONS[output_activation].derivative

    def value(self, outputs: Array, targets: Array, sample_weight: Array | None = None) -> Array:
        """Return the mean loss; see `BinaryCrossEntropy.value`."""
        return _mean_over_rows(0.5 * (outputs - targets) ** 2, sample_weight)

    def output_delta(self, outputs: Array, targets: Array) -> Array:
        """Return dL/dz of each row, of shape (..., n, n_outputs)."""
        return (outputs - targets) * self._derivative(outputs)


def _mean_over_rows(losses: Array, sample_weight: Array | None) -> Array:
    """Return the weighted mean over rows of the sums over outputs."""
    rows = losses[..., 0] if losses.shape[-1] == 1 else losses.sum(axis=-1)
    if sample_weight is None:
        return np.asarray(rows.sum(axis=-1) / rows.shape[-1])
    counted = sample_weight.sum(axis=-1)
    return np.asarray((rows * sample_weight).sum(axis=-1) / np.where(counted > 0, counted, 1.0))


def l2_penalty(parameters: Mapping[str, Array], l2: float) -> Array:
    """Return l2 / 2 times the sum of the squared weights, of each network; biases are free."""
    squares = [np.sum(W * W, axis=(-2, -1)) for key, W in parameters.items() if key[0] == "W"]
    return np.asarray(0.5 * l2 * sum(squares))
