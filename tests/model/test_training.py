"""The fit loop: its history, its penalty, and what it says when the numbers run away."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from model.errors import DivergenceError
from model.losses import BinaryCrossEntropy
from model.network import NeuralNetwork
from model.optimizers import Adam, GradientDescent
from model.training import History, Reduction, fit
from tests.model.properties import random_labels, random_network, random_rows

ROWS = 40
X = random_rows(ROWS, 5)
y = random_labels(ROWS)


def run(
    network: NeuralNetwork,
    rate: float = 0.1,
    iterations: int = 20,
    l2: float = 0.0,
    reduction: Reduction = "mean",
) -> History:
    return fit(
        network,
        X,
        y,
        loss=BinaryCrossEntropy(),
        optimizer=GradientDescent(rate),
        iterations=iterations,
        l2=l2,
        reduction=reduction,
    )


@pytest.mark.parametrize("iterations", [0, 1, 7])
def test_the_history_holds_the_loss_of_every_iteration(iterations: int) -> None:
    history = run(random_network(), iterations=iterations)
    assert len(history.loss) == iterations
    assert all(isinstance(loss, float) for loss in history.loss)


def test_the_first_loss_is_that_before_any_step_with_the_penalty_included() -> None:
    network = random_network()
    squares = sum(np.sum(network.parameters[key] ** 2) for key in ("W1", "W2"))
    plain = BinaryCrossEntropy().value(network.forward(X)[-1], y)
    assert run(network, iterations=1, l2=3.0).loss[0] == pytest.approx(
        plain + 3.0 / 2 * squares / ROWS, rel=1e-14
    )


def test_the_loss_falls() -> None:
    loss = run(random_network(), iterations=100).loss
    assert loss[-1] < loss[0] / 1.2


def test_the_same_start_gives_the_same_end_to_the_last_bit() -> None:
    one, other = random_network(), random_network()
    assert run(one).loss == run(other).loss
    for key, weights in one.parameters.items():
        np.testing.assert_array_equal(weights, other.parameters[key])


def test_the_sum_at_a_rate_is_the_mean_at_n_times_the_rate() -> None:
    by_sum, by_mean = random_network(), random_network()
    run(by_sum, rate=0.01, reduction="sum")
    run(by_mean, rate=0.01 * ROWS, reduction="mean")
    for key, weights in by_sum.parameters.items():
        np.testing.assert_allclose(weights, by_mean.parameters[key], rtol=1e-10)


def test_a_penalty_shrinks_the_weights_and_one_of_zero_is_none() -> None:
    free, zero, held = random_network(), random_network(), random_network()
    plain = partial(
        fit, X=X, y=y, loss=BinaryCrossEntropy(), optimizer=GradientDescent(0.1), iterations=50
    )
    plain(free)
    plain(zero, l2=0.0)
    plain(held, l2=20.0)
    for key in ("W1", "W2"):
        np.testing.assert_array_equal(free.parameters[key], zero.parameters[key])
        assert np.sum(held.parameters[key] ** 2) < 0.5 * np.sum(free.parameters[key] ** 2)


def test_the_callback_hears_of_every_iteration() -> None:
    heard: list[int] = []
    fit(
        random_network(),
        X,
        y,
        loss=BinaryCrossEntropy(),
        optimizer=Adam(0.01),
        iterations=4,
        callback=heard.append,
    )
    assert heard == [1, 2, 3, 4]


def test_divergence_names_the_iteration_and_the_rate() -> None:
    with pytest.raises(DivergenceError) as caught:
        run(random_network(hidden="relu"), rate=1e200)
    assert "iteration 2 (learning rate 1e+200)" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_told_at_the_first_iteration(value: float) -> None:
    broken = X.copy()
    broken[3, 2] = value
    with pytest.raises(DivergenceError, match="iteration 1 "):
        fit(
            random_network(hidden="relu"),
            broken,
            y,
            loss=BinaryCrossEntropy(),
            optimizer=Adam(0.25),
            iterations=3,
        )
