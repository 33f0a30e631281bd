"""Initialisers: shapes, seeds and spreads."""

from __future__ import annotations

import numpy as np
import pytest

from model.network.initializers import (
    Initializer,
    glorot_uniform,
    scaled_normal,
    standard_normal,
    uniform_with_bias,
)
from model.network.parameters import parameter_shapes

ALL = [glorot_uniform, scaled_normal, standard_normal, uniform_with_bias]
SIZES = (30, 40, 20)


@pytest.mark.parametrize("initializer", ALL)
def test_the_shapes_are_those_of_the_network_and_the_seed_decides(initializer: Initializer) -> None:
    first, same, other = (initializer(SIZES, seed) for seed in (1, 1, 2))
    assert {key: array.shape for key, array in first.items()} == parameter_shapes(SIZES)
    assert all((first[key] == same[key]).all() for key in first)
    assert all((first[key] != other[key]).any() for key in first if key[0] == "W")


@pytest.mark.parametrize(
    ("initializer", "spread"),
    [
        (glorot_uniform, np.sqrt(2.0 / 70.0)),
        (scaled_normal, np.sqrt(1.0 / 30.0)),
        (standard_normal, 1.0),
        (uniform_with_bias, np.sqrt(1.0 / 3.0)),
    ],
)
def test_the_weights_are_spread_as_reported(initializer: Initializer, spread: float) -> None:
    W1 = initializer(SIZES, 0)["W1"]
    assert W1.std() == pytest.approx(spread, rel=0.06)
    assert abs(W1.mean()) < 0.1 * spread


def test_the_bias_is_drawn_in_front_of_its_units_weights() -> None:
    first, second = np.random.default_rng(5).uniform(-1.0, 1.0, (2, 4))
    drawn = uniform_with_bias((3, 2), 5)
    assert drawn["b1"].tolist() == [first[0], second[0]]
    assert drawn["W1"].T.tolist() == [first[1:].tolist(), second[1:].tolist()]
