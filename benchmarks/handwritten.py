"""The tutorial's training written out for its one network: what NumPy cannot do without.

Every array is made once, all parameters lie in one, and nothing is general. It gives the same bits
as `model.training.fit`, and shows what of that one's time is the price of a readable loop.
"""

from __future__ import annotations

import numpy as np

from model.arrays import Array
from model.losses import SMALLEST_PROBABILITY


def fit(
    X: Array, y: Array, parameters: dict[str, Array], learning_rate: float, iterations: int
) -> tuple[dict[str, Array], list[float]]:
    """Return the trained parameters of a network with one hidden layer, and the losses."""
    inputs, units = parameters["W1"].shape
    weights, gradient = np.empty((2, inputs * units + units + units + 1))
    of_weights, of_gradient = _views(weights, inputs, units), _views(gradient, inputs, units)
    for key, array in parameters.items():
        of_weights[key][...] = array
    W1, b1, W2, b2 = of_weights.values()
    dW1, db1, dW2, db2 = of_gradient.values()
    a1, delta1, mask = np.empty((3, len(X), units))
    p, e, of_the_label, delta2, absent = np.empty((5, *y.shape))
    sign, not_y, rows = 1.0 - 2.0 * y, 1.0 - y, len(X)
    losses = []
    for _ in range(iterations):
        np.matmul(X, W1, out=a1)
        np.add(a1, b1, out=a1)
        np.maximum(a1, 0.0, out=a1)
        np.matmul(a1, W2, out=p)
        np.add(p, b2, out=p)

        np.abs(p, out=e)
        np.negative(e, out=e)
        np.exp(e, out=e)
        np.add(e, 1.0, out=e)
        np.minimum(p, 0.0, out=p)
        np.exp(p, out=p)
        np.divide(p, e, out=p)

        np.subtract(not_y, p, out=of_the_label)
        np.abs(of_the_label, out=of_the_label)
        np.maximum(of_the_label, SMALLEST_PROBABILITY, out=of_the_label)
        np.log(of_the_label, out=e)
        losses.append(-e.sum() / rows)

        np.divide(sign, of_the_label, out=delta2)
        np.multiply(delta2, p, out=delta2)
        np.subtract(1.0, p, out=absent)
        np.multiply(delta2, absent, out=delta2)
        np.matmul(a1.T, delta2, out=dW2)
        np.einsum("ij->j", delta2, out=db2)
        np.matmul(delta2, W2.T, out=delta1)
        np.greater(a1, 0.0, out=mask)
        np.multiply(delta1, mask, out=delta1)
        np.matmul(X.T, delta1, out=dW1)
        np.einsum("ij->j", delta1, out=db1)

        np.multiply(gradient, learning_rate, out=gradient)
        np.subtract(weights, gradient, out=weights)
        if not np.isfinite(weights).all():
            raise ArithmeticError("training left the finite numbers")
    return of_weights, losses


def _views(flat: Array, inputs: int, units: int) -> dict[str, Array]:
    W1, b1, W2, b2 = np.split(flat, np.cumsum([inputs * units, units, units]))
    return {"W1": W1.reshape(inputs, units), "b1": b1, "W2": W2.reshape(units, 1), "b2": b2}
