"""Early stopping: when a run ends, what it leaves, and what is recorded of the validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.arrays import Array
from model.errors import DivergenceError
from model.network.losses import BinaryCrossEntropy, CategoricalCrossEntropy, Loss, SquaredError
from model.network.network import NeuralNetwork
from model.network.optimizers import Adam, GradientDescent
from model.network.training import EarlyStopping, History, fit, mean_loss
from tests.model.properties import PROPERTY, random_labels, random_network, random_rows

X, y = random_rows(30, 5, seed=1), random_labels(30, seed=2)
VALIDATION = random_rows(20, 5, seed=3), random_labels(20, seed=4)
MOST = 120
ALL = MOST + 1
"""A patience that no run exhausts."""


def run(network: NeuralNetwork, rows: Array = X, targets: Array = y, **changed: Any) -> History:
    given: dict[str, Any] = {
        "loss": BinaryCrossEntropy(),
        "optimizer": GradientDescent(0.5),
        "iterations": MOST,
        "validation": VALIDATION,
    }
    return fit(network, rows, targets, **given | changed)


def lowest(losses: Sequence[Any]) -> int:
    """Return the number of iterations done when the loss was lowest first."""
    return int(np.argmin(losses)) + 1


def stop(losses: Sequence[float], patience: int) -> int:
    """Return the number of iterations after which none has been lower for so many."""
    low, waited = np.inf, 0
    for number, loss in enumerate(losses, start=1):
        waited = 0 if loss < low else waited + 1
        low = min(low, loss)
        if waited >= patience:
            return number
    return len(losses)


def assert_same(one: NeuralNetwork, other: NeuralNetwork) -> None:
    for key, parameter in one.parameters.items():
        np.testing.assert_array_equal(other.parameters[key], parameter, err_msg=key)


@pytest.fixture(scope="module")
def unstopped() -> list[float]:
    return [float(loss) for loss in run(random_network()).validation_loss]


def test_the_rows_of_these_tests_are_overfitted(unstopped: list[float]) -> None:
    assert 1 < lowest(unstopped) < MOST - 50
    assert unstopped[-1] > min(unstopped) + 0.01


@pytest.mark.parametrize("patience", [1, 2, 5, 20])
def test_a_run_stops_when_the_loss_has_not_been_lower_for_so_many_iterations(
    patience: int, unstopped: list[float]
) -> None:
    history = run(random_network(), early_stopping=EarlyStopping(patience))
    expected = stop(unstopped, patience)
    assert expected < MOST
    assert history.validation_loss == unstopped[:expected]
    assert len(history.loss) == expected
    assert lowest(unstopped[:expected]) == expected - patience


@pytest.mark.parametrize("patience", [1, 20, ALL])
def test_a_run_leaves_the_parameters_of_the_lowest_loss_bit_for_bit(
    patience: int, unstopped: list[float]
) -> None:
    stopped, shorter = random_network(), random_network()
    history = run(stopped, early_stopping=EarlyStopping(patience))
    run(shorter, iterations=lowest(history.validation_loss))
    assert_same(shorter, stopped)
    assert mean_loss(stopped, *VALIDATION, BinaryCrossEntropy()) == min(history.validation_loss)


def test_patience_that_is_not_exhausted_ends_no_run(unstopped: list[float]) -> None:
    history = run(random_network(), early_stopping=EarlyStopping(ALL))
    assert history.validation_loss == unstopped


def test_a_loss_that_always_falls_is_followed_to_the_end() -> None:
    stopped, plain = random_network(), random_network()
    rows: dict[str, Any] = {"validation": (X, y), "optimizer": GradientDescent(0.01)}
    history = run(stopped, early_stopping=EarlyStopping(1), **rows)
    run(plain, **rows)
    assert len(history.loss) == MOST
    assert_same(plain, stopped)


def test_the_callback_is_called_for_the_iterations_that_were_run() -> None:
    calls: list[int] = []
    history = run(random_network(), early_stopping=EarlyStopping(3), callback=calls.append)
    assert calls == list(range(1, len(history.loss) + 1))


@pytest.mark.parametrize("l2", [0.0, 2.0])
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize(
    ("output", "loss"),
    [
        ("sigmoid", BinaryCrossEntropy()),
        ("softmax", CategoricalCrossEntropy()),
        ("sigmoid", SquaredError("sigmoid")),
    ],
)
def test_the_validation_loss_is_that_after_each_iteration_without_the_penalty(
    output: str, loss: Loss, batch_size: int | None, l2: float
) -> None:
    classes = 1 if isinstance(loss, BinaryCrossEntropy) else 2
    targets = np.hstack([1 - y, y])[:, -classes:]
    others = np.hstack([1 - VALIDATION[1], VALIDATION[1]])[:, -classes:]
    start = random_network((5, 4, classes)).parameters
    network = NeuralNetwork((5, 4, classes), "tanh", output, start)
    expected: list[Array] = []

    def recompute(_: int) -> None:
        expected.append(mean_loss(network, VALIDATION[0], others, loss))

    history = run(
        network,
        targets=targets,
        loss=loss,
        iterations=9,
        validation=(VALIDATION[0], others),
        batch_size=batch_size,
        l2=l2,
        callback=recompute,
    )
    assert history.validation_loss == expected
    assert len(expected) == 9


def test_validation_rows_are_not_trained_on() -> None:
    validated, plain = random_network(), random_network()
    history = run(validated)
    assert run(plain, validation=None).loss == history.loss
    assert_same(plain, validated)


def test_without_validation_rows_there_is_no_validation_loss() -> None:
    assert run(random_network(), validation=None, iterations=3).validation_loss == []


def test_early_stopping_without_validation_rows_is_refused_before_anything_moves() -> None:
    network = random_network()
    with pytest.raises(ValueError, match="validation rows"):
        run(network, validation=None, early_stopping=EarlyStopping(3))
    assert_same(random_network(), network)


def test_no_iterations_leave_the_network_as_it_was() -> None:
    network = random_network()
    assert run(network, iterations=0, early_stopping=EarlyStopping(3)) == History()
    assert_same(random_network(), network)


def test_one_object_may_stop_one_run_after_another() -> None:
    stopping = EarlyStopping(2)
    first, again = random_network(), random_network()
    run(first, optimizer=Adam(0.3), early_stopping=stopping)
    run(again, early_stopping=stopping)
    alone = random_network()
    run(alone, early_stopping=EarlyStopping(2))
    assert_same(alone, again)


class Counted:
    """A network of one number, which is set to that of the iteration."""

    def __init__(self, members: int | None = None) -> None:
        shape = () if members is None else (members,)
        start = {"W1": np.zeros((*shape, 1, 1)), "b1": np.zeros((*shape, 1))}
        self.network = NeuralNetwork((1, 1), "identity", "identity", start)
        self.parameters = self.network.parameters

    def set(self, number: int) -> None:
        for parameter in self.parameters.values():
            parameter[...] = number

    def left(self) -> list[float]:
        assert self.parameters["W1"].ravel().tolist() == self.parameters["b1"].ravel().tolist()
        return [float(number) for number in self.parameters["b1"].ravel()]


FEW_VALUES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@PROPERTY
@given(losses=st.lists(FEW_VALUES, min_size=1, max_size=30), patience=st.integers(1, 6))
def test_of_any_losses_the_first_lowest_is_kept_until_patience_is_out(
    losses: list[float], patience: int
) -> None:
    counted, stopping = Counted(), EarlyStopping(patience)
    stopping.start(counted.network, VALIDATION)
    for number, loss in enumerate(losses, start=1):
        counted.set(number)
        if stopping.is_over(np.asarray(loss)):
            break
    stopping.restore()
    assert number == stop(losses, patience)
    assert counted.left() == [lowest(losses[:number])]


@PROPERTY
@given(
    losses=st.lists(st.lists(FEW_VALUES, min_size=3, max_size=3), min_size=1, max_size=30),
    patience=st.integers(1, 6),
)
def test_of_a_stack_each_member_keeps_its_own_first_lowest(
    losses: list[list[float]], patience: int
) -> None:
    counted, stopping = Counted(members=3), EarlyStopping(patience)
    stopping.start(counted.network, VALIDATION)
    is_over = False
    for number, loss in enumerate(losses, start=1):
        counted.set(number)
        is_over = stopping.is_over(np.array(loss))
        if is_over:
            break
    stopping.restore()
    of_members = list(zip(*losses[:number], strict=True))
    assert counted.left() == [lowest(member) for member in of_members]
    waited = [number - lowest(member) for member in of_members]
    assert is_over == (min(waited) >= patience)


def stack_of(networks: Sequence[NeuralNetwork]) -> NeuralNetwork:
    parameters = [network.parameters for network in networks]
    return networks[0].with_parameters(
        {key: np.stack([each[key] for each in parameters]) for key in parameters[0]}
    )


@pytest.mark.parametrize("shared", [True, False], ids=["common rows", "own rows"])
def test_each_network_of_a_stack_ends_as_if_alone_up_to_when_the_stack_ends(shared: bool) -> None:
    rows = np.stack([random_rows(30, 5, seed) for seed in (1, 11, 21)])
    targets = np.stack([random_labels(30, seed) for seed in (2, 12, 22)])
    validations = [
        VALIDATION if shared else (random_rows(20, 5, seed), random_labels(20, seed))
        for seed in (5, 15, 25)
    ]
    together = (
        VALIDATION if shared else tuple(np.stack(parts) for parts in zip(*validations, strict=True))
    )
    stack = stack_of([random_network(seed=seed) for seed in range(3)])
    history = run(stack, rows, targets, validation=together, early_stopping=EarlyStopping(4))
    iterations = len(history.loss)
    assert iterations < MOST
    waited = [iterations - lowest(losses) for losses in np.transpose(history.validation_loss)]
    assert min(waited) == 4
    for index in range(3):
        alone = random_network(seed=index)
        own = run(
            alone,
            rows[index],
            targets[index],
            validation=validations[index],
            iterations=iterations,
            early_stopping=EarlyStopping(ALL),
        )
        of_stack = np.transpose(history.validation_loss)[index]
        np.testing.assert_allclose(of_stack, own.validation_loss, rtol=0, atol=1e-10)
        for key, parameter in alone.parameters.items():
            np.testing.assert_allclose(stack.parameters[key][index], parameter, 0, 1e-10)


def test_a_validation_row_that_is_no_number_ends_the_run_with_a_word() -> None:
    rows = X.copy()
    rows[0, 0] = np.nan
    with pytest.raises(DivergenceError):
        run(random_network(), early_stopping=EarlyStopping(5), validation=(rows, y))


def test_a_patience_of_no_iteration_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one iteration"):
        EarlyStopping(0)
