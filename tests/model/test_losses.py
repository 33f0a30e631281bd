"""Losses, their gradients by the weighted sums, and the penalty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.arrays import Array
from model.network.activations import ACTIVATIONS
from model.network.losses import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Loss,
    SquaredError,
    l2_penalty,
)
from model.recipes.sources import ClippedBinaryCrossEntropy, UnshiftedCrossEntropy

BOTH: list[Loss] = [BinaryCrossEntropy(), ClippedBinaryCrossEntropy()]
P = np.array([[0.1], [0.6], [0.9]])
Z = np.log(P / (1 - P))
Y = np.array([[0.0], [1.0], [0.0]])
FAR = np.array([[-1e300], [-1e3], [1e3], [1e300]])


def of_rows(loss: Loss, z: Array, y: Array) -> tuple[Array, Array]:
    return loss.of_rows(z, loss.prepare(y))


@pytest.mark.parametrize("loss", BOTH)
def test_a_row_loses_the_logarithm_of_the_probability_of_its_label(loss: Loss) -> None:
    losses, _ = of_rows(loss, Z, Y)
    np.testing.assert_allclose(losses, [-math.log(q) for q in (0.9, 0.6, 0.1)], rtol=1e-14)


@pytest.mark.parametrize("loss", BOTH)
def test_logarithms_are_taken_of_at_least_1e_minus_10(loss: Loss) -> None:
    most = -math.log(1e-10)
    for label, expected in ((0.0, [0.0, 0.0, most, most]), (1.0, [most, most, 0.0, 0.0])):
        losses, _ = of_rows(loss, FAR, np.full_like(FAR, label))
        assert losses.tolist() == pytest.approx(expected, rel=1e-14)


def test_the_exact_gradient_is_probability_minus_label() -> None:
    _, delta = of_rows(BinaryCrossEntropy(), Z, Y)
    np.testing.assert_allclose(delta, P - Y, rtol=1e-14)


def test_both_gradients_agree_away_from_saturation() -> None:
    (_, exact), (_, clipped) = (of_rows(loss, Z, Y) for loss in BOTH)
    np.testing.assert_allclose(clipped, exact, rtol=1e-14)


def test_the_tutorials_gradient_is_as_the_tutorial_writes_it() -> None:
    z = np.linspace(-40.0, 40.0, 161)[:, np.newaxis]
    p = ACTIVATIONS["sigmoid"].function(z)
    for label in (0.0, 1.0):
        by_p = (1.0 - label) / np.maximum(1.0 - p, 1e-10) - label / np.maximum(p, 1e-10)
        _, clipped = of_rows(ClippedBinaryCrossEntropy(), z, np.full_like(z, label))
        np.testing.assert_allclose(clipped, by_p * p * (1.0 - p), rtol=1e-12, atol=1e-20)


def test_the_tutorials_gradient_is_zero_on_a_saturated_row() -> None:
    saturated, labels = np.array([[50.0], [-50.0]]), np.array([[0.0], [1.0]])
    (_, exact), (_, clipped) = (of_rows(loss, saturated, labels) for loss in BOTH)
    assert exact.tolist() == [[1.0], [-1.0]]
    np.testing.assert_allclose(clipped, [[0.0], [0.0]], atol=1e-11)


@pytest.mark.parametrize(
    "loss",
    [
        *BOTH,
        CategoricalCrossEntropy(),
        UnshiftedCrossEntropy(),
        SquaredError("tanh"),
        SquaredError("sigmoid"),
    ],
)
def test_a_loss_leaves_sums_and_targets_alone_and_overflows_nowhere(loss: Loss) -> None:
    z, y = np.vstack([Z, FAR, -FAR]), np.vstack([Y, FAR > 0, FAR > 0])
    kept = z.copy(), y.copy()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        losses, delta = of_rows(loss, z, y)
    np.testing.assert_array_equal([z, y], kept)
    assert losses.shape == (len(z),)
    assert delta.shape == z.shape
    assert np.isfinite(losses).all()
    assert np.isfinite(delta).all()


def test_both_cross_entropies_of_softmax_agree_but_for_rounding() -> None:
    z = np.random.default_rng(0).normal(scale=200.0, size=(500, 3))
    y = np.eye(3)[np.arange(500) % 3]
    for one, other in zip(
        of_rows(CategoricalCrossEntropy(), z, y),
        of_rows(UnshiftedCrossEntropy(), z, y),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_the_penalty_counts_weights_and_not_biases() -> None:
    parameters = {
        "W1": np.array([[1.0, -2.0]]),
        "b1": np.array([100.0]),
        "W2": np.array([[3.0]]),
        "b2": np.array([100.0]),
    }
    assert l2_penalty(parameters, 0.5) == 0.25 * (1 + 4 + 9)
    assert l2_penalty(parameters, 0.0) == 0.0
