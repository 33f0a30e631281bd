"""Activations and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from model.network.activations import ACTIVATIONS, softmax

POINTS = np.array([-20.0, -3.0, -0.5, -1e-3, 1e-3, 0.5, 3.0, 20.0])


ELEMENTWISE = sorted(ACTIVATIONS.keys() - {"softmax"})


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_derivative_agrees_with_central_differences(name: str) -> None:
    f, step = ACTIVATIONS[name], 1e-5
    numeric = (f.function(POINTS + step) - f.function(POINTS - step)) / (2 * step)
    np.testing.assert_allclose(f.derivative(f.function(POINTS)), numeric, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("relu", [0.0, 0.0, 2.0]),
        ("sigmoid", [0.11920292202211755, 0.5, 0.8807970779778823]),
        ("tanh", [-0.9640275800758169, 0.0, 0.9640275800758169]),
    ],
)
def test_an_activation_has_its_known_values(name: str, values: list[float]) -> None:
    found = ACTIVATIONS[name].function(np.array([-2.0, 0.0, 2.0]))
    np.testing.assert_allclose(found, values, rtol=1e-15)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nothing_overflows_far_from_zero(name: str) -> None:
    z = np.array([-1e308, -1e3, -745.2, 0.0, 745.2, 1e3, 1e308])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        a = ACTIVATIONS[name].function(z)
    assert np.isfinite(a).all()
    assert (np.diff(a) >= 0).all()


def test_the_sigmoid_is_symmetric_and_reaches_both_ends() -> None:
    sigmoid = ACTIVATIONS["sigmoid"].function
    np.testing.assert_allclose(sigmoid(POINTS) + sigmoid(-POINTS), 1.0, rtol=1e-15)
    assert sigmoid(np.array([-1e3, 1e3])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_shape_stays_and_the_input_is_left_alone(name: str) -> None:
    z = POINTS.reshape(2, 4).copy()
    a = ACTIVATIONS[name].function(z)
    assert a.shape == ACTIVATIONS[name].derivative(a).shape == (2, 4)
    np.testing.assert_array_equal(z.ravel(), POINTS)


def test_softmax_is_a_probability_and_does_not_mind_a_shift() -> None:
    z = np.random.default_rng(0).normal(size=(50, 4)) * 5
    p = softmax(z)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(np.log(p[:, :1] / p), z[:, :1] - z, rtol=0, atol=1e-12)
    np.testing.assert_allclose(softmax(z + 300.0), p, rtol=1e-9)


@pytest.mark.parametrize("far", [501.0, 745.0, 1e3, 1e300])
def test_softmax_neither_overflows_nor_vanishes(far: float) -> None:
    z = np.array([[far, far, 0.0], [-far, -far, -far], [0.0, -far, 0.0]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        p = softmax(z)
    np.testing.assert_allclose(p, [[0.5, 0.5, 0.0], [1 / 3] * 3, [0.5, 0.0, 0.5]], atol=1e-200)


def test_softmax_of_a_stack_is_that_of_each() -> None:
    z = np.random.default_rng(0).normal(size=(3, 5, 4))
    assert (softmax(z) == np.array([softmax(rows) for rows in z])).all()


def test_softmax_is_refused_unit_by_unit() -> None:
    with pytest.raises(ValueError, match="only in the output layer"):
        ACTIVATIONS["softmax"].derivative(np.ones((1, 2)))
