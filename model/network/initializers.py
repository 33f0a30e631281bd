"""Initialisers: the weights that a network starts from."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from model.arrays import Array

Initializer: TypeAlias = Callable[[Sequence[int], int], dict[str, Array]]


def glorot_uniform(layer_sizes: Sequence[int], random_state: int) -> dict[str, Array]:
    """Weights uniform in +-sqrt(6 / (fan_in + fan_out)), biases 0.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of every layer, inputs first.
    random_state : int
        Seed of the draws.

    Returns
    -------
    dict
        ``W1`` of shape (fan_in, fan_out), ``b1`` of shape (fan_out,), and so on for each layer.

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    rng = np.random.default_rng(random_state)
    parameters: dict[str, Array] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(layer_sizes), start=1):
        limit = np.sqrt(6.0 / (fan_in + fan_out))
        parameters[f"W{layer}"] = rng.uniform(-limit, limit, (fan_in, fan_out))
        parameters[f"b{layer}"] = np.zeros(fan_out)
    return parameters


def standard_normal(layer_sizes: Sequence[int], random_state: int) -> dict[str, Array]:
    """Weights and biases alike from the standard normal distribution, layer by layer.

    Notes
    -----
    Drawn from the legacy generator: the tutorial's figures hang on its stream.
    """
    rng = np.random.RandomState(random_state)
    parameters: dict[str, Array] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(layer_sizes), start=1):
        parameters[f"W{layer}"] = rng.standard_normal((fan_in, fan_out))
        parameters[f"b{layer}"] = rng.standard_normal(fan_out)
    return parameters


def scaled_normal(layer_sizes: Sequence[int], random_state: int) -> dict[str, Array]:
    """Weights from the normal distribution of standard deviation 1 / sqrt(fan_in), biases 0.

    Notes
    -----
    Drawn from the legacy generator: the figures of the moons network hang on its stream.

    References
    ----------
    LeCun, Bottou, Orr and Mueller, "Efficient BackProp", 1998.
    """
    rng = np.random.RandomState(random_state)
    parameters: dict[str, Array] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(layer_sizes), start=1):
        parameters[f"W{layer}"] = rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)
        parameters[f"b{layer}"] = np.zeros(fan_out)
    return parameters


def uniform_with_bias(layer_sizes: Sequence[int], random_state: int) -> dict[str, Array]:
    """Weights and biases alike uniform in [-1, 1].

    Notes
    -----
    Drawn unit by unit, the bias first: the iris network takes it for the weight of a constant
    input in front of the others.
    """
    rng = np.random.default_rng(random_state)
    parameters: dict[str, Array] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(layer_sizes), start=1):
        units = rng.uniform(-1.0, 1.0, (fan_out, fan_in + 1))
        parameters[f"b{layer}"] = units[:, 0].copy()
        parameters[f"W{layer}"] = units[:, 1:].T.copy()
    return parameters
