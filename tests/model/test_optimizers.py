"""Optimisers: single steps, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.optimizers import Adam, GradientDescent, Momentum, Optimizer

OPTIMIZERS: list[Optimizer] = [GradientDescent(0.1), Adam(0.1)]


def test_gradient_descent_goes_down_the_gradient() -> None:
    parameters = {"W1": np.array([[1.0, 2.0]]), "b1": np.array([3.0])}
    gradients = {"W1": np.array([[10.0, -20.0]]), "b1": np.array([0.5])}
    GradientDescent(0.1).step(parameters, gradients)
    np.testing.assert_allclose(parameters["W1"], [[0.0, 4.0]], rtol=1e-15)
    np.testing.assert_allclose(parameters["b1"], [2.95], rtol=1e-15)


def test_the_first_step_of_adam_has_the_length_of_the_learning_rate() -> None:
    parameters = {"w": np.array([1.0, 1.0, 1.0])}
    Adam(0.1).step(parameters, {"w": np.array([1e-3, -5.0, 0.0])})
    np.testing.assert_allclose(parameters["w"], [0.9, 1.1, 1.0], rtol=1e-5)


def test_two_steps_of_adam_come_out_as_worked_out_by_hand() -> None:
    parameters, adam = {"w": np.array([0.0])}, Adam(0.1)
    adam.step(parameters, {"w": np.array([2.0])})
    first = -0.1 * 2.0 / (2.0 + 1e-8)
    assert parameters["w"][0] == pytest.approx(first, rel=1e-12)
    adam.step(parameters, {"w": np.array([-1.0])})
    # m = 0.9 * 0.2 + 0.1 * -1, v = 0.999 * 0.004 + 0.001 * 1, each over its correction.
    mean, square = 0.08 / 0.19, 0.004996 / 0.001999
    second = first - 0.1 * mean / (math.sqrt(square) + 1e-8)
    assert parameters["w"][0] == pytest.approx(second, rel=1e-9)


def test_adam_keeps_its_means_for_each_parameter() -> None:
    together, alone = {"a": np.zeros(1), "b": np.zeros(1)}, {"b": np.zeros(1)}
    one, other = Adam(0.1), Adam(0.1)
    for gradient in (3.0, -1.0, 0.5):
        one.step(together, {"a": np.array([100.0]), "b": np.array([gradient])})
        other.step(alone, {"b": np.array([gradient])})
    np.testing.assert_array_equal(together["b"], alone["b"])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_parameters_are_changed_in_place_and_gradients_are_not(optimizer: Optimizer) -> None:
    weights, gradient = np.ones((2, 2)), np.full((2, 2), 3.0)
    parameters = {"W1": weights}
    optimizer.step(parameters, {"W1": gradient})
    assert parameters["W1"] is weights
    assert (weights < 1.0).all()
    assert (gradient == 3.0).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gradient_of_zero_moves_nothing_at_the_first_step(optimizer: Optimizer) -> None:
    parameters = {"zero": np.ones(3)}
    optimizer.step(parameters, {"zero": np.zeros(3)})
    assert (parameters["zero"] == 1.0).all()


def test_momentum_adds_a_part_of_the_last_step() -> None:
    parameters = {"W1": np.array([1.0])}
    optimizer = Momentum(learning_rate=0.1, momentum=0.5)
    for expected in (0.8, 0.5, 0.15):
        optimizer.step(parameters, {"W1": np.array([2.0])})
        assert parameters["W1"] == pytest.approx([expected], rel=1e-14)


def test_momentum_of_zero_is_gradient_descent() -> None:
    one, other = {"W1": np.ones(3)}, {"W1": np.ones(3)}
    momentum, descent = Momentum(0.3, momentum=0.0), GradientDescent(0.3)
    for seed in range(3):
        gradients = {"W1": np.random.default_rng(seed).normal(size=3)}
        momentum.step(one, gradients)
        descent.step(other, gradients)
    np.testing.assert_allclose(one["W1"], other["W1"], rtol=1e-15)
