"""Learned scales of inputs: their gradients, their penalty, and the inputs that they drop."""

from __future__ import annotations

import numpy as np
import pytest

from model.arrays import Array
from model.network.input_scales import ScaledInputs
from model.network.losses import BinaryCrossEntropy
from model.network.network import NeuralNetwork
from model.network.optimizers import Adam
from model.network.training import fit
from tests.model.gradients import central_difference
from tests.model.properties import random_labels, random_network, random_rows

ROWS, L2 = 9, 0.7


class Once:
    """An optimiser that keeps the gradient, and moves nothing."""

    learning_rate = 0.0

    def __init__(self) -> None:
        self.moved = self.gradient = np.empty(0)

    def step(self, parameters: Array, gradient: Array) -> None:
        self.moved, self.gradient = parameters, gradient.copy()


def objective(network: NeuralNetwork, factors: Array, X: Array, y: Array) -> float:
    """The loss of factors and scales, written without the class that moves them."""
    inputs = network.layer_sizes[0]
    weights, scales = factors[:-inputs], factors[-inputs:]
    moved = network.with_parameters(network.parameters)
    moved.parameters.vector[...] = weights
    squares = sum(np.sum(W * W) for key, W in moved.parameters.items() if key[0] == "W")
    moved.parameters["W1"][...] *= scales[:, np.newaxis]
    p = moved.predict_proba(X)[:, 0]
    losses = -np.where(y[:, 0] == 1, np.log(p), np.log(1 - p))
    return float(losses.mean() + L2 / 2 * (squares + scales @ scales) / len(X))


@pytest.mark.parametrize("l2", [L2])
@pytest.mark.parametrize("layer_sizes", [(4, 1), (4, 5, 1), (4, 5, 3, 1)])
def test_the_gradients_of_factors_and_scales_agree_with_central_differences(
    layer_sizes: tuple[int, ...], l2: float
) -> None:
    network = random_network(layer_sizes, "tanh", 1)
    X, y = random_rows(ROWS, layer_sizes[0], seed=1), random_labels(ROWS, seed=2)
    optimizer = Once()
    history = fit(
        network, X, y, loss=BinaryCrossEntropy(), optimizer=optimizer, iterations=1, l2=l2,
        descent=ScaledInputs,
    )  # fmt: skip
    factors = optimizer.moved.copy()
    assert (factors[-layer_sizes[0] :] == 1).all()
    assert history.loss[0] == pytest.approx(objective(network, factors, X, y), rel=1e-12)
    for index in np.ndindex(factors.shape):
        numeric = central_difference(lambda: objective(network, factors, X, y), factors, index)
        assert optimizer.gradient[index] == pytest.approx(numeric, rel=1e-6, abs=1e-9), index


def test_inputs_that_say_nothing_are_dropped_and_others_kept() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 6))
    y = (X[:, :1] + 0.3 * rng.standard_normal((3000, 1)) > 0).astype(float)
    largest = {}
    for descent in (None, ScaledInputs):
        network = random_network((6, 8, 1), "relu", 3)
        chosen = {} if descent is None else {"descent": descent}
        fit(
            network, X, y, loss=BinaryCrossEntropy(), optimizer=Adam(0.02), iterations=600,
            l2=60.0, **chosen,  # type: ignore[arg-type]
        )  # fmt: skip
        largest[descent] = np.abs(network.parameters["W1"]).max(axis=1)
    assert largest[ScaledInputs][0] > 0.1
    assert (largest[ScaledInputs][1:] < 1e-3).all()
    assert largest[None][1:].max() > 3e-3


def test_a_stack_moves_each_network_as_alone() -> None:
    X, y = random_rows(ROWS, 4, seed=1), random_labels(ROWS, seed=2)
    networks = [random_network((4, 5, 1), "relu", seed) for seed in (1, 2)]
    stack = networks[0].with_parameters(
        {key: np.stack([n.parameters[key] for n in networks]) for key in networks[0].parameters}
    )
    for network in (*networks, stack):
        fit(
            network, X, y, loss=BinaryCrossEntropy(), optimizer=Adam(0.02), iterations=5, l2=2.0,
            descent=ScaledInputs,
        )  # fmt: skip
    for index, network in enumerate(networks):
        for key, alone in network.parameters.items():
            np.testing.assert_allclose(stack.parameters[key][index], alone, rtol=1e-12)
