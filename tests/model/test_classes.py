"""Classes: what the outputs of a network stand for, and which class is predicted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.arrays import Array
from model.network.activations import sigmoid, softmax
from model.schema.classes import class_probabilities, predicted_classes
from tests.model.properties import PROPERTY, random_rows

EPSILON = float(np.finfo(np.float64).eps)


def outputs_of(classes: int) -> st.SearchStrategy[Array]:
    rows = st.integers(1, 9).map(lambda rows: (rows, classes))
    return arrays.arrays(np.float64, rows, elements=st.floats(0.0, 1.0))


SIGMOIDS = st.integers(3, 9).flatmap(outputs_of)


def test_the_only_output_is_the_probability_of_the_positive_class() -> None:
    outputs = sigmoid(random_rows(5, 1))
    assert class_probabilities(outputs, "sigmoid").tobytes() == outputs[:, 0].tobytes()


def test_of_two_softmax_outputs_the_second_is_the_probability_of_the_positive_class() -> None:
    outputs = softmax(random_rows(5, 2))
    assert class_probabilities(outputs, "softmax").tobytes() == outputs[:, 1].tobytes()


def test_softmax_outputs_of_many_classes_stay_as_they_are() -> None:
    outputs = softmax(random_rows(5, 4))
    assert class_probabilities(outputs, "softmax").tobytes() == outputs.tobytes()


def test_sigmoid_outputs_are_divided_by_their_sum() -> None:
    outputs = np.array([[0.5, 0.25, 0.25], [0.9, 0.9, 0.6], [0.1, 0.0, 0.0]])
    np.testing.assert_allclose(
        class_probabilities(outputs, "sigmoid"),
        [[0.5, 0.25, 0.25], [0.375, 0.375, 0.25], [1.0, 0.0, 0.0]],
        rtol=1e-15,
    )


def test_of_two_sigmoid_outputs_the_second_counts_by_its_share() -> None:
    outputs = np.array([[0.2, 0.6], [0.9, 0.1], [0.0, 1.0]])
    np.testing.assert_allclose(class_probabilities(outputs, "sigmoid"), [0.75, 0.1, 1.0], 1e-15)


@pytest.mark.parametrize(("classes", "expected"), [(2, 0.5), (3, [1 / 3] * 3), (4, [0.25] * 4)])
def test_outputs_that_are_all_zero_prefer_no_class(classes: int, expected: object) -> None:
    probabilities = class_probabilities(np.zeros((1, classes)), "sigmoid")
    assert probabilities.tolist() == [expected]


@pytest.mark.parametrize("smallest", [5e-324, 1e-310])
def test_outputs_however_small_prefer_the_largest(smallest: float) -> None:
    outputs = np.array([[smallest, 0.0, 0.0], [0.0, smallest, smallest]])
    assert class_probabilities(outputs, "sigmoid").tolist() == [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]


@PROPERTY
@given(outputs=SIGMOIDS)
def test_probabilities_of_many_classes_sum_to_one(outputs: Array) -> None:
    probabilities = class_probabilities(outputs, "sigmoid")
    assert ((probabilities >= 0.0) & (probabilities <= 1.0)).all()
    bound = outputs.shape[1] * EPSILON
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=0.0, atol=bound)


@PROPERTY
@given(outputs=SIGMOIDS)
def test_the_class_of_the_largest_output_is_predicted(outputs: Array) -> None:
    predicted = predicted_classes(class_probabilities(outputs, "sigmoid"), None)
    largest = outputs.max(axis=1)
    np.testing.assert_allclose(outputs[range(len(outputs)), predicted], largest, rtol=4 * EPSILON)


@PROPERTY
@given(outputs=st.integers(1, 9).flatmap(outputs_of))
def test_a_rows_probabilities_are_the_same_alone_bit_for_bit(outputs: Array) -> None:
    together = class_probabilities(outputs, "sigmoid")
    alone = [class_probabilities(outputs[[row]], "sigmoid") for row in range(len(outputs))]
    assert np.concatenate(alone).tobytes() == together.tobytes()


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("n_outputs", [1, 2, 3])
def test_a_stack_is_taken_network_by_network(n_outputs: int, activation: str) -> None:
    outputs = sigmoid(np.stack([random_rows(5, n_outputs, seed) for seed in range(4)]))
    stacked = class_probabilities(outputs, activation)
    assert stacked.shape == ((4, 5, 3) if n_outputs == 3 else (4, 5))
    for member, probabilities in zip(outputs, stacked, strict=True):
        np.testing.assert_array_equal(class_probabilities(member, activation), probabilities)
    threshold = None if n_outputs == 3 else 0.5
    assert predicted_classes(stacked, threshold).shape == (4, 5)


def test_two_classes_are_separated_by_what_exceeds_the_threshold() -> None:
    probabilities = np.array([0.0, 0.2, np.nextafter(0.2, 1.0), 1.0])
    assert predicted_classes(probabilities, 0.2).tolist() == [0, 0, 1, 1]


def test_of_equal_probabilities_the_first_class_is_predicted() -> None:
    probabilities = np.array([[0.2, 0.4, 0.4], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    assert predicted_classes(probabilities, None).tolist() == [1, 0, 0]


@PROPERTY
@given(z=arrays.arrays(np.float64, (6, 2), elements=st.floats(-30.0, 30.0)))
def test_above_one_half_is_the_larger_of_two_softmax_outputs(z: Array) -> None:
    outputs = softmax(z)
    predicted = predicted_classes(class_probabilities(outputs, "softmax"), 0.5)
    differ = np.abs(outputs[:, 0] - outputs[:, 1]) > 4 * EPSILON
    assert (predicted == outputs.argmax(axis=1))[differ].all()
