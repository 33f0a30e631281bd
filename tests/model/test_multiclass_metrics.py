"""Metrics of three classes and more, against scikit-learn's and figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from model.arrays import Array
from model.data.heart import STATLOG_COSTS
from model.evaluation.metrics import (
    BINARY_METRICS,
    MULTICLASS_METRICS,
    RESAMPLES,
    bootstrap_counts,
    metrics_for,
    metrics_with_intervals,
)
from model.network.activations import softmax
from tests.model.properties import PROPERTY

Y = np.array([0.0, 1.0, 2.0, 2.0])
P = np.array(
    [
        [
            [0.8, 0.1, 0.1],
            [0.5, 0.3, 0.2],
            [0.1, 0.1, 0.8],
            [0.25, 0.25, 0.5],
        ]
    ]
)


def sample(seed: int, rows: int = 150, repeats: int = 3, classes: int = 3) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(rows) % classes)
    z = rng.normal(size=(repeats, rows, classes)) + 1.5 * np.eye(classes)[y]
    return y.astype(np.float64), softmax(z)


def values(y: Array, probabilities: Array) -> dict[str, float]:
    once = np.ones((1, len(y)))
    return {
        name: float(metric(y, probabilities, once)[0])
        for name, metric in MULTICLASS_METRICS.items()
    }


def test_the_figures_of_four_rows_are_those_worked_out_by_hand() -> None:
    assert values(Y, P) == pytest.approx(
        {
            "accuracy": 3 / 4,
            # Class 0 against the others 3 of 3 pairs, class 1 also 3 of 3, class 2 4 of 4.
            "roc_auc": 1.0,
            "brier": (0.06 + 0.78 + 0.06 + 0.375) / 4,
            "log_loss": -math.log(0.8 * 0.3 * 0.8 * 0.5) / 4,
        },
        abs=1e-12,
    )


@pytest.mark.parametrize("classes", [3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_every_metric_is_that_of_scikit_learn_meaned_over_the_repeats(
    seed: int, classes: int
) -> None:
    y, probabilities = sample(seed, classes=classes)
    expected = {
        "accuracy": [accuracy_score(y, p.argmax(axis=1)) for p in probabilities],
        "roc_auc": [roc_auc_score(y, p, multi_class="ovr") for p in probabilities],
        "brier": [brier_score_loss(y, p, scale_by_half=False) for p in probabilities],
        "log_loss": [log_loss(y, p) for p in probabilities],
    }
    means = {name: float(np.mean(of_repeats)) for name, of_repeats in expected.items()}
    assert values(y, probabilities) == pytest.approx(means, abs=1e-12)
    figures = metrics_with_intervals(MULTICLASS_METRICS, y, probabilities, 0)
    assert {name: figure["value"] for name, figure in figures.items()} == pytest.approx(means)
    for name, figure in figures.items():
        assert figure["low"] < figure["value"] < figure["high"]
        assert figure["spread"] == pytest.approx(np.std(expected[name]), abs=1e-12)


def test_a_row_that_counts_twice_stands_for_two() -> None:
    y, probabilities = sample(7, rows=40)
    counts = np.random.default_rng(0).integers(0, 3, size=(1, 40)).astype(np.float64)
    rows = np.repeat(np.arange(40), counts[0].astype(int))
    repeated = values(y[rows], probabilities[:, rows])
    for name, metric in MULTICLASS_METRICS.items():
        assert metric(y, probabilities, counts)[0] == pytest.approx(repeated[name], abs=1e-12)


@PROPERTY
@given(seed=st.integers(0, 99), order=st.permutations(range(4)))
def test_the_numbers_of_the_classes_are_but_names(seed: int, order: list[int]) -> None:
    y, probabilities = sample(seed, rows=30, classes=4)
    renumbered = np.argsort(order)[y.astype(int)].astype(np.float64)
    assert values(renumbered, probabilities[..., order]) == pytest.approx(values(y, probabilities))


def test_of_two_classes_the_figures_are_those_of_the_positive_one() -> None:
    y, probabilities = sample(1, classes=2)
    once = np.ones((1, len(y)))
    positive = {
        name: BINARY_METRICS[name](y, probabilities[..., 1], once)[0] for name in MULTICLASS_METRICS
    }
    # Brier's own score counts both classes.
    positive["brier"] *= 2
    assert values(y, probabilities) == pytest.approx(positive)


def test_a_class_that_has_probability_zero_and_comes_true_costs_a_finite_loss() -> None:
    certain = np.eye(3)[[0, 1, 2, 0]][np.newaxis]
    assert values(Y, certain)["log_loss"] == pytest.approx(-math.log(1e-15) / 4)
    figures = metrics_with_intervals(MULTICLASS_METRICS, Y, certain, 0)
    assert all(math.isfinite(value) for figure in figures.values() for value in figure.values())


def test_a_resample_without_a_class_has_no_area_and_is_left_out() -> None:
    y, probabilities = sample(3, rows=12, repeats=1)
    y[y == 2] = 0.0
    y[0] = 2.0
    counts = bootstrap_counts(12, RESAMPLES, 5)
    areas = MULTICLASS_METRICS["roc_auc"](y, probabilities, counts)
    lacking = (counts[:, y == 2].sum(axis=1) == 0) | (counts[:, y == 1].sum(axis=1) == 0)
    assert 0 < lacking.sum() < RESAMPLES
    np.testing.assert_array_equal(np.isnan(areas), lacking)
    figure = metrics_with_intervals(MULTICLASS_METRICS, y, probabilities, 5)["roc_auc"]
    ends = np.quantile(areas[~lacking], [0.025, 0.975])
    assert [figure["low"], figure["high"]] == pytest.approx(ends.tolist())


def test_the_same_seed_gives_the_same_intervals() -> None:
    y, probabilities = sample(2, rows=30)
    first, same, other = (
        metrics_with_intervals(MULTICLASS_METRICS, y, probabilities, seed) for seed in (5, 5, 6)
    )
    assert first == same
    assert first != other


def test_models_are_judged_by_what_their_number_of_classes_and_costs_allow() -> None:
    for costs in (None, STATLOG_COSTS):
        assert metrics_for(3, costs) == MULTICLASS_METRICS
    assert metrics_for(2) == BINARY_METRICS
    assert metrics_for(2, STATLOG_COSTS).keys() == {*BINARY_METRICS, "cost"}
