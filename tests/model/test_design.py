"""Designs: a fit takes its own rows alone, and a stack gives what one fit at a time gives."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.arrays import Array
from model.data import Dataset, load_heart, load_iris, load_moons
from model.evaluation.validation import Mask, training_sets
from model.inference.pipeline import Pipeline
from model.network.descent import Descent
from model.network.initializers import scaled_normal
from model.network.losses import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    SquaredError,
    l2_penalty,
)
from model.network.network import NeuralNetwork
from model.network.optimizers import Adam, GradientDescent
from model.network.training import fit
from model.recipes.design import Design, Watch
from model.recipes.recipes import HEART, IRIS, MOONS
from model.recipes.sources import LayerwiseDescent
from tests.examples import examples
from tests.model.properties import PROPERTY, trained_outputs

QUICK_MOONS = replace(MOONS, iterations=20)
QUICK_IRIS = replace(IRIS, iterations=2)
# Smooth all over, so that a last digit never grows into a different path.
BATCHED = replace(HEART, iterations=6, optimizer=partial(GradientDescent, learning_rate=0.1))


@pytest.fixture(scope="module")
def iris() -> Dataset:
    return load_iris()


@pytest.fixture(scope="module")
def moons() -> Dataset:
    return load_moons()


def arrays(pipeline: Pipeline) -> dict[str, Array]:
    return {**pipeline.network.parameters, "mean": pipeline.mean, "scale": pipeline.scale}


def assert_same(one: Pipeline, other: Pipeline, tolerance: float = 0.0) -> None:
    for name, array in arrays(one).items():
        np.testing.assert_allclose(arrays(other)[name], array, 0.0, tolerance, err_msg=name)


def alone(design: Design, dataset: Dataset, mask: Mask, seed: int) -> Pipeline:
    """Fit on some rows in the order in which a stack takes them."""
    order = design.row_order(len(dataset), seed)
    return design.fit(dataset, order[mask[order]], seed).pipeline


def unequal_folds(dataset: Dataset) -> Mask:
    """Return training sets of more than one size."""
    within = np.arange(len(dataset)) % 50 < 47
    training = training_sets(dataset.classes, within, 10, random_state=0)
    assert len({int(mask.sum()) for mask in training}) > 1
    return training


@pytest.mark.parametrize(
    ("design", "dataset", "expected"),
    [
        (HEART, load_heart(), [[1.0], [0.0]]),
        (replace(MOONS, loss=BinaryCrossEntropy()), load_moons(), [[1.0], [0.0]]),
        (MOONS, load_moons(), [[0.0, 1.0], [1.0, 0.0]]),
        (IRIS, load_iris(), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
        (replace(IRIS, loss=CategoricalCrossEntropy()), load_iris(), [[0, 0, 1], [1, 0, 0]]),
    ],
)
def test_there_is_one_output_for_two_classes_and_a_sigmoid_else_one_for_each_class(
    design: Design, dataset: Dataset, expected: list[list[float]]
) -> None:
    last = len(dataset.labels) - 1
    rows = [int(np.flatnonzero(dataset.classes == number)[0]) for number in (last, 0)]
    assert design.targets(dataset)[rows].tolist() == expected
    one_step = replace(design, iterations=1).fit(dataset, np.arange(len(dataset)), 0)
    assert one_step.pipeline.network.layer_sizes[-1] == len(expected[0])


def test_a_fit_is_that_of_its_network_on_its_rows_in_their_order(moons: Dataset) -> None:
    rows = np.random.default_rng(1).permutation(200)[:150]
    network = NeuralNetwork((2, 3, 2), "tanh", "softmax", scaled_normal((2, 3, 2), 0))
    history = fit(
        network,
        moons.X[rows],
        np.eye(2)[moons.classes[rows]],
        loss=QUICK_MOONS.loss,
        optimizer=GradientDescent(0.01),
        iterations=20,
        l2=0.01,
        reduction="sum",
    )
    fitted = QUICK_MOONS.fit(moons, rows, 0)
    assert fitted.history.loss == history.loss
    for key, parameter in network.parameters.items():
        np.testing.assert_array_equal(fitted.pipeline.network.parameters[key], parameter)


def test_row_by_row_the_order_of_the_rows_matters(iris: Dataset) -> None:
    rows = np.arange(150)
    forwards, again = (QUICK_IRIS.fit(iris, rows, 0).pipeline for _ in range(2))
    backwards = QUICK_IRIS.fit(iris, rows[::-1], 0).pipeline
    assert_same(forwards, again)
    assert (forwards.predict_proba(iris.X) != backwards.predict_proba(iris.X)).any()


@pytest.mark.parametrize("design", [QUICK_MOONS, QUICK_IRIS, replace(HEART, iterations=3)])
def test_the_seed_is_that_of_the_initialisation(design: Design, iris: Dataset) -> None:
    rows = np.arange(150)
    first, same, other = (design.fit(iris, rows, seed).pipeline for seed in (0, 0, 1))
    assert_same(first, same)
    assert (first.network.parameters["W1"] != other.network.parameters["W1"]).any()


@pytest.mark.parametrize("is_scaled", [True, False])
def test_measurements_are_scaled_where_the_design_says_so_and_indicators_never(
    is_scaled: bool,
) -> None:
    heart = load_heart()
    design = replace(HEART, iterations=1, is_scaled=is_scaled)
    rows = np.arange(100)
    pipeline = design.fit(heart, rows, 0).pipeline
    encoded = pipeline.encoding.transform(heart.X[rows])
    kept = pipeline.encoding.is_indicator | (not is_scaled)
    np.testing.assert_allclose(pipeline.mean, np.where(kept, 0, encoded.mean(axis=0)), 1e-12)
    np.testing.assert_allclose(pipeline.scale, np.where(kept, 1, encoded.std(axis=0)), 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("descent", [Descent, LayerwiseDescent])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("batch_size", "l2"), [(1, 0.0), (1, 0.5), (7, 0.5), (126, 0.0)])
def test_a_stack_in_batches_gives_the_numbers_of_one_fit_at_a_time(
    batch_size: int, l2: float, reduction: str, descent: type[Descent], iris: Dataset
) -> None:
    design = replace(QUICK_IRIS, batch_size=batch_size, l2=l2, reduction=reduction, descent=descent)  # type: ignore[arg-type]
    training = unequal_folds(iris)
    stack = design.fit_stack(iris, training, 1)
    for index, mask in enumerate(training):
        assert_same(alone(design, iris, mask, 1), stack.member(index), tolerance=1e-10)


@settings(PROPERTY, max_examples=examples(15))
@given(
    sizes=st.lists(st.integers(3, 12), min_size=1, max_size=4),
    batch_size=st.integers(1, 13),
    seed=st.integers(0, 99),
)
def test_a_stack_of_sets_of_any_sizes_gives_the_numbers_of_one_fit_at_a_time(
    sizes: list[int], batch_size: int, seed: int
) -> None:
    moons = load_moons()
    rng = np.random.default_rng(seed)
    training = np.zeros((len(sizes), 200), dtype=bool)
    for mask, size in zip(training, sizes, strict=True):
        mask[rng.choice(200, size, replace=False)] = True
    design = replace(BATCHED, batch_size=batch_size, l2=0.1)
    stack = design.fit_stack(moons, training, seed)
    for index, mask in enumerate(training):
        assert_same(alone(design, moons, mask, seed), stack.member(index), tolerance=1e-10)


@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_a_stack_takes_every_row_once_and_batches_do_not_follow_the_file(
    batch_size: int | None,
) -> None:
    order, same, other = (
        replace(IRIS, batch_size=batch_size).row_order(150, seed).tolist() for seed in (0, 0, 1)
    )
    assert sorted(order) == list(range(150))
    assert order == same
    assert (order == list(range(150))) == (batch_size is None)
    assert (order == other) == (batch_size is None)


def test_folds_are_the_members_of_the_stack(iris: Dataset) -> None:
    training = unequal_folds(iris)
    stack = QUICK_IRIS.fit_stack(iris, training, 1)
    folds = QUICK_IRIS.fit_folds(iris, training, 1)
    assert len(folds) == len(training)
    for index, fold in enumerate(folds):
        assert_same(stack.member(index), fold)
        np.testing.assert_array_equal(
            fold.class_probabilities(iris.X), stack.class_probabilities(iris.X)[index]
        )


@pytest.mark.parametrize(
    "design",
    [QUICK_IRIS, replace(HEART, iterations=3), replace(QUICK_MOONS, iterations=3)],
    ids=["row by row", "scaled", "softmax"],
)
def test_what_is_held_out_of_a_member_has_no_influence_on_it(design: Design, iris: Dataset) -> None:
    training = unequal_folds(iris)
    before = design.fit_folds(iris, training, 0)
    frame = iris.frame.copy()
    frame.loc[~training[0], iris.features.names] *= 1.5
    frame.loc[~training[0], "species"] = (frame.loc[~training[0], "species"] + 1) % 3
    after = design.fit_folds(replace(iris, frame=frame), training, 0)
    assert_same(before[0], after[0])
    assert (before[1].predict_proba(iris.X) != after[1].predict_proba(iris.X)).any()


@pytest.mark.parametrize(
    "loss",
    [CategoricalCrossEntropy(), BinaryCrossEntropy(), SquaredError("sigmoid")],
    ids=lambda loss: type(loss).__name__,
)
def test_what_is_noted_is_the_objective_after_the_iteration(
    loss: CategoricalCrossEntropy | BinaryCrossEntropy | SquaredError, moons: Dataset
) -> None:
    design = replace(QUICK_MOONS, loss=loss, optimizer=partial(Adam, learning_rate=0.1))
    noted: list[tuple[int, float]] = []
    shares: list[float] = []

    def note(iteration: int, loss: float, pipeline: Pipeline) -> None:
        noted.append((iteration, loss))

    watch = Watch(range(2, 20, 5), note, shares.append)
    fitted = design.fit(moons, np.arange(200), 0, watch)
    # The loss after an iteration is that before the next.
    following = {number: float(fitted.history.loss[number]) for number in (2, 7, 12, 17)}
    assert dict(noted) == pytest.approx(following, rel=1e-14)
    assert len(shares) == 20
    assert sum(shares) == pytest.approx(1.0)


def test_what_is_noted_counts_the_penalty_once_and_the_loss_of_every_row(iris: Dataset) -> None:
    design = replace(QUICK_IRIS, l2=0.5)
    noted: list[float] = []
    expected: list[float] = []

    def note(iteration: int, loss: float, pipeline: Pipeline) -> None:
        noted.append(loss)
        outputs = trained_outputs(pipeline.network, iris.X)
        errors = 0.5 * ((outputs - np.eye(3)[iris.classes]) ** 2).sum(axis=1)
        penalty = float(l2_penalty(pipeline.network.parameters, 0.5))
        expected.append((errors.sum() + penalty) / 150)

    design.fit(iris, np.arange(150), 0, Watch(range(1, 3), note, lambda _: None))
    assert len(noted) == 2
    assert noted == pytest.approx(expected, rel=1e-13)


def test_to_be_watched_changes_nothing(iris: Dataset) -> None:
    rows = np.arange(150)
    watch = Watch(range(1, 3), lambda *_: None, lambda _: None)
    watched = QUICK_IRIS.fit(iris, rows, 0, watch)
    unwatched = QUICK_IRIS.fit(iris, rows, 0)
    assert_same(watched.pipeline, unwatched.pipeline)
    assert watched.history == unwatched.history
