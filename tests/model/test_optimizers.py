"""Optimisers: single steps, worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from model.network.optimizers import Adam, GradientDescent, Momentum, Optimizer

MAKERS: list[Callable[[], Optimizer]] = [
    partial(GradientDescent, 0.1),
    partial(Adam, 0.1),
    partial(Momentum, 0.1),
]


def test_gradient_descent_goes_down_the_gradient() -> None:
    parameters = np.array([[1.0, 2.0], [3.0, 4.0]])
    GradientDescent(0.1).step(parameters, np.array([[10.0, -20.0], [0.5, 0.0]]))
    np.testing.assert_allclose(parameters, [[0.0, 4.0], [2.95, 4.0]], rtol=1e-15)


def test_the_first_step_of_adam_has_the_length_of_the_learning_rate() -> None:
    parameters = np.array([1.0, 1.0, 1.0])
    Adam(0.1).step(parameters, np.array([1e-3, -5.0, 0.0]))
    np.testing.assert_allclose(parameters, [0.9, 1.1, 1.0], rtol=1e-5)


def test_two_steps_of_adam_come_out_as_worked_out_by_hand() -> None:
    parameters, adam = np.array([0.0]), Adam(0.1)
    adam.step(parameters, np.array([2.0]))
    first = -0.1 * 2.0 / (2.0 + 1e-8)
    assert parameters[0] == pytest.approx(first, rel=1e-12)
    adam.step(parameters, np.array([-1.0]))
    # m = 0.9 * 0.2 + 0.1 * -1, v = 0.999 * 0.004 + 0.001 * 1, each over its correction.
    mean, square = 0.08 / 0.19, 0.004996 / 0.001999
    second = first - 0.1 * mean / (math.sqrt(square) + 1e-8)
    assert parameters[0] == pytest.approx(second, rel=1e-9)


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_remembered_of_a_parameter_is_its_own(make: Callable[[], Optimizer]) -> None:
    together, alone = np.zeros(2), np.zeros(1)
    one, other = make(), make()
    for gradient in (3.0, -1.0, 0.5):
        one.step(together, np.array([100.0, gradient]))
        other.step(alone, np.array([gradient]))
    assert together[1] == alone[0]


@pytest.mark.parametrize("make", MAKERS)
def test_parameters_are_changed_in_place_and_gradients_are_not(
    make: Callable[[], Optimizer],
) -> None:
    weights, gradient = np.ones((2, 2)), np.full((2, 2), 3.0)
    make().step(weights, gradient)
    assert (weights < 1.0).all()
    assert (gradient == 3.0).all()


@pytest.mark.parametrize("make", MAKERS)
def test_a_gradient_of_zero_moves_nothing_at_the_first_step(make: Callable[[], Optimizer]) -> None:
    parameters = np.ones(3)
    make().step(parameters, np.zeros(3))
    assert (parameters == 1.0).all()


def test_momentum_adds_a_part_of_the_last_step() -> None:
    parameters, optimizer = np.array([1.0]), Momentum(learning_rate=0.1, momentum=0.5)
    for expected in (0.8, 0.5, 0.15):
        optimizer.step(parameters, np.array([2.0]))
        assert parameters == pytest.approx([expected], rel=1e-14)


def test_momentum_of_zero_is_gradient_descent() -> None:
    one, other = np.ones(3), np.ones(3)
    momentum, descent = Momentum(0.3, momentum=0.0), GradientDescent(0.3)
    for seed in range(3):
        gradient = np.random.default_rng(seed).normal(size=3)
        momentum.step(one, gradient)
        descent.step(other, gradient)
    np.testing.assert_allclose(one, other, rtol=1e-15)
