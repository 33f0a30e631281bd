"""The moons and iris networks of the sources, on this engine: their published figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_moons
from sklearn.model_selection import train_test_split

from model.arrays import Array
from model.initializers import scaled_normal, uniform_with_bias
from model.losses import CategoricalCrossEntropy, SquaredError
from model.network import NeuralNetwork
from model.optimizers import GradientDescent
from model.training import Carry, fit


def accuracy(network: NeuralNetwork, X: Array, y: Array) -> float:
    return float(np.mean(network.predict_proba(X).argmax(axis=1) == y.argmax(axis=1)))


def test_the_moons_network_has_the_published_losses() -> None:
    X, labels = make_moons(200, noise=0.20, random_state=0)
    y = np.eye(2)[labels]
    sizes = (2, 3, 2)
    network = NeuralNetwork(sizes, "tanh", "softmax", scaled_normal(sizes, 0))
    history = fit(
        network,
        X,
        y,
        loss=CategoricalCrossEntropy(),
        optimizer=GradientDescent(0.01),
        iterations=20_000,
        l2=0.01,
        reduction="sum",
    )
    # The article tells the loss after a pass, which is the loss before the next.
    after = [round(float(history.loss[number + 1]), 6) for number in (0, 1000, 2000, 10000, 19000)]
    assert after == [0.432387, 0.068947, 0.068888, 0.070758, 0.070758]
    assert accuracy(network, X, y) == 0.975


def iris_accuracies(seed: int, carry: Carry) -> list[float]:
    X, labels = load_iris(return_X_y=True)
    y = np.eye(3)[labels]
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.15, random_state=seed)
    X, X_validation, y, y_validation = train_test_split(X, y, test_size=0.1, random_state=seed)
    sizes = (4, 5, 10, 3)
    network = NeuralNetwork(sizes, "sigmoid", "sigmoid", uniform_with_bias(sizes, seed))
    fit(
        network,
        X,
        y,
        loss=SquaredError("sigmoid"),
        optimizer=GradientDescent(0.15),
        iterations=100,
        reduction="sum",
        batch_size=1,
        carry=carry,
    )
    parts: list[tuple[Any, Any]] = [(X, y), (X_validation, y_validation), (X_test, y_test)]
    return [accuracy(network, rows, targets) for rows, targets in parts]


def test_the_iris_network_has_the_medians_of_the_source() -> None:
    medians = np.median([iris_accuracies(seed, "updated") for seed in range(10)], axis=0)
    assert [round(float(median), 6) for median in medians] == [0.956140, 1.0, 0.956522]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_exact_gradient_learns_iris_as_well(seed: int) -> None:
    train, _, test = iris_accuracies(seed, "exact")
    assert train > 0.94
    assert test > 0.94
