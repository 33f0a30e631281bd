"""Splits and cross-validation: the rows of the sources, and no row predicted by what saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from model.arrays import Array
from model.data import Dataset, load_iris, load_moons
from model.evaluation.validation import (
    Mask,
    all_rows,
    cross_validate,
    held_out,
    hold_out,
    hold_out_twice,
    repeated_training_sets,
    training_sets,
)
from model.inference.pipeline import Pipeline
from model.network.initializers import glorot_uniform
from model.network.network import NeuralNetwork
from model.network.optimizers import GradientDescent
from model.recipes.baseline import LogisticBaseline
from model.recipes.design import Design
from model.recipes.procedures import Procedure, SingleFit, judge
from model.recipes.recipes import HEART, IRIS
from model.recipes.tables.plans import Plan
from model.recipes.tables.stacks import Family, Stacks
from model.recipes.tables.table_fit import PlannedTableFit
from model.schema.encoding import Encoding
from tests.model.properties import PROPERTY, random_rows

CLASSES = np.arange(60) % 3
QUICK_IRIS = replace(IRIS, iterations=2)
QUICK = replace(
    HEART,
    encode=Encoding.plain,
    optimizer=partial(GradientDescent, learning_rate=0.5),
    iterations=3,
)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows", [5, 54, 270])
def test_rows_held_out_are_those_that_scikit_learn_holds_out_in_its_order(
    rows: int, seed: int
) -> None:
    X = random_rows(rows, 2)
    train, test = train_test_split(X, test_size=0.2, random_state=seed)
    parts = hold_out(0.2, seed, rows, 7)
    assert list(parts) == ["train", "test"]
    np.testing.assert_array_equal(X[parts["train"]], train)
    np.testing.assert_array_equal(X[parts["test"]], test)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows", [15, 150])
def test_rows_held_out_twice_are_those_of_the_source_in_its_order(rows: int, seed: int) -> None:
    X = random_rows(rows, 2)
    rest, test = train_test_split(X, test_size=0.15, random_state=seed)
    train, validation = train_test_split(rest, test_size=0.1, random_state=seed)
    parts = hold_out_twice(0.15, 0.1, rows, seed)
    assert list(parts) == ["train", "validation", "test"]
    for name, expected in (("train", train), ("validation", validation), ("test", test)):
        np.testing.assert_array_equal(X[parts[name]], expected)


@PROPERTY
@given(rows=st.integers(15, 300), seed=st.integers(0, 2**32 - 1))
def test_every_row_is_in_one_part(rows: int, seed: int) -> None:
    for parts in (
        all_rows(rows, seed),
        hold_out(0.2, 2, rows, seed),
        hold_out_twice(0.15, 0.1, rows, seed),
    ):
        assert next(iter(parts)) == "train"
        assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(rows))


def test_only_the_split_of_the_source_hangs_on_the_seed_of_the_fit() -> None:
    assert hold_out(0.2, 2, 50, 0)["test"].tolist() == hold_out(0.2, 2, 50, 1)["test"].tolist()
    first, other = (hold_out_twice(0.15, 0.1, 50, seed)["test"].tolist() for seed in (0, 1))
    assert first != other
    assert all_rows(4, 9)["train"].tolist() == [0, 1, 2, 3]


def test_every_repeat_divides_all_rows_anew_and_each_fold_has_its_share_of_all_classes() -> None:
    training = repeated_training_sets(CLASSES, 5, 4, random_state=1)
    assert training.shape == (4, 5, 60)
    assert ((~training).sum(axis=1) == 1).all()
    for fold in training.reshape(-1, 60):
        assert np.bincount(CLASSES[fold]).tolist() == [16, 16, 16]
    assert len({repeat.tobytes() for repeat in training}) == 4
    np.testing.assert_array_equal(
        training[1], training_sets(CLASSES, np.ones(60, dtype=bool), 5, random_state=2)
    )


def test_of_many_classes_every_row_gets_all_probabilities_of_its_fold() -> None:
    within = np.arange(60) % 7 > 0
    training = training_sets(CLASSES, within, 4, random_state=0)
    predictions = np.random.default_rng(0).normal(size=(4, 60, 3))
    given = held_out(training, within, predictions)
    for row in range(60):
        folds = np.flatnonzero(within[row] & ~training[:, row])
        assert len(folds) == int(within[row])
        expected = predictions[folds[0], row] if within[row] else np.zeros(3)
        np.testing.assert_array_equal(given[row], expected)


@dataclass(frozen=True, eq=False)
class Recorder(Pipeline):
    """A pipeline that answers with the number of its fit."""

    number: int = -1

    def class_probabilities(self, X: Array) -> Array:
        return np.full(len(X), float(self.number))


NOTHING = NeuralNetwork((1, 1), "identity", "sigmoid", glorot_uniform((1, 1), 0))


@PROPERTY
@given(
    folds=st.integers(2, 6),
    repeats=st.integers(1, 3),
    rows_of_a_class=st.integers(6, 12),
    seed=st.integers(0, 999),
)
def test_no_row_is_ever_predicted_by_a_fit_that_saw_it(
    folds: int, repeats: int, rows_of_a_class: int, seed: int
) -> None:
    classes = np.repeat([0, 1, 2], rows_of_a_class)
    fits: list[Mask] = []

    def fit_folds(training: Mask) -> Sequence[Pipeline]:
        numbers = range(len(fits), len(fits) + len(training))
        fits.extend(training)
        encoding = Encoding([(0, None)])
        return [Recorder(encoding, np.zeros(1), np.ones(1), NOTHING, n) for n in numbers]

    training = repeated_training_sets(classes, folds, repeats, seed)
    result = cross_validate(np.zeros((len(classes), 1)), training, fit_folds)
    assert len(fits) == folds * repeats
    assert result.probabilities.shape == (repeats, len(classes))
    for repeat, numbers in enumerate(result.probabilities.astype(int)):
        assert set(numbers) == set(range(repeat * folds, (repeat + 1) * folds))
        for row, number in enumerate(numbers):
            assert not fits[number][row]


def swapped(dataset: Dataset, rows: Mask) -> Dataset:
    """Return a data set in which some rows belong to another class."""
    frame = dataset.frame.copy()
    target = dataset.target.name
    frame.loc[rows, target] = (frame.loc[rows, target] + 1) % len(dataset.labels)
    return replace(dataset, frame=frame)


def fit_folds(
    design: Design | LogisticBaseline, dataset: Dataset, training: Mask
) -> Sequence[Pipeline]:
    return design.fit_folds(dataset, training, 0)


@pytest.mark.parametrize(
    ("dataset", "design"),
    [
        (load_iris(), QUICK_IRIS),
        (load_moons(), QUICK),
        (load_moons(), LogisticBaseline()),
    ],
    ids=["three classes, row by row", "two classes, scaled", "baseline"],
)
def test_to_know_the_class_of_a_row_does_not_change_its_own_held_out_probability(
    dataset: Dataset, design: Design | LogisticBaseline
) -> None:
    training = repeated_training_sets(dataset.classes, 2, 1, random_state=0)
    of_first_fold = ~training[0, 0]
    known = [dataset, swapped(dataset, of_first_fold)]
    before, after = (
        cross_validate(dataset.X, training, partial(fit_folds, design, each)).probabilities
        for each in known
    )
    np.testing.assert_array_equal(before[:, of_first_fold], after[:, of_first_fold])
    assert (before[:, ~of_first_fold] != after[:, ~of_first_fold]).any()


def test_of_three_classes_the_held_out_probabilities_have_an_axis_of_classes() -> None:
    iris = load_iris()
    procedure = SingleFit(QUICK_IRIS, all_rows, folds=3, repeats=2)
    reports: list[float] = []
    result = judge(procedure, iris, 0, reports.append)
    assert result.probabilities.shape == (2, 150, 3)
    assert [repeat.training.shape for repeat in result.repeats] == [(3, 150)] * 2
    assert sum(reports) == 2 * 3 * procedure.fits_of_a_fold
    np.testing.assert_allclose(result.probabilities.sum(axis=-1), 1.0, atol=1e-15)


@pytest.mark.parametrize(
    "procedure",
    [
        SingleFit(QUICK, all_rows, folds=3, repeats=2),
        PlannedTableFit(Plan(3, 2, 3), Stacks(QUICK, (Family((1.0, 5.0)),))),
    ],
    ids=["single", "nested"],
)
def test_a_judged_row_has_the_probability_of_the_pipeline_that_has_not_seen_it(
    procedure: Procedure,
) -> None:
    moons = load_moons()
    reports: list[float] = []
    result = judge(procedure, moons, 5, reports.append)
    assert sum(reports) == 2 * 3 * procedure.fits_of_a_fold
    for repeat, probabilities in zip(result.repeats, result.probabilities, strict=True):
        np.testing.assert_array_equal(repeat.held_out(moons.X), probabilities)
        for mask, pipeline in zip(repeat.training, repeat.pipelines, strict=True):
            expected = pipeline.class_probabilities(moons.X)[~mask]
            np.testing.assert_array_equal(probabilities[~mask], expected)


def test_a_judged_fold_is_what_the_procedure_fits_on_its_rows_alone() -> None:
    moons = load_moons()
    procedure = SingleFit(QUICK, all_rows, folds=3)
    (repeat,) = judge(procedure, moons, 5, lambda _: None).repeats
    for mask, pipeline in zip(repeat.training, repeat.pipelines, strict=True):
        alone = procedure.fit(
            replace(moons, frame=moons.frame.loc[mask]), 5, lambda _: None
        ).pipeline
        np.testing.assert_allclose(
            pipeline.class_probabilities(moons.X), alone.class_probabilities(moons.X), atol=1e-12
        )
