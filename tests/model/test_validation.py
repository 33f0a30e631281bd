"""Cross-validation: no row is predicted by what was fitted on it."""

from __future__ import annotations

import numpy as np
import pytest

from model.evaluation.validation import held_out, repeated_training_sets, training_sets

ROWS = 60
Y = (np.arange(ROWS) % 3 == 0).astype(np.float64)
ALL = np.ones(ROWS, dtype=bool)
SOME = np.arange(ROWS) % 4 > 0


@pytest.mark.parametrize("folds", [2, 5, 9])
@pytest.mark.parametrize("within", [ALL, SOME], ids=["all", "some"])
def test_every_row_is_held_out_once(folds: int, within: np.ndarray) -> None:
    training = training_sets(Y, within, folds, random_state=1)
    assert training.shape == (folds, ROWS)
    assert ((within & ~training).sum(axis=0) == within).all()
    assert not training[:, ~within].any()


def test_each_fold_has_its_share_of_both_classes() -> None:
    for mask in training_sets(Y, ALL, 5, random_state=0):
        assert Y[mask].mean() == pytest.approx(1 / 3, abs=1e-12)


def test_every_row_gets_the_prediction_of_the_fold_that_held_it_out() -> None:
    training = training_sets(Y, SOME, 5, random_state=3)
    predictions = np.repeat(np.arange(1.0, 6.0)[:, np.newaxis], ROWS, axis=1)
    given = held_out(training, SOME, predictions)
    for fold, mask in enumerate(training, start=1):
        assert (given[SOME & ~mask] == fold).all()
    assert (given[~SOME] == 0.0).all()


def test_the_split_hangs_on_the_seed_alone() -> None:
    first, same, other = (training_sets(Y, ALL, 5, seed) for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()


def test_the_rows_of_a_group_stay_together_in_every_fold() -> None:
    groups = np.random.default_rng(0).integers(0, 15, ROWS)
    repeats = repeated_training_sets(Y, 4, 3, random_state=1, groups=groups)
    assert (repeats[0] != repeats[1]).any()
    for training in repeats:
        assert ((~training).sum(axis=0) == 1).all()
        for mask in training:
            assert not set(groups[mask]) & set(groups[~mask])


def test_groups_stay_together_within_some_rows_too() -> None:
    groups = np.arange(ROWS) // 4
    for mask in training_sets(Y, SOME, 3, random_state=2, groups=groups):
        assert not mask[~SOME].any()
        assert not set(groups[mask]) & set(groups[SOME & ~mask])
