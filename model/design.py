"""The design: what a network is and how it is fitted, but for the data and the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from model.arrays import Array
from model.encoding import Encoding
from model.evaluation.validation import Mask
from model.features import FeatureSet
from model.initializers import Initializer
from model.losses import Loss
from model.network import NeuralNetwork
from model.optimizers import Optimizer
from model.pipeline import Pipeline
from model.training import History, Reduction, fit


@dataclass(frozen=True)
class Design:
    """What a network is and how it is fitted: all but the data and the seed.

    Parameters
    ----------
    encode : callable
        Makes the encoding for a feature set.
    hidden_layer_sizes : tuple of int
        Units of the hidden layers.
    hidden_activation : str
        Name in `model.activations.ACTIVATIONS`; the output is a sigmoid.
    initializer, loss, optimizer, iterations, reduction, l2
        See `model.training.fit`; the optimiser is made anew for every fit.
    """

    encode: Callable[[FeatureSet], Encoding]
    hidden_layer_sizes: tuple[int, ...]
    hidden_activation: str
    initializer: Initializer
    loss: Loss
    optimizer: Callable[[], Optimizer]
    iterations: int
    reduction: Reduction = "mean"
    l2: float = 0.0

    def fit(
        self, features: FeatureSet, X: Array, y: Array, random_state: int
    ) -> tuple[Pipeline, History]:
        """Return a pipeline fitted on X of shape (n, n_features) and y of shape (n, 1)."""
        encoding = self.encode(features)
        encoded = encoding.transform(X)
        mean, scale = self.scaler(encoding, encoded)
        network = self._network(len(encoding), random_state)
        history = self._train(network, (encoded - mean) / scale, y)
        return Pipeline(encoding, mean, scale, network), history

    def fit_stack(
        self, features: FeatureSet, X: Array, y: Array, training: Mask, random_state: int
    ) -> Pipeline:
        """Return a stack of pipelines, each as `fit` would give it for some of the rows.

        Parameters
        ----------
        features : FeatureSet
            The columns of X.
        X : Array of shape (n, n_features)
            All rows.
        y : Array of shape (n, 1)
            All labels.
        training : Mask of shape (K, n)
            The rows of each fit.
        random_state : int
            Seed of all initialisations.
        """
        encoding = self.encode(features)
        encoded = encoding.transform(X)
        scalers = [self.scaler(encoding, encoded[mask]) for mask in training]
        mean, scale = (np.stack(parts) for parts in zip(*scalers, strict=True))
        rows, weights = _gather(training)
        single = self._network(len(encoding), random_state)
        network = single.with_parameters(
            {key: np.stack([array] * len(training)) for key, array in single.parameters.items()}
        )
        scaled = (encoded[rows] - mean[:, np.newaxis]) / scale[:, np.newaxis]
        self._train(network, scaled, y[rows], weights)
        return Pipeline(encoding, mean, scale, network)

    def scaler(self, encoding: Encoding, encoded: Array) -> tuple[Array, Array]:
        """Return mean and scale of each encoded column, 0 and 1 for indicators.

        Notes
        -----
        The indicator of a code that two patients have would be scaled to eleven standard
        deviations for them.
        """
        scaler = StandardScaler().fit(encoded)
        mean = np.where(encoding.is_indicator, 0.0, scaler.mean_)
        return mean, np.where(encoding.is_indicator, 1.0, scaler.scale_)

    def _network(self, inputs: int, random_state: int) -> NeuralNetwork:
        sizes = (inputs, *self.hidden_layer_sizes, 1)
        parameters = self.initializer(sizes, random_state)
        return NeuralNetwork(sizes, self.hidden_activation, "sigmoid", parameters)

    def _train(
        self, network: NeuralNetwork, X: Array, y: Array, sample_weight: Array | None = None
    ) -> History:
        return fit(
            network,
            X,
            y,
            sample_weight=sample_weight,
            loss=self.loss,
            optimizer=self.optimizer(),
            iterations=self.iterations,
            l2=self.l2,
            reduction=self.reduction,
        )


def _gather(training: Mask) -> tuple[NDArray[np.intp], Array]:
    """Return the row numbers of each set, and weights that are 0 where a shorter set is filled."""
    rows = np.argsort(~training, axis=1, kind="stable")[:, : training.sum(axis=1).max()]
    return rows, np.take_along_axis(training, rows, axis=1).astype(np.float64)
