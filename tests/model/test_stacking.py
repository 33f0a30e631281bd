"""Weights of several fits: the best sum for held-out rows, and equal ones where rows are few."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.arrays import Array
from model.evaluation.stacking import stacking_weights
from model.network.activations import sigmoid, softmax


def made(rows: int, outputs: int) -> tuple[Array, NDArray[np.intp]]:
    """Return logits of three fits and classes: the first is right, the last knows nothing."""
    rng = np.random.default_rng(0)
    right = 2.0 * rng.standard_normal((rows, outputs))
    p = softmax(right) if outputs > 1 else np.hstack([1 - sigmoid(right), sigmoid(right)])
    classes = (p.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    noise = rng.standard_normal((2, rows, outputs))
    return np.stack([right, right + 2.0 * noise[0], 2.0 * noise[1]]), classes


def loss(weights: Array, logits: Array, classes: NDArray[np.intp]) -> float:
    z = np.tensordot(weights, logits, 1)
    p = softmax(z) if z.shape[1] > 1 else np.hstack([1 - sigmoid(z), sigmoid(z)])
    return float(-np.log(p[np.arange(len(p)), classes]).mean())


@pytest.mark.parametrize("outputs", [1, 3])
def test_with_many_rows_the_fit_that_is_right_has_all_the_weight(outputs: int) -> None:
    logits, classes = made(20_000, outputs)
    found = stacking_weights(logits, classes, np.ones(20_000))
    np.testing.assert_allclose(found, [1.0, 0.0, 0.0], atol=0.06)
    assert (found >= 0).all()


@pytest.mark.parametrize("outputs", [1, 3])
def test_no_nearby_weights_have_a_smaller_penalised_loss(outputs: int) -> None:
    logits, classes = made(300, outputs)
    found = stacking_weights(logits, classes, np.ones(300))

    def penalised(weights: Array) -> float:
        return loss(weights, logits, classes) + 3 / 300 * float(np.sum((weights - 1 / 3) ** 2))

    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-3:
        moved = np.maximum(found + step, 0.0)
        assert penalised(moved) >= penalised(found) - 1e-9


def test_few_rows_leave_the_weights_near_equal_ones() -> None:
    logits, classes = made(4, 1)
    few = stacking_weights(logits, classes, np.ones(4))
    assert (
        np.abs(few - 1 / 3).max()
        < np.abs(stacking_weights(logits, classes, np.ones(4), trust=0.01) - 1 / 3).max()
    )
    np.testing.assert_allclose(
        stacking_weights(logits, classes, np.ones(4), trust=1e9), np.full(3, 1 / 3), atol=1e-6
    )


def test_a_row_that_counts_twice_is_two_rows() -> None:
    logits, classes = made(50, 1)
    twice = np.where(np.arange(50) < 10, 2.0, 1.0)
    doubled = np.concatenate([logits, logits[:, :10]], axis=1)
    np.testing.assert_allclose(
        stacking_weights(logits, classes, twice),
        stacking_weights(doubled, np.concatenate([classes, classes[:10]]), np.ones(60)),
        atol=1e-5,
    )
