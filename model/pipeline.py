"""The pipeline: from a row as it comes in to the outputs of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.arrays import Array
from model.encoding import Encoding
from model.network import NeuralNetwork


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Encoding, scaler and network, in this order.

    Parameters
    ----------
    encoding : Encoding
        Makes d columns of a row.
    mean, scale : Array of shape (d,)
        The standard scaler: x becomes (x - mean) / scale.
    network : NeuralNetwork
        Takes d inputs.
    """

    encoding: Encoding
    mean: Array
    scale: Array
    network: NeuralNetwork

    def predict_proba(self, X: Array) -> Array:
        """Return the outputs of the network for rows as they come in.

        Parameters
        ----------
        X : Array of shape (n, n_features)
            Rows in the order of the feature set.

        Returns
        -------
        Array of shape (n, n_outputs)
        """
        scaled = (self.encoding.transform(X) - self.mean) / self.scale
        return self.network.predict_proba(scaled)

    def folded_network(self) -> NeuralNetwork:
        """Return a network that takes the encoded columns unscaled and gives the same outputs.

        Notes
        -----
        ((x - mean) / scale) @ W1 + b1 = x @ (W1 / scale) + (b1 - mean @ (W1 / scale)).
        """
        network = self.network
        W1 = network.parameters["W1"] / self.scale[:, np.newaxis]
        b1 = network.parameters["b1"] - self.mean @ W1
        return NeuralNetwork(
            network.layer_sizes,
            network.hidden_activation,
            network.output_activation,
            {**network.parameters, "W1": W1, "b1": b1},
        )
