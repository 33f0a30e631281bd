"""The estimator: scikit-learn's own checks, its tools around it, and the procedure inside it."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

import heartline
from heartline import NeuralNetworkClassifier
from model.arrays import Array
from model.data import Dataset
from model.network.activations import ACTIVATIONS
from model.recipes.own_tables import table_recipe
from model.recipes.tables import estimator
from model.recipes.tables.plans import Choices
from model.recipes.tables.table_fit import TableFit
from model.schema.features import FeatureSet
from tests.model.made_tables import made_table

pytestmark = pytest.mark.slow  # each fits networks

CLASSES = np.arange(60) % 2
COLUMNS = np.random.default_rng(0).normal(size=(60, 3)) + CLASSES[:, np.newaxis]


def quick(cv: Any = 2, random_state: Any = 0) -> NeuralNetworkClassifier:
    return NeuralNetworkClassifier(cv=cv, random_state=random_state)


@parametrize_with_checks([NeuralNetworkClassifier()])  # type: ignore[untyped-decorator]
def test_the_estimator_passes_every_check_of_scikit_learn(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None]
) -> None:
    check(estimator)


def test_the_examples_in_the_docstring_run() -> None:
    result = doctest.testmod(estimator)
    assert result.attempted >= 7
    assert not result.failed


def test_the_package_exports_the_class() -> None:
    assert heartline.NeuralNetworkClassifier is estimator.NeuralNetworkClassifier
    assert set(heartline.__all__) <= set(dir(heartline))
    with pytest.raises(AttributeError, match=r"^module 'heartline' has no attribute 'absent'$"):
        heartline.absent  # noqa: B018


def numbers(classes: int) -> Dataset:
    dataset = made_table(60, classes=classes)
    features = FeatureSet(feature for feature in dataset.features if not feature.is_coded)
    return replace(dataset, features=features)


@pytest.mark.parametrize(
    ("dataset", "seed"), [(numbers(2), 0), (numbers(3), 7)], ids=["two classes", "three"]
)
def test_it_is_the_network_that_the_procedure_fits(dataset: Dataset, seed: int) -> None:
    fitted = TableFit().planned(dataset).fit(dataset, seed, lambda _: None).pipeline
    model = NeuralNetworkClassifier(random_state=seed).fit(dataset.X, dataset.classes)
    parameters = model.pipeline_.network.parameters
    for key, array in fitted.network.parameters.items():
        np.testing.assert_array_equal(parameters[key], array)
    probabilities = model.predict_proba(dataset.X)
    expected = fitted.class_probabilities(dataset.X)
    of_last = probabilities[:, 1] if expected.ndim == 1 else probabilities
    np.testing.assert_array_equal(of_last, expected)


def test_it_predicts_what_the_artifact_of_a_recipe_predicts() -> None:
    dataset = numbers(3)
    artifact = table_recipe("made", lambda _: dataset, Choices(2, 1)).train(random_state=3)
    model = NeuralNetworkClassifier(random_state=3).fit(dataset.X, dataset.classes)
    expected = artifact.predictor().predict_proba(dataset.X)
    np.testing.assert_allclose(model.predict_proba(dataset.X), expected, rtol=0.0, atol=1e-12)


def test_cv_is_the_number_of_inner_folds() -> None:
    dataset = numbers(2)
    procedure = TableFit().planned(dataset)
    planned = replace(procedure, plan=replace(procedure.plan, inner_folds=3))
    expected = planned.fit(dataset, 0, lambda _: None).pipeline.class_probabilities(dataset.X)
    model = quick(cv=3).fit(dataset.X, dataset.classes)
    np.testing.assert_array_equal(model.predict_proba(dataset.X)[:, 1], expected)


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [-1, 5], [1.0, 2.0], ["b", "a"]])
def test_labels_are_of_any_type(labels: list[Any]) -> None:
    y = np.array(labels)[CLASSES]
    model = quick().fit(COLUMNS, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(COLUMNS).dtype == y.dtype
    assert model.score(COLUMNS, y) > 0.7


def test_names_of_columns_are_kept_and_must_be_the_same_later() -> None:
    frame = pd.DataFrame(COLUMNS, columns=["a", "b", "c"])
    model = quick().fit(frame, CLASSES)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(
        model.predict_proba(frame), quick().fit(COLUMNS, CLASSES).predict_proba(COLUMNS)
    )
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a", "c"]])


@pytest.mark.parametrize("classes", [2, 3])
def test_the_decision_function_has_the_logits_of_the_probabilities(classes: int) -> None:
    dataset = numbers(classes)
    model = quick().fit(dataset.X, dataset.classes)
    logits, probabilities = model.decision_function(dataset.X), model.predict_proba(dataset.X)
    of_logits = ACTIVATIONS["softmax" if classes == 3 else "sigmoid"].function(logits)
    expected = probabilities if classes == 3 else probabilities[:, 1]
    np.testing.assert_allclose(of_logits, expected, rtol=1e-12)


def test_an_int_gives_the_same_network_and_none_draws_one() -> None:
    def probabilities(random_state: Any) -> list[float]:
        model = quick(random_state=random_state).fit(COLUMNS, CLASSES)
        return list(model.predict_proba(COLUMNS)[:, 1])

    assert probabilities(1) == probabilities(1) != probabilities(2)
    assert probabilities(np.random.RandomState(1)) == probabilities(np.random.RandomState(1))
    assert probabilities(None) != probabilities(None)


def test_it_is_a_step_of_a_pipeline() -> None:
    frame = pd.DataFrame(COLUMNS, columns=["a", "b", "c"])
    frame.loc[::9, "a"] = np.nan
    frame["colour"] = np.where(CLASSES, "red", "blue")
    numeric = make_pipeline(SimpleImputer(), PCA(2))
    columns = make_column_transformer((numeric, ["a", "b", "c"]), (OneHotEncoder(), ["colour"]))
    pipeline = make_pipeline(columns, quick())
    assert cross_val_score(pipeline, frame, CLASSES, cv=3, scoring="roc_auc").min() == 1.0


def test_a_grid_search_searches_the_steps_around_it_and_its_parameters() -> None:
    pipeline = make_pipeline(PCA(), quick())
    grid = {"pca__n_components": [1, 3], "neuralnetworkclassifier__cv": [2, 3]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="neg_log_loss", error_score="raise")
    search.fit(COLUMNS, CLASSES)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_estimator_.score(COLUMNS, CLASSES) > 0.7


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("classes", [2, 3])
def test_its_probabilities_can_be_calibrated_once_more(method: str, classes: int) -> None:
    dataset = numbers(classes)
    model = CalibratedClassifierCV(quick(), method=method, cv=2).fit(dataset.X, dataset.classes)
    probabilities = model.predict_proba(dataset.X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert model.score(dataset.X, dataset.classes) > 0.7


def test_a_clone_is_not_fitted() -> None:
    model = quick().fit(COLUMNS, CLASSES)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        clone(model).predict(COLUMNS)


@pytest.mark.parametrize("column", [np.ones(60), np.eye(60)[0]], ids=["constant", "almost"])
def test_columns_that_tell_nothing_give_the_shares_of_the_classes(column: Array) -> None:
    y = np.arange(60) % 3 == 0
    probabilities = quick().fit(column[:, np.newaxis], y).predict_proba(column[1:, np.newaxis])
    np.testing.assert_allclose(probabilities[:, 1], 1 / 3, atol=0.05)


def test_a_fold_without_two_values_of_the_only_column_is_fitted() -> None:
    dataset = numbers(2)
    features = FeatureSet([dataset.features[0]])
    frame = dataset.frame.assign(x0=np.eye(len(dataset))[0])
    constant = replace(dataset, frame=frame, features=features)
    without_first = (np.arange(len(dataset)) > 0)[np.newaxis]
    procedure = TableFit().planned(constant)
    (pipeline,) = procedure.fit_folds(constant, without_first, 0, lambda _: None)
    assert len(set(pipeline.class_probabilities(constant.X))) == 1


@pytest.mark.parametrize(
    ("X", "y", "problem"),
    [
        (np.where(COLUMNS > 1, np.nan, COLUMNS), CLASSES, "^Input X contains NaN"),
        (np.where(COLUMNS > 1, np.inf, COLUMNS), CLASSES, "^Input X contains infinity"),
        (COLUMNS * 1e200, CLASSES, r"^Input X contains a value beyond 1e\+100\.$"),
        (np.full((60, 1), "red"), CLASSES, r"^could not convert string to float: .*'red'"),
        (COLUMNS[:, 0], CLASSES, "^Expected 2D array, got 1D array instead"),
        (COLUMNS, CLASSES[1:], "^Found input variables with inconsistent numbers of samples"),
        (COLUMNS, CLASSES + COLUMNS[:, 0], "^Unknown label type: continuous"),
        (COLUMNS, np.zeros(60), "but the data contains only one class: 0.0$"),
        (COLUMNS, ["a"] * 60, "but the data contains only one class: 'a'$"),
        (COLUMNS, [*["a"] * 59, "b"], "^The least populated class in y, 'b', has only 1 member"),
    ],
)
def test_rows_that_cannot_be_used_are_refused_in_the_words_of_scikit_learn(
    X: Any, y: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        quick().fit(X, y)


@pytest.mark.parametrize("cv", [1, 0, -3, 2.0, "three", True])
def test_cv_must_be_an_integer_of_at_least_two(cv: Any) -> None:
    with pytest.raises(
        (ValueError, TypeError), match=r"^cv (must be an instance of|== .*, must be >= 2)"
    ):
        quick(cv=cv).fit(COLUMNS, CLASSES)


def test_rows_to_predict_are_checked_too() -> None:
    model = quick().fit(COLUMNS, CLASSES)
    for predict in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match=r"^X has 2 features, but NeuralNetworkClassifier is"):
            predict(COLUMNS[:, :2])
        with pytest.raises(ValueError, match=r"^Input X contains NaN"):
            predict(np.full((1, 3), np.nan))
        far = predict([[1e300, -1e300, 0.0]])
        assert np.isfinite(far).all()
