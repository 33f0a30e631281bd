"""What the property tests share: settings that make them the same at every run."""

from __future__ import annotations

import numpy as np
from hypothesis import settings

from model.arrays import Array
from model.network.activations import ACTIVATIONS
from model.network.initializers import standard_normal
from model.network.network import NeuralNetwork, with_ones
from tests.examples import examples

PROPERTY = settings(derandomize=True, deadline=None, max_examples=examples(50))


def random_network(
    layer_sizes: tuple[int, ...] = (5, 8, 1), hidden: str = "tanh", seed: int = 0
) -> NeuralNetwork:
    return NeuralNetwork(layer_sizes, hidden, "sigmoid", standard_normal(layer_sizes, seed))


def trained_outputs(network: NeuralNetwork, X: Array) -> Array:
    """Return the outputs as training computes them."""
    _, z = network.forward(with_ones(X))
    return ACTIVATIONS[network.output_activation].function(z)


def random_rows(rows: int, columns: int, seed: int = 0, scale: float = 1.0) -> Array:
    return np.random.default_rng(seed).normal(0.0, scale, (rows, columns))


def random_labels(rows: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 2, (rows, 1)).astype(np.float64)
