"""The gradients that a fit steps along, against central differences of the loss it reports."""

from __future__ import annotations

import numpy as np
import pytest

from model.arrays import Array
from model.network.batches import Reduction
from model.network.initializers import standard_normal
from model.network.losses import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Loss,
    SquaredError,
)
from model.network.network import NeuralNetwork, with_ones
from model.network.parameters import Parameters
from model.network.training import fit
from model.recipes.sources import ClippedBinaryCrossEntropy, UnshiftedCrossEntropy
from tests.model.gradients import assert_gradients, central_difference
from tests.model.properties import random_labels, random_network, random_rows

ROWS = 7
LAYERS = [(4, 1), (4, 5, 1), (4, 5, 3, 1), (4, 3, 5, 2, 1)]


class Standstill:
    """An optimiser that keeps what it is given, and moves nothing."""

    learning_rate = 0.0

    def __init__(self) -> None:
        self.gradient = np.empty(0)

    def step(self, parameters: Array, gradient: Array) -> None:
        del parameters
        self.gradient = gradient.copy()


class Problem:
    """A network and rows on which the loss and its gradients can be asked for."""

    def __init__(self, network: NeuralNetwork, loss: Loss, l2: float = 0.0) -> None:
        self.network, self.loss, self.l2 = network, loss, l2
        self.X = random_rows(ROWS, network.layer_sizes[0], seed=1)
        outputs = network.layer_sizes[-1]
        self.y = random_labels(ROWS, seed=2)
        if outputs > 1:
            self.y = np.eye(outputs)[np.arange(ROWS) % outputs]

    def run(self, reduction: Reduction = "mean") -> tuple[float, Parameters]:
        optimizer = Standstill()
        history = fit(
            self.network,
            self.X,
            self.y,
            loss=self.loss,
            optimizer=optimizer,
            iterations=1,
            l2=self.l2,
            reduction=reduction,
        )
        return float(history.loss[0]), Parameters(self.network.layer_sizes, optimizer.gradient)

    def objective(self) -> float:
        return self.run()[0]


def smooth_network(layer_sizes: tuple[int, ...], hidden: str) -> NeuralNetwork:
    """Return a network none of whose hidden units stands near the kink of ReLU."""
    X = random_rows(ROWS, layer_sizes[0], seed=1)
    for seed in range(100):
        network = random_network(layer_sizes, hidden, seed)
        read, _ = network.forward(with_ones(X))
        sums = np.concatenate(
            [
                (
                    a[:, :size] @ network.parameters[f"W{layer}"] + network.parameters[f"b{layer}"]
                ).ravel()
                for layer, (a, size) in enumerate(zip(read, layer_sizes, strict=False), start=1)
            ]
        )
        if np.abs(sums).min() > 1e-2:
            return network
    raise AssertionError("no seed keeps the units away from 0")


@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("hidden", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("layer_sizes", LAYERS)
def test_every_gradient_of_the_total_loss_agrees_with_central_differences(
    layer_sizes: tuple[int, ...], hidden: str, l2: float
) -> None:
    problem = Problem(smooth_network(layer_sizes, hidden), BinaryCrossEntropy(), l2)
    _, gradients = problem.run()
    assert_gradients(problem.objective, problem.network.parameters, gradients)


@pytest.mark.parametrize(
    ("output", "loss"),
    [
        ("softmax", CategoricalCrossEntropy()),
        ("softmax", UnshiftedCrossEntropy()),
        ("sigmoid", SquaredError("sigmoid")),
        ("tanh", SquaredError("tanh")),
        ("identity", SquaredError("identity")),
    ],
)
@pytest.mark.parametrize("layer_sizes", [(3, 4), (4, 5, 3), (4, 3, 5, 2)])
def test_every_gradient_of_the_losses_of_many_outputs_agrees_with_central_differences(
    layer_sizes: tuple[int, ...], output: str, loss: Loss
) -> None:
    parameters = standard_normal(layer_sizes, 3)
    problem = Problem(NeuralNetwork(layer_sizes, "tanh", output, parameters), loss, l2=0.3)
    _, gradients = problem.run()
    assert_gradients(problem.objective, problem.network.parameters, gradients)


def test_the_tutorials_gradient_is_the_exact_one_where_no_row_is_saturated() -> None:
    problem = Problem(smooth_network((4, 5, 1), "relu"), ClippedBinaryCrossEntropy())
    _, gradients = problem.run()
    assert_gradients(problem.objective, problem.network.parameters, gradients)


def test_the_sum_over_the_rows_steps_along_n_times_the_gradient_of_the_mean() -> None:
    problem = Problem(random_network((4, 5, 1)), BinaryCrossEntropy(), l2=0.7)
    (mean_loss, mean), (sum_loss, total) = problem.run("mean"), problem.run("sum")
    assert mean_loss == sum_loss
    for key, gradient in mean.items():
        np.testing.assert_allclose(total[key], ROWS * gradient, rtol=1e-14, atol=0)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_on_saturated_rows_and_no_others_the_tutorials_gradient_fails_the_check(
    label: float,
) -> None:
    # One row a weighted sum; from |z| = 23.03 on, a wrong one's probability is within 1e-10 of 1.
    z = np.array([[-40.0], [-24.0], [-22.0], [-3.0], [0.5], [22.0], [24.0], [40.0]])
    y = np.full_like(z, label)
    saturated = (z > 23.03) if label == 0.0 else (z < -23.03)

    def exact_loss() -> float:
        return float(np.sum(np.logaddexp(0.0, z) - y * z))

    numeric = np.array([[central_difference(exact_loss, z, (row, 0))] for row in range(len(z))])
    exact, clipped = (
        loss.of_rows(z, loss.prepare(y))[1]
        for loss in (BinaryCrossEntropy(), ClippedBinaryCrossEntropy())
    )
    np.testing.assert_allclose(exact, numeric, atol=1e-6)
    np.testing.assert_array_equal(np.abs(clipped - numeric) > 1e-5, saturated)


def test_a_wrong_gradient_is_reported_by_parameter_index_and_both_values() -> None:
    problem = Problem(smooth_network((4, 5, 1), "tanh"), BinaryCrossEntropy())
    _, gradients = problem.run()
    gradients["b1"][3] += 1e-4
    with pytest.raises(AssertionError, match=r"^b1\[3\]: analytic -?[\d.e-]+, numeric -?[\d.e-]+"):
        assert_gradients(problem.objective, problem.network.parameters, gradients)
