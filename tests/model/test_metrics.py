"""Metrics, against figures worked out by hand or by scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from model.arrays import Array
from model.data.heart import STATLOG_COSTS
from model.evaluation import metrics
from model.evaluation.calibration import fit_calibration, logit
from model.evaluation.metrics import (
    bootstrap_counts,
    metrics_for,
    metrics_with_intervals,
    misclassification_costs,
    resamples_for,
    value_of,
)
from tests.model.properties import PROPERTY

METRICS = metrics_for(2, STATLOG_COSTS)

Y = np.array([0.0, 0.0, 1.0, 1.0])
P = np.array([0.1, 0.6, 0.5, 0.9])


def sample(seed: int, rows: int = 200, repeats: int = 3) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=rows) < 0.45).astype(np.float64)
    logits = rng.normal(size=(repeats, rows)) + 1.5 * (y - 0.5)
    return y, np.round(1.0 / (1.0 + np.exp(-logits)), 2).clip(0.01, 0.99)


def test_a_missed_patient_costs_five_false_alarms() -> None:
    assert abs(STATLOG_COSTS.threshold - 1 / 6) < 1e-15
    costs = misclassification_costs(Y, np.array([0.1, 0.2, 0.1, 0.9]), STATLOG_COSTS)
    assert costs.tolist() == [0.0, 1.0, 5.0, 0.0]


def test_the_threshold_is_where_both_calls_cost_the_same() -> None:
    sick = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    for shift in (-1e-9, 1e-9):
        p = np.full(6, STATLOG_COSTS.threshold + shift)
        assert misclassification_costs(sick, p, STATLOG_COSTS).sum() == 5.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_metric_is_that_of_scikit_learn_meaned_over_the_repeats(seed: int) -> None:
    y, probabilities = sample(seed)
    found = {
        name: figure["value"]
        for name, figure in metrics_with_intervals(METRICS, y, probabilities, 0).items()
    }
    fits = [
        LogisticRegression(C=np.inf, tol=1e-10).fit(logit(p)[:, np.newaxis], y)
        for p in probabilities
    ]
    expected = {
        "accuracy": [accuracy_score(y, p > 0.5) for p in probabilities],
        "cost": [misclassification_costs(y, p, STATLOG_COSTS).mean() for p in probabilities],
        "roc_auc": [roc_auc_score(y, p) for p in probabilities],
        "brier": [brier_score_loss(y, p) for p in probabilities],
        "log_loss": [log_loss(y, p) for p in probabilities],
        "calibration_slope": [fit.coef_[0, 0] for fit in fits],
        "calibration_intercept": [fit.intercept_[0] for fit in fits],
    }
    assert list(found) == list(METRICS) == list(expected)
    for name, values in expected.items():
        assert found[name] == pytest.approx(np.mean(values), abs=1e-5), name


def test_a_row_that_counts_twice_stands_for_two() -> None:
    y, probabilities = sample(7, rows=40)
    counts = np.random.default_rng(0).integers(0, 3, size=(1, 40)).astype(np.float64)
    rows = np.repeat(np.arange(40), counts[0].astype(int))
    once = np.ones((1, len(rows)))
    for name, metric in METRICS.items():
        repeated = metric(y[rows], probabilities[:, rows], once)
        assert metric(y, probabilities, counts) == pytest.approx(repeated, abs=1e-9), name


@pytest.mark.slow
def test_the_interval_is_about_as_wide_as_theory_has_it() -> None:
    y, probabilities = sample(1, rows=2000, repeats=1)
    figure = metrics_with_intervals(METRICS, y, probabilities, 0)["accuracy"]
    error = math.sqrt(figure["value"] * (1 - figure["value"]) / 2000)
    assert figure["high"] - figure["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert figure["low"] < figure["value"] < figure["high"]
    assert figure["spread"] == 0.0


@pytest.mark.slow
def test_the_same_seed_gives_the_same_intervals() -> None:
    y, probabilities = sample(2)
    first, same, other = (
        metrics_with_intervals(METRICS, y, probabilities, seed) for seed in (5, 5, 6)
    )
    assert first == same != other


@pytest.mark.slow
def test_probabilities_of_zero_and_one_give_finite_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.evaluation.metrics.RESAMPLES", 100)  # of four rows that is many
    figures = metrics_with_intervals(METRICS, Y, np.array([[0.0, 1.0, 0.0, 1.0]]), 0)
    assert all(math.isfinite(value) for figure in figures.values() for value in figure.values())


def test_calibration_finds_what_was_done_to_the_logits() -> None:
    rng = np.random.default_rng(3)
    true = rng.normal(size=20_000) * 2.0
    y = (rng.uniform(size=true.size) < 1.0 / (1.0 + np.exp(-true))).astype(np.float64)
    logits = np.stack([true, (true - 0.5) / 2.0])
    intercept, slope = fit_calibration(logits, y, np.ones_like(logits))
    assert slope == pytest.approx([1.0, 2.0], abs=0.06)
    assert intercept == pytest.approx([0.0, 0.5], abs=0.06)


@PROPERTY
@given(
    rows=st.integers(2, 40),
    repeats=st.integers(1, 3),
    levels=st.integers(1, 12),
    seed=st.integers(0, 999),
)
def test_ranks_and_pairs_give_the_same_area(
    rows: int, repeats: int, levels: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(rows) % 2).astype(np.float64)
    probabilities = rng.integers(0, levels, (repeats, rows)) / levels
    counts = bootstrap_counts(rows, 5, seed) * rng.uniform(0.5, 2.0, rows)
    np.testing.assert_allclose(
        metrics._wins_by_rank(y, probabilities, counts),
        metrics._wins_by_pairs(y, probabilities, counts),
        rtol=1e-12,
        atol=1e-12,
    )


def test_many_rows_have_the_area_of_scikit_learn() -> None:
    y, probabilities = sample(1, rows=6000, repeats=2)
    expected = np.mean([roc_auc_score(y, p) for p in probabilities])
    assert value_of(METRICS["roc_auc"], y, probabilities) == pytest.approx(expected, rel=1e-12)


def test_what_is_held_in_memory_of_the_bootstrap_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    y, probabilities = sample(2, repeats=1)
    brier = {"brier": METRICS["brier"]}
    at_once = metrics_with_intervals(brier, y, probabilities, 0)
    monkeypatch.setattr(metrics, "SLICE", 7 * len(y))
    sizes: list[int] = []

    def watched(y: Array, probabilities: Array, counts: Array) -> Array:
        sizes.append(len(counts))
        return METRICS["brier"](y, probabilities, counts)

    in_slices = metrics_with_intervals({"brier": watched}, y, probabilities, 0)
    assert max(sizes) == 7
    assert in_slices["brier"] == pytest.approx(at_once["brier"], rel=1e-12)


def test_many_rows_are_resampled_less_often() -> None:
    assert [resamples_for(rows) for rows in (2, 2000, 2001, 10**6)] == [1000, 1000, 200, 200]


@pytest.mark.slow
def test_weights_count_in_every_figure() -> None:
    y, probabilities = sample(3)
    weights = np.random.default_rng(3).integers(1, 4, len(y)).astype(np.float64)
    found = metrics_with_intervals(METRICS, y, probabilities, 0, weights)
    again = np.repeat(np.arange(len(y)), weights.astype(int))
    for name, metric in METRICS.items():
        expected = value_of(metric, y[again], probabilities[:, again])
        assert found[name]["value"] == pytest.approx(expected, rel=1e-9), name
    unit = metrics_with_intervals(METRICS, y, probabilities, 0, 1000.0 * weights)
    for name, figure in found.items():
        assert unit[name] == pytest.approx(figure, rel=1e-6), name
