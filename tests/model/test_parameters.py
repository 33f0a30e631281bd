"""Parameters: one vector, and the weights and biases that are views of it."""

from __future__ import annotations

import numpy as np
import pytest

from model.network.initializers import standard_normal
from model.network.parameters import Parameters, parameter_shapes

SIZES = (5, 4, 3, 1)


@pytest.mark.parametrize("stack", [(), (3,)], ids=["one", "a stack"])
def test_every_number_is_there_once_for_every_view(stack: tuple[int, ...]) -> None:
    numbers = 5 * 4 + 4 + 4 * 3 + 3 + 3 * 1 + 1
    vector = np.arange(np.prod((*stack, numbers)), dtype=float).reshape(*stack, numbers)
    parameters = Parameters(SIZES, vector)
    shapes = {key: (*stack, *shape) for key, shape in parameter_shapes(SIZES).items()}
    assert {key: array.shape for key, array in parameters.items()} == shapes
    for arrays in (parameters.values(), parameters.layers):
        assert all(np.shares_memory(array, vector) for array in arrays)
        found = np.concatenate([array.ravel() for array in arrays])
        assert sorted(found) == sorted(vector.ravel())
    for number, layer in enumerate(parameters.layers, start=1):
        np.testing.assert_array_equal(layer[..., :-1, :], parameters[f"W{number}"])
        np.testing.assert_array_equal(layer[..., -1, :], parameters[f"b{number}"])


def test_a_change_of_one_view_is_one_of_all() -> None:
    parameters = Parameters(SIZES, np.zeros(43))
    parameters["b2"][1] = 7.0
    assert parameters.layers[1][-1, 1] == 7.0
    assert parameters.vector.sum() == 7.0
    parameters.vector[...] = 2.0
    assert all((array == 2.0).all() for array in parameters.values())


def test_what_is_made_of_arrays_is_a_copy() -> None:
    arrays = standard_normal(SIZES, 0)
    parameters = Parameters.of(SIZES, arrays)
    assert list(parameters) == list(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(parameters[key], array)
        array[...] = 0.0
    assert (parameters.vector != 0.0).all()


def test_an_empty_one_has_the_same_shapes_and_other_memory() -> None:
    parameters = Parameters.of(SIZES, standard_normal(SIZES, 0))
    other = parameters.empty_like()
    other.vector[...] = 0.0
    assert {key: array.shape for key, array in other.items()} == parameter_shapes(SIZES)
    assert (parameters.vector != 0.0).all()
