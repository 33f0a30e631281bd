"""The pipeline: from a row as it comes in to the outputs of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from model.arrays import Array
from model.network.network import NeuralNetwork
from model.schema.classes import class_probabilities
from model.schema.encoding import Encoding

LARGEST_SUM = 1e300
"""So that differences of two are finite too."""


def scaled(encoding: Encoding, encoded: Array, mean: Array, scale: Array) -> Array:
    """Return encoded rows standardised, with 0, which is the mean, where a value is missing.

    Parameters
    ----------
    encoding : Encoding
        What has encoded them.
    encoded : Array of shape (..., n, d)
        The rows.
    mean, scale : Array of shape (..., d)
        The standard scaler.
    """
    standardised = (encoded - mean[..., np.newaxis, :]) / scale[..., np.newaxis, :]
    return encoding.filled(standardised, 0.0)


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Encoding, scaler and network, in this order.

    Parameters
    ----------
    encoding : Encoding
        Makes d columns of a row.
    mean, scale : Array of shape (d,)
        The standard scaler: x becomes (x - mean) / scale, a missing value 0.
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
        encoded = self.encoding.transform(X)
        return self.network.predict_proba(scaled(self.encoding, encoded, self.mean, self.scale))

    def class_probabilities(self, X: Array) -> Array:
        """Return what `model.schema.classes.class_probabilities` makes of the outputs."""
        return class_probabilities(self.predict_proba(X), self.network.output_activation)

    def member(self, index: int) -> Pipeline:
        """Return one pipeline of a stack, whose arrays all have the stack's axis in front."""
        network = self.network
        parameters = {key: array[index] for key, array in network.parameters.items()}
        return replace(
            self,
            mean=self.mean[index],
            scale=self.scale[index],
            network=network.with_parameters(parameters),
        )

    def calibrated(self, intercept: float, slope: float) -> Pipeline:
        """Return a pipeline whose logits are intercept + slope times those of this one.

        Notes
        -----
        The output layer takes it up: z = a @ WL + bL becomes a @ (slope WL) + (slope bL +
        intercept), so that a calibrated network is served like any other.

        References
        ----------
        Platt, "Probabilistic outputs for support vector machines", 1999.
        """
        W, b = f"W{self.network.depth}", f"b{self.network.depth}"
        parameters = dict(self.network.parameters)
        parameters[W] = slope * parameters[W]
        parameters[b] = slope * parameters[b] + intercept
        return replace(self, network=self.network.with_parameters(parameters))

    def is_finite(self, largest: Array) -> bool:
        """Return whether every sum stays finite for inputs up to a magnitude.

        Parameters
        ----------
        largest : Array of shape (n_features,)
            The largest magnitude of each input.

        Notes
        -----
        |x @ W + b| is at most |x| @ |W| + |b|, and |tanh|, sigmoid and the indicators at most 1.
        """
        bounds = self.encoding.largest(largest)[np.newaxis]
        filled = self.encoding.is_filled
        bounds[:, filled] = np.maximum(bounds, np.abs(self.mean))[:, filled]
        with np.errstate(all="ignore"):
            network = self.folded_network()
            for layer in range(1, network.depth + 1):
                W, b = network.parameters[f"W{layer}"], network.parameters[f"b{layer}"]
                bounds = bounds @ np.abs(W) + np.abs(b)
                if not (bounds < LARGEST_SUM).all():  # NaN is not smaller either
                    return False
                if network.hidden_activation in ("tanh", "sigmoid"):
                    bounds = np.ones_like(bounds)
        return True

    def folded_network(self) -> NeuralNetwork:
        """Return a network that takes the encoded columns unscaled and gives the same outputs.

        Notes
        -----
        ((x - mean) / scale) @ W1 + b1 = x @ (W1 / scale) + (b1 - mean @ (W1 / scale)). A missing
        value must be filled with its column's mean.
        """
        network = self.network
        W1 = network.parameters["W1"] / self.scale[:, np.newaxis]
        b1 = network.parameters["b1"] - self.mean @ W1
        return network.with_parameters({**network.parameters, "W1": W1, "b1": b1})
