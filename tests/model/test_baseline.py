"""The baseline: scikit-learn's logistic regression, to the last digits, as a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegressionCV

from model.artifact.artifact import Artifact
from model.data import Dataset, load_moons
from model.evaluation.calibration import logit
from model.evaluation.validation import training_sets
from model.recipes.baseline import LogisticBaseline
from model.recipes.design import Watch
from model.recipes.recipes import find_recipe

EVERYTHING = np.arange(200)


@pytest.fixture(scope="module")
def moons() -> Dataset:
    return load_moons()


@pytest.fixture(scope="module")
def trained() -> Artifact:
    return find_recipe("moons-baseline").train()


@pytest.mark.parametrize("rows", [EVERYTHING, EVERYTHING[20:160]], ids=["all", "some"])
def test_the_network_gives_the_probabilities_of_scikit_learn(
    rows: np.ndarray, moons: Dataset
) -> None:
    theirs = LogisticRegressionCV(
        scoring="accuracy", l1_ratios=(0,), use_legacy_attributes=False
    ).fit(moons.X[rows], moons.classes[rows])
    fitted = LogisticBaseline().fit(moons, rows, 0)
    ours = fitted.pipeline.class_probabilities(moons.X)
    np.testing.assert_allclose(ours, theirs.predict_proba(moons.X)[:, 1], rtol=1e-12)
    assert fitted.settings == {"C": theirs.C_}


def test_the_recipe_has_the_accuracy_of_the_source(trained: Artifact) -> None:
    assert trained.about["metrics"] == {"train_accuracy": 0.85}
    assert trained.about["training"]["C"] > 0.0


def test_the_boundary_is_a_straight_line(trained: Artifact) -> None:
    ends = np.array([[-1.0, 1.5], [2.0, -1.0]])
    line = np.linspace(ends[0], ends[1], 9)
    logits = logit(trained.predict_proba(line))
    np.testing.assert_allclose(np.diff(logits, n=2), 0.0, atol=1e-9)
    assert abs(logits[-1] - logits[0]) > 1.0


def test_it_is_saved_and_served_like_a_network(trained: Artifact, tmp_path: Path) -> None:
    trained.save(tmp_path / "baseline.npz")
    loaded = Artifact.load(tmp_path / "baseline.npz")
    predictor = loaded.predictor()
    assert predictor.is_sound()
    assert loaded.pipeline.network.layer_sizes == (2, 1)
    X = trained.features.golden_inputs(50)
    np.testing.assert_allclose(predictor.predict_proba(X), trained.predict_proba(X), atol=1e-15)


def test_nothing_is_drawn(moons: Dataset) -> None:
    one, other = (LogisticBaseline().fit(moons, EVERYTHING, seed).pipeline for seed in (0, 1))
    for key, parameter in one.network.parameters.items():
        np.testing.assert_array_equal(parameter, other.network.parameters[key])


def test_each_fold_is_fitted_on_its_rows_alone(moons: Dataset) -> None:
    training = training_sets(moons.classes, EVERYTHING > 6, 2, random_state=0)
    frame = moons.frame.copy()
    frame.loc[~training[0], ["x", "y"]] *= -1.0
    before = LogisticBaseline().fit_folds(moons, training, 0)
    after = LogisticBaseline().fit_folds(
        Dataset(frame, moons.features, moons.target, moons.card, ""), training, 0
    )
    alone = LogisticBaseline().fit(moons, np.flatnonzero(training[0]), 0).pipeline
    weights = [pipeline.network.parameters["W1"] for pipeline in (before[0], after[0], alone)]
    assert weights[0].tobytes() == weights[1].tobytes() == weights[2].tobytes()
    assert len(before) == len(after) == 2
    assert (before[1].network.parameters["W1"] != after[1].network.parameters["W1"]).any()


def test_the_end_of_the_fit_is_reported(moons: Dataset) -> None:
    calls: list[float] = []
    watch = Watch(range(0), lambda *_: None, calls.append)
    LogisticBaseline().fit(moons, EVERYTHING, 0, watch)
    assert calls == [1.0]
