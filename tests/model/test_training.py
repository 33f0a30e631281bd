"""The fit loop: its history, its penalty, and what it says when the numbers run away."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from model.errors import DivergenceError
from model.network.batches import Reduction, batches_of
from model.network.descent import Descent
from model.network.losses import BinaryCrossEntropy, SquaredError
from model.network.network import NeuralNetwork
from model.network.optimizers import Adam, GradientDescent, Momentum, Optimizer
from model.network.parameters import Parameters
from model.network.training import History, fit, fit_batches, mean_loss
from model.recipes.sources import LayerwiseDescent
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
    plain = float(mean_loss(network, X, y, BinaryCrossEntropy()))
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


def test_the_callback_is_called_for_every_iteration() -> None:
    calls: list[int] = []
    fit(
        random_network(),
        X,
        y,
        loss=BinaryCrossEntropy(),
        optimizer=Adam(0.01),
        iterations=4,
        callback=calls.append,
    )
    assert calls == [1, 2, 3, 4]


def test_divergence_names_the_iteration_and_the_rate_and_says_what_to_do() -> None:
    with pytest.raises(DivergenceError) as caught:
        run(random_network(hidden="relu"), rate=1e200)
    assert "iteration 2 (learning rate 1e+200): use a smaller learning rate" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_reported_at_the_first_iteration(value: float) -> None:
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


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_a_pass_in_batches_is_that_many_passes_over_parts(batch_size: int) -> None:
    X, y = random_rows(7, 5, seed=1), random_labels(7, seed=2)
    whole, parts = random_network(), random_network()
    loss, rate = BinaryCrossEntropy(), 0.1
    fit(
        whole,
        X,
        y,
        loss=loss,
        optimizer=GradientDescent(rate),
        iterations=1,
        batch_size=batch_size,
    )
    for start in range(0, 7, batch_size):
        rows = slice(start, start + batch_size)
        fit(parts, X[rows], y[rows], loss=loss, optimizer=GradientDescent(rate), iterations=1)
    for key, parameter in whole.parameters.items():
        np.testing.assert_allclose(parameter, parts.parameters[key], rtol=1e-13)


def test_a_row_that_counts_twice_is_two_rows_and_one_that_counts_not_is_none() -> None:
    X, y = random_rows(4, 5, seed=1), random_labels(4, seed=2)
    weights, rows = np.array([1.0, 2.0, 0.0, 1.0]), [0, 1, 1, 3]
    weighted, repeated = random_network(), random_network()
    histories = [
        fit(
            network,
            inputs,
            targets,
            sample_weight=counts,
            loss=BinaryCrossEntropy(),
            optimizer=GradientDescent(0.1),
            iterations=5,
            l2=0.5,
        ).loss
        for network, inputs, targets, counts in (
            (weighted, X, y, weights),
            (repeated, X[rows], y[rows], None),
        )
    ]
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-13)
    for key, parameter in weighted.parameters.items():
        np.testing.assert_allclose(parameter, repeated.parameters[key], rtol=1e-12)


def test_through_moved_weights_another_derivative_is_carried() -> None:
    X, y = random_rows(4, 5, seed=1), random_labels(4, seed=2)
    moved: list[Parameters] = []
    for descent in (Descent, LayerwiseDescent):
        network = random_network()
        fit(
            network,
            X,
            y,
            loss=BinaryCrossEntropy(),
            optimizer=GradientDescent(0.5),
            iterations=1,
            descent=descent,
        )
        moved.append(network.parameters)
    exact, updated = moved
    assert (exact["W2"] == updated["W2"]).all()
    assert (exact["W1"] != updated["W1"]).any()


@pytest.mark.parametrize("optimizer", [Momentum(0.1), Adam(0.1)])
def test_an_optimiser_that_remembers_carries_no_moved_weights(optimizer: Optimizer) -> None:
    network = random_network()
    with pytest.raises(ValueError, match="gradient descent without momentum"):
        fit(
            network,
            X,
            y,
            loss=BinaryCrossEntropy(),
            optimizer=optimizer,
            iterations=1,
            descent=LayerwiseDescent,
        )
    np.testing.assert_array_equal(network.parameters.vector, random_network().parameters.vector)


def test_a_loss_of_another_output_activation_is_refused() -> None:
    loss, optimizer = SquaredError("tanh"), GradientDescent(0.1)
    with pytest.raises(ValueError, match="another output activation"):
        fit(random_network(), X, y, loss=loss, optimizer=optimizer, iterations=1)


def test_a_loss_that_is_not_finite_is_reported_though_every_weight_is() -> None:
    network = random_network()
    network.parameters["W1"][0, 0] = 1e200  # its square, in the penalty, is more than a float holds
    with pytest.raises(DivergenceError, match="iteration 1 "):
        run(network, rate=0.0, iterations=3, l2=1.0)


def test_a_stack_may_have_a_penalty_for_each_of_its_networks() -> None:
    start = random_network().parameters
    stack = random_network().with_parameters({key: np.stack([W] * 3) for key, W in start.items()})
    l2 = np.array([0.0, 1.0, 5.0])
    loss, counts = BinaryCrossEntropy(), np.ones(ROWS)
    batches = batches_of(X, loss.prepare(y), None, 7, reduction="mean", l2=l2)
    history = fit_batches(
        stack, batches, counts.sum(), loss=loss, optimizer=Adam(0.1), iterations=5, l2=l2
    )
    for index, penalty in enumerate(l2.tolist()):
        alone = random_network()
        expected = fit(
            alone, X, y, loss=loss, optimizer=Adam(0.1), iterations=5, l2=penalty, batch_size=7
        )
        for key, weights in alone.parameters.items():
            np.testing.assert_allclose(stack.parameters[key][index], weights, rtol=1e-10)
        assert [loss[index] for loss in history.loss] == pytest.approx(expected.loss, rel=1e-12)
