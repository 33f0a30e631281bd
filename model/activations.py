"""Activations: what a layer does to its weighted sums, and the derivative of that."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model.arrays import Array


@dataclass(frozen=True)
class Activation:
    """An elementwise function with its derivative.

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
    Only exp(-abs(z)) is ever computed, so that no z overflows: for negative z the same value is
    exp(z) / (1 + exp(z)).
    """
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


ACTIVATIONS = {
    "relu": Activation(relu, lambda a: (a > 0).astype(np.float64)),
    "sigmoid": Activation(sigmoid, lambda a: a * (1.0 - a)),
    "tanh": Activation(np.tanh, lambda a: 1.0 - a * a),
}
