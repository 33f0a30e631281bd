"""Activations: what a layer does to its weighted sums, and the derivative of that."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.arrays import Array

LARGE = 500.0
"""exp(709) is the last that a float64 holds."""


@dataclass(frozen=True)
class Activation:
    """A function of a layer's weighted sums, with its derivative unit by unit.

    Parameters
    ----------
    function : callable
        Maps the weighted sums z to the activations a, any shape to the same shape.
    derivative : callable
        Maps the activations a (not z) to da/dz: all of these functions allow it, and the forward
        pass has already paid for a.
    """

    function: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


def relu(z: Array) -> Array:
    """Rectified linear unit, max(0, z)."""
    return np.maximum(z, 0.0)


def sigmoid(z: Array) -> Array:
    """Logistic function, 1 / (1 + exp(-z)).

    Notes
    -----
    No exponential of a positive number is ever computed, so that no z overflows: for negative z
    the same value is exp(z) / (1 + exp(z)).
    """
    numerator: Array = np.exp(np.minimum(z, 0.0))
    return numerator / (1.0 + np.exp(-np.abs(z)))


def softmax(z: Array) -> Array:
    """Exponentials of a row divided by their sum.

    Parameters
    ----------
    z : Array of shape (..., n, classes)
        Weighted sums.

    Returns
    -------
    Array of shape (..., n, classes)
        Positive numbers that sum to 1 in each row.

    Notes
    -----
    Where the row maximum is large it is taken off first, which changes nothing but the last bits;
    elsewhere these stay as they are, for the published run of the moons network ends in one of two
    minima according to them.
    """
    top = z.max(axis=-1, keepdims=True)
    e = np.exp(z - np.where(np.abs(top) > LARGE, top, 0.0))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _not_elementwise(_: Array) -> Array:
    raise ValueError("softmax has no derivative unit by unit: it is for the output layer alone")


ACTIVATIONS = {
    "identity": Activation(lambda z: z, np.ones_like),
    "relu": Activation(relu, lambda a: (a > 0).astype(np.float64)),
    "sigmoid": Activation(sigmoid, lambda a: a * (1.0 - a)),
    "softmax": Activation(softmax, _not_elementwise),
    "tanh": Activation(np.tanh, lambda a: 1.0 - a * a),
}
