"""Cross-validation: no row is predicted by what was fitted on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from model.arrays import Array
from model.encoding import Encoding
from model.evaluation.validation import cross_validate, select
from model.network import NeuralNetwork
from model.pipeline import Pipeline

ROWS = 60
X = np.arange(ROWS, dtype=np.float64).reshape(-1, 1)  # A row's number is its only value.
y = (np.arange(ROWS) % 3 == 0).astype(np.float64).reshape(-1, 1)


@dataclass(frozen=True, eq=False)
class Recorder(Pipeline):
    """A pipeline that gives every row the same probability, and notes which it was asked for."""

    fitted: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)

    def predict_proba(self, X: Array) -> Array:
        self.asked.extend(X[:, 0])
        return super().predict_proba(X)


def recorder(fitted: Array, probability: float = 0.5) -> Recorder:
    bias = np.log([probability / (1.0 - probability)])
    network = NeuralNetwork((1, 1), "relu", "sigmoid", {"W1": np.zeros((1, 1)), "b1": bias})
    one = np.ones(1)
    return Recorder(Encoding([(0, None)]), 0 * one, one, network, fitted[:, 0].tolist())


@pytest.mark.parametrize("folds", [2, 5, 9])
def test_no_row_is_predicted_by_what_was_fitted_on_it_and_every_row_is_once(folds: int) -> None:
    made: list[Recorder] = []

    def fit(X: Array, y: Array) -> Pipeline:
        np.testing.assert_array_equal(y[:, 0], X[:, 0] % 3 == 0)
        made.append(recorder(X))
        return made[-1]

    held_out = cross_validate(fit, X, y, folds=folds, random_state=1)
    assert held_out.shape == (ROWS,)
    assert len(made) == folds
    for pipeline in made:
        assert not set(pipeline.fitted) & set(pipeline.asked)
        assert sorted(pipeline.fitted + pipeline.asked) == X[:, 0].tolist()
    assert sorted(row for pipeline in made for row in pipeline.asked) == X[:, 0].tolist()


def test_each_fold_has_its_share_of_both_classes() -> None:
    def fit(X: Array, y: Array) -> Pipeline:
        assert y.mean() == pytest.approx(1 / 3, abs=1e-12)
        return recorder(X)

    cross_validate(fit, X, y, folds=5, random_state=0)


def test_every_row_gets_the_probability_of_the_fold_that_held_it_out() -> None:
    made: list[Recorder] = []

    def fit(X: Array, y: Array) -> Pipeline:
        made.append(recorder(X, probability=0.1 * (len(made) + 1)))
        return made[-1]

    held_out = cross_validate(fit, X, y, folds=5, random_state=3)
    for fold, pipeline in enumerate(made, start=1):
        rows = np.array(pipeline.asked, dtype=int)
        np.testing.assert_allclose(held_out[rows], 0.1 * fold, rtol=1e-12)


def test_the_split_hangs_on_the_seed_alone() -> None:
    def folds(seed: int) -> list[list[float]]:
        made: list[list[float]] = []

        def fit(X: Array, y: Array) -> Pipeline:
            made.append(X[:, 0].tolist())
            return recorder(X)

        cross_validate(fit, X, y, folds=5, random_state=seed)
        return made

    assert folds(1) == folds(1)
    assert folds(1) != folds(2)


def test_the_candidate_with_the_lowest_log_loss_is_chosen() -> None:
    candidates = [
        lambda X, _, p=probability: recorder(X, p) for probability in (0.9, 0.5, 0.33, 0.01)
    ]
    assert select(candidates, X, y, folds=5, random_state=0) == 2
    assert select(candidates[:2], X, y, folds=5, random_state=0) == 1
    assert select(candidates[1:2] * 3, X, y, folds=5, random_state=0) == 0
