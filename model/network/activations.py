"""Activations: what a layer does to its weighted sums, and the derivative of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from model.arrays import Array


class Function(Protocol):
    """What an activation does to weighted sums."""

    def __call__(self, z: Array, /, *, out: Array | None = None) -> Array:
        """Return the activations."""
        ...


@dataclass(frozen=True)
class Activation:
    """A function of a layer's weighted sums, with its derivative unit by unit.

    Parameters
    ----------
    function : callable
        Maps the weighted sums z to the activations a, any shape to the same shape; where `out` is
        given, into that, which may be z itself.
    derivative : callable
        Maps the activations a (not z) to da/dz: all of these functions allow it, and the forward
        pass has already paid for a.
    """

    function: Function
    derivative: Callable[[Array], Array]


def relu(z: Array, out: Array | None = None) -> Array:
    """Rectified linear unit, max(0, z)."""
    return np.maximum(z, 0.0, out=out)


def sigmoid(z: Array, out: Array | None = None) -> Array:
    """Logistic function, 1 / (1 + exp(-z)).

    Notes
    -----
    No exponential of a positive number is ever computed, so that no z overflows: for negative z
    the same value is exp(z) / (1 + exp(z)).
    """
    denominator = 1.0 + np.exp(-np.abs(z))
    a: Array = np.divide(np.exp(np.minimum(z, 0.0)), denominator, out=out)
    return a


def softmax(z: Array, out: Array | None = None) -> Array:
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
    The row maximum is taken off first, which changes nothing but the last bits, so that no z
    overflows.
    """
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    a: Array = np.divide(e, e.sum(axis=-1, keepdims=True), out=out)
    return a


def _not_elementwise(_: Array) -> Array:
    raise ValueError("softmax has no derivative for each unit: use it only in the output layer")


ACTIVATIONS = {
    "identity": Activation(np.positive, np.ones_like),
    "relu": Activation(relu, np.sign),  # of what is never negative: 0 or 1
    "sigmoid": Activation(sigmoid, lambda a: a * (1.0 - a)),
    "softmax": Activation(softmax, _not_elementwise),
    "tanh": Activation(np.tanh, lambda a: 1.0 - a * a),
}
