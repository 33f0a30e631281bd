"""100 iterations of the tutorial's network, beside the matrix products that they are made of."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.figures import Figures, in_turns, least, seconds
from model.arrays import Array
from model.data import load_heart
from model.network.network import NeuralNetwork
from model.network.training import fit
from model.recipes.recipes import TUTORIAL

SIZES = (13, 8, 1)
ROWS = 216
ROUNDS = 100


def measure() -> Figures:
    """Return the seconds of both, and the ratio."""
    dataset = load_heart()
    X = dataset.X[:ROWS]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = TUTORIAL.targets(dataset)[:ROWS]
    runs = {"fit": _fit, "products": _products}
    times = least(
        in_turns(
            ROUNDS, **{name: partial(seconds, partial(run, X, y)) for name, run in runs.items()}
        )
    )
    figures = {f"{name}_seconds": value for name, value in times.items()}
    return figures | {"fit_ratio": times["fit"] / times["products"]}


def _fit(X: Array, y: Array) -> None:
    network = NeuralNetwork(SIZES, "relu", "sigmoid", TUTORIAL.initializer(SIZES, 1))
    fit(
        network,
        X,
        y,
        loss=TUTORIAL.loss,
        optimizer=TUTORIAL.optimizer(),
        iterations=TUTORIAL.iterations,
        reduction=TUTORIAL.reduction,
    )


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
