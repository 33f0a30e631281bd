"""Losses, their gradients by the weighted sums, and the penalty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.losses import BinaryCrossEntropy, ClippedBinaryCrossEntropy, Loss, l2_penalty

BOTH: list[Loss] = [BinaryCrossEntropy(), ClippedBinaryCrossEntropy()]
P = np.array([[0.1], [0.6], [0.9]])
Y = np.array([[0.0], [1.0], [0.0]])


@pytest.mark.parametrize("loss", BOTH)
def test_the_loss_is_the_mean_of_the_rows(loss: Loss) -> None:
    expected = -(math.log(0.9) + math.log(0.6) + math.log(0.1)) / 3
    assert loss.value(P, Y) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("loss", BOTH)
def test_logarithms_are_taken_of_at_least_1e_minus_10(loss: Loss) -> None:
    wrong_and_sure = loss.value(np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]]))
    assert wrong_and_sure == pytest.approx(-math.log(1e-10), rel=1e-14)
    assert loss.value(np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]])) == 0.0


def test_the_exact_gradient_is_probability_minus_label() -> None:
    np.testing.assert_array_equal(BinaryCrossEntropy().output_delta(P, Y), P - Y)


def test_both_gradients_agree_away_from_saturation() -> None:
    exact, clipped = (loss.output_delta(P, Y) for loss in BOTH)
    np.testing.assert_allclose(clipped, exact, rtol=1e-14)


def test_the_tutorials_gradient_is_zero_on_a_saturated_row() -> None:
    saturated, labels = np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]])
    exact, clipped = (loss.output_delta(saturated, labels) for loss in BOTH)
    assert exact.tolist() == [[1.0], [-1.0]]
    assert np.abs(clipped).tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("loss", BOTH)
def test_a_gradient_leaves_outputs_and_labels_alone(loss: Loss) -> None:
    p, y = P.copy(), Y.copy()
    loss.output_delta(p, y)
    np.testing.assert_array_equal([p, y], [P, Y])


def test_the_penalty_counts_weights_and_not_biases() -> None:
    parameters = {
        "W1": np.array([[1.0, -2.0]]),
        "b1": np.array([100.0]),
        "W2": np.array([[3.0]]),
        "b2": np.array([100.0]),
    }
    assert l2_penalty(parameters, 0.5) == 0.25 * (1 + 4 + 9)
    assert l2_penalty(parameters, 0.0) == 0.0
