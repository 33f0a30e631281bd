"""100 iterations of the tutorial's network, beside the matrix products that they are made of."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import handwritten
from benchmarks.figures import Figures, in_turns, least, seconds
from model.arrays import Array
from model.datasets import load_heart
from model.network import NeuralNetwork
from model.recipes import TUTORIAL
from model.training import History, fit

SIZES = (13, 8, 1)
ROWS = 216
ROUNDS = 100


def measure() -> Figures:
    """Return the seconds of both and of the handwritten loop, and the ratios to the products."""
    dataset = load_heart()
    X = dataset.X[:ROWS]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = TUTORIAL.targets(dataset)[:ROWS]
    _check_same(X, y)
    runs = {"fit": _fit, "handwritten": _handwritten, "products": _products}
    times = least(
        in_turns(
            ROUNDS, **{name: partial(seconds, partial(run, X, y)) for name, run in runs.items()}
        )
    )
    ratios = {f"{name}_ratio": times[name] / times["products"] for name in ("fit", "handwritten")}
    return {f"{name}_seconds": value for name, value in times.items()} | ratios


def _check_same(X: Array, y: Array) -> None:
    network, history = _fit(X, y)
    parameters, losses = _handwritten(X, y)
    np.testing.assert_array_equal(history.loss, losses)
    for key, array in network.parameters.items():
        np.testing.assert_array_equal(array, parameters[key])


def _fit(X: Array, y: Array) -> tuple[NeuralNetwork, History]:
    network = NeuralNetwork(SIZES, "relu", "sigmoid", TUTORIAL.initializer(SIZES, 1))
    history = fit(
        network,
        X,
        y,
        loss=TUTORIAL.loss,
        optimizer=TUTORIAL.optimizer(),
        iterations=TUTORIAL.iterations,
        reduction=TUTORIAL.reduction,
    )
    return network, history


def _handwritten(X: Array, y: Array) -> tuple[dict[str, Array], list[float]]:
    parameters = dict(TUTORIAL.initializer(SIZES, 1))
    rate = TUTORIAL.optimizer().learning_rate
    return handwritten.fit(X, y, parameters, rate, TUTORIAL.iterations)


def _products(X: Array, y: Array) -> None:
    """Do the products of both passes alone: on the activations of the first iteration."""
    parameters = TUTORIAL.initializer(SIZES, 1)
    W1, W2 = parameters["W1"], parameters["W2"]
    A1, delta2 = np.maximum(X @ W1, 0.0), y - 0.5
    delta1 = delta2 @ W2.T
    for _ in range(TUTORIAL.iterations):
        X @ W1
        A1 @ W2
        A1.T @ delta2
        delta2 @ W2.T
        X.T @ delta1
