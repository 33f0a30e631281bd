"""A single row: the forward pass for one record, in as few NumPy calls as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from model.arrays import Array
from model.network.activations import ACTIVATIONS
from model.network.network import NeuralNetwork
from model.schema.encoding import Encoding


class SingleRow:
    """Computes the output of a network that ends in one sigmoid.

    For one row, NumPy's time is that of its calls and not of its arithmetic: so nothing has an
    axis for rows, and the sigmoid is finished on a plain number.

    Parameters
    ----------
    encoding : Encoding
        Makes the inputs of the network.
    fill : Array of shape (len(encoding),)
        What stands in for missing values.
    network : NeuralNetwork
        With the scaler folded in.

    Notes
    -----
    The output is that of `NeuralNetwork.predict_proba` to the last bit: the same products by the
    same `numpy.vecmat`, and the same `numpy.exp`.
    """

    def __init__(self, encoding: Encoding, fill: Array, network: NeuralNetwork) -> None:
        # What no row needs costs none anything.
        self._transform = (
            partial(encoding.filled_row, fill)
            if encoding.may_be_missing
            else encoding.transform_row
        )
        *self._hidden, (self._W, b) = [
            (network.parameters[f"W{layer}"], network.parameters[f"b{layer}"])
            for layer in range(1, network.depth + 1)
        ]
        self._activate = ACTIVATIONS[network.hidden_activation].function
        self._b = float(b[0])

    @staticmethod
    def computes(network: NeuralNetwork) -> bool:
        """Tell whether a network ends in one sigmoid."""
        return network.output_activation == "sigmoid" and network.layer_sizes[-1] == 1

    def output(self, row: Sequence[float]) -> float:
        """Return the probability of the positive class for a row of n_features numbers."""
        a = self._transform(row)
        for W, b in self._hidden:
            a = self._activate(np.vecmat(a, W) + b)
        z = float(np.vecmat(a, self._W)[0]) + self._b
        e = float(np.exp(-abs(z)))
        return (1.0 if z >= 0 else e) / (1.0 + e)
