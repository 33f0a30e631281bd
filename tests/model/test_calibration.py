"""Reliability and calibration error, against hand, scikit-learn and what theory expects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from model.arrays import Array
from model.evaluation.calibration import (
    LARGEST_SLOPE,
    SAMPLES,
    CalibrationError,
    Reliability,
    calibration_error,
    fit_calibration,
    fit_temperature,
    platt,
    reliability,
)
from model.network.activations import softmax
from tests.model.properties import PROPERTY

Y = np.array([0.0, 1.0, 0.0, 1.0])
P = np.array([[0.1, 0.2, 0.7, 0.9]])


def calibrated(seed: int, rows: int = 200, repeats: int = 3) -> tuple[Array, Array]:
    """Return labels drawn by the patients' mean probabilities, and the probabilities."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=rows) + 0.2 * rng.normal(size=(repeats, rows))
    probabilities = 1.0 / (1.0 + np.exp(-logits))
    return (rng.uniform(size=rows) < probabilities.mean(axis=0)).astype(np.float64), probabilities


def plain_error(y: Array, probabilities: Array, bins: int) -> float:
    """Return the error of distinct probabilities whose number the bins divide evenly."""
    errors = []
    for p in probabilities:
        parts = np.split(np.argsort(p), bins)
        errors.append(sum(len(part) * abs(p[part].mean() - y[part].mean()) for part in parts))
    return float(np.mean(errors)) / len(y)


def assert_finite(diagram: Reliability, error: CalibrationError) -> None:
    for figures in (diagram.predicted, diagram.observed, diagram.low, diagram.high):
        assert np.isfinite(figures).all()
    for value in (error.value, error.expected, error.high, error.share_above):
        assert math.isfinite(value)


@pytest.mark.parametrize("sureness", [1.0, 10.0, 30.0])
def test_intercept_and_slope_are_those_of_logistic_regression(sureness: float) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 200))
    y = (rng.uniform(size=200) < 1.0 / (1.0 + np.exp(-z[0]))).astype(np.float64)
    logits = sureness * z
    intercepts, slopes = fit_calibration(logits, y, np.ones_like(logits))
    for row, intercept, slope in zip(logits, intercepts, slopes, strict=True):
        rival = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(row[:, np.newaxis], y)
        assert intercept == pytest.approx(rival.intercept_[0], abs=1e-4)
        assert slope == pytest.approx(rival.coef_[0, 0], abs=1e-4)


def test_probabilities_that_are_far_too_sure_and_wrong_still_have_a_slope() -> None:
    logits = np.array([[-20.0, -15.0, 10.0, -10.0, 15.0, 20.0, 27.0, -27.0]])
    y = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    (intercept,), (slope,) = fit_calibration(logits, y, np.ones_like(logits))
    residuals = y - 1.0 / (1.0 + np.exp(-(intercept + slope * logits[0])))
    assert residuals.sum() == pytest.approx(0.0, abs=1e-9)
    assert (residuals * logits[0]).sum() == pytest.approx(0.0, abs=1e-8)


def test_the_reliability_of_four_rows() -> None:
    diagram = reliability(Y, P, 0, bins=2)
    assert diagram.predicted == pytest.approx([0.15, 0.8], abs=1e-12)
    assert diagram.observed.tolist() == [0.5, 0.5]
    assert diagram.rows.tolist() == [2, 2]


def test_the_calibration_error_of_four_rows() -> None:
    assert calibration_error(Y, P, 0, bins=2).value == pytest.approx(0.325, abs=1e-12)
    twice = np.concatenate([P, P[:, ::-1]])
    assert calibration_error(Y, twice, 0, bins=2).value == pytest.approx(0.325, abs=1e-12)
    assert calibration_error(Y, P, 0, bins=1).value == pytest.approx(0.025, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_diagram_is_that_of_scikit_learn(seed: int) -> None:
    y, probabilities = calibrated(seed)
    diagram = reliability(y, probabilities, 0)
    observed, predicted = calibration_curve(
        np.tile(y, 3), probabilities.ravel(), n_bins=10, strategy="quantile"
    )
    assert diagram.predicted == pytest.approx(predicted, abs=1e-12)
    assert diagram.observed == pytest.approx(observed, abs=1e-12)
    assert diagram.rows.tolist() == [60] * 10


@pytest.mark.parametrize("bins", [1, 5, 10])
@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_that_of_equal_parts_in_order(seed: int, bins: int) -> None:
    y, probabilities = calibrated(seed)
    expected = plain_error(y, probabilities, bins)
    assert calibration_error(y, probabilities, 0, bins).value == pytest.approx(expected, abs=1e-12)


def test_both_distributions_are_those_of_labels_drawn_for_each_patient() -> None:
    y, probabilities = calibrated(7, rows=50, repeats=2)
    chances = probabilities.mean(axis=0)
    labels = (np.random.default_rng(4).uniform(size=(SAMPLES, 50)) < chances).astype(np.float64)
    errors = [plain_error(label, probabilities, 10) for label in labels]
    found = calibration_error(y, probabilities, 4)
    assert found.expected == pytest.approx(np.quantile(errors, 0.5), abs=1e-12)
    assert found.high == pytest.approx(np.quantile(errors, 0.95), abs=1e-12)
    assert found.share_above == np.mean(np.array(errors) >= found.value)
    parts = np.split(np.argsort(probabilities.ravel()), 10)
    observed = [[np.tile(label, 2)[part].mean() for part in parts] for label in labels]
    diagram = reliability(y, probabilities, 4)
    low, high = np.quantile(observed, [0.025, 0.975], axis=0)
    assert diagram.low == pytest.approx(low, abs=1e-12)
    assert diagram.high == pytest.approx(high, abs=1e-12)


def test_repeats_that_agree_show_no_more_than_one() -> None:
    # 100 rows in 5 bins: the quantiles of one repeat and of twenty part them alike.
    y, one = calibrated(1, rows=100, repeats=1)
    many = np.repeat(one, 20, axis=0)
    single, pooled = reliability(y, one, 0, bins=5), reliability(y, many, 0, bins=5)
    assert (pooled.rows == 20 * single.rows).all()
    for field in ("predicted", "observed", "low", "high"):
        assert getattr(pooled, field) == pytest.approx(getattr(single, field), abs=1e-12)
    first, second = (calibration_error(y, p, 0) for p in (one, many))
    for field in ("value", "expected", "high"):
        assert getattr(second, field) == pytest.approx(getattr(first, field), abs=1e-12)


def test_the_bars_are_about_as_wide_as_theory_has_it() -> None:
    diagram = reliability(np.zeros(400), np.full((5, 400), 0.3), 0)
    reach = 1.96 * math.sqrt(0.3 * 0.7 / 400)
    assert diagram.rows.tolist() == [2000]
    assert diagram.low == pytest.approx([0.3 - reach], abs=0.01)
    assert diagram.high == pytest.approx([0.3 + reach], abs=0.01)


def test_the_bars_hold_19_of_20_bins_where_the_probabilities_are_right() -> None:
    within = []
    for seed in range(100):
        y, probabilities = calibrated(seed)
        diagram = reliability(y, probabilities, seed)
        within.append((diagram.low <= diagram.observed) & (diagram.observed <= diagram.high))
    assert np.mean(within) == pytest.approx(0.95, abs=0.02)


def test_the_expected_error_is_about_what_theory_has_it() -> None:
    y, probabilities = calibrated(0, rows=5000, repeats=1)
    parts = np.split(np.sort(probabilities[0]), 10)
    deviations = [math.sqrt((part * (1 - part)).mean() / 500) for part in parts]
    found = calibration_error(y, probabilities, 0)
    assert found.expected == pytest.approx(math.sqrt(2 / math.pi) * np.mean(deviations), rel=0.1)
    assert 0.5 * found.expected < found.value < found.high


def test_chance_alone_gives_every_share_above_equally_often() -> None:
    shares = [calibration_error(*calibrated(seed, 60, 2), seed).share_above for seed in range(300)]
    steps = np.arange(1, 301) / 300
    # Kolmogorov's distance stays below 1.63 / sqrt(300) in 99 of 100 such samples.
    assert np.abs(np.sort(shares) - steps).max() < 1.63 / math.sqrt(300)


def test_probabilities_that_are_too_sure_are_found_out() -> None:
    y, probabilities = calibrated(0, rows=1000)
    odds = (probabilities / (1.0 - probabilities)) ** 2
    sure = odds / (1.0 + odds)
    found = calibration_error(y, sure, 0)
    assert found.value > 1.5 * found.high
    assert found.share_above == 0.0
    diagram = reliability(y, sure, 0)
    assert diagram.observed[1] > diagram.high[1]
    assert diagram.observed[-2] < diagram.low[-2]


def test_errors_that_rounding_parts_are_equal() -> None:
    # 0 of 10 and 2 of 10 are as far from 0.1: all but 1 of 10, of chance 0.387, is as large.
    y = np.array([1.0, 1.0] + [0.0] * 8)
    found = calibration_error(y, np.full((1, 10), 0.1), 0)
    assert found.value == pytest.approx(0.1, abs=1e-12)
    assert found.share_above == pytest.approx(1 - 0.387, abs=0.04)


def test_the_same_seed_gives_the_same_figures() -> None:
    y, probabilities = calibrated(2)
    first, same, other = (calibration_error(y, probabilities, seed) for seed in (1, 1, 2))
    assert first == same
    assert first != other
    bars, again, others = (reliability(y, probabilities, seed) for seed in (1, 1, 2))
    assert (bars.low == again.low).all()
    assert (bars.high == again.high).all()
    assert (bars.low != others.low).any()


def test_a_row_on_the_edge_of_two_bins_lies_in_the_lower() -> None:
    diagram = reliability(np.array([0.0, 1.0, 1.0]), np.array([[0.1, 0.4, 0.9]]), 0, bins=2)
    assert diagram.rows.tolist() == [2, 1]


def test_rows_that_tie_share_a_bin() -> None:
    y = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    diagram = reliability(y, np.array([[0.2, 0.2, 0.2, 0.2, 0.8, 0.8]]), 0)
    assert diagram.predicted == pytest.approx([0.2, 0.8], abs=1e-12)
    assert diagram.observed == pytest.approx([0.75, 0.5], abs=1e-12)
    assert diagram.rows.tolist() == [4, 2]


def test_sure_probabilities_that_are_right_have_no_error() -> None:
    y = calibrated(0)[0]
    diagram = reliability(y, y[np.newaxis], 0)
    for figures in (diagram.predicted, diagram.observed, diagram.low, diagram.high):
        assert figures.tolist() == [0.0, 1.0]
    assert calibration_error(y, y[np.newaxis], 0) == CalibrationError(0.0, 0.0, 0.0, 1.0)


def test_sure_probabilities_that_are_wrong_have_nothing_else() -> None:
    y = calibrated(0)[0]
    assert calibration_error(y, 1.0 - y[np.newaxis], 0) == CalibrationError(1.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_alone_has_a_calibration(label: float) -> None:
    probabilities = calibrated(0)[1]
    y = np.full(200, label)
    diagram, error = reliability(y, probabilities, 0), calibration_error(y, probabilities, 0)
    assert (diagram.observed == label).all()
    assert_finite(diagram, error)


@PROPERTY
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 0.1, 0.3, 0.8, 1.0])),
        min_size=1,
        max_size=15,
    ),
    st.integers(1, 12),
)
def test_any_ties_in_any_number_of_bins_give_finite_figures(
    rows: list[tuple[float, float]], bins: int
) -> None:
    y, p = np.array(rows).T
    probabilities = np.stack([p, p[::-1]])
    diagram = reliability(y, probabilities, 0, bins)
    error = calibration_error(y, probabilities, 0, bins)
    assert_finite(diagram, error)
    assert diagram.rows.sum() == 2 * len(rows)
    assert (diagram.rows > 0).all()
    assert (np.diff(diagram.predicted) > 0).all()
    assert 0.0 <= error.expected <= error.high <= 1.0


def softmax_sample(rows: int, classes: int, seed: int) -> tuple[Array, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 2.0, (rows, classes))
    drawn = rng.uniform(size=(rows, 1)) < np.cumsum(softmax(logits), axis=1)
    return logits, drawn.argmax(axis=1)


@pytest.mark.parametrize("factor", [0.1, 1.0, 3.0])
def test_a_temperature_takes_back_what_was_done_to_the_logits(factor: float) -> None:
    logits, classes = softmax_sample(20_000, 4, 1)
    assert fit_temperature(logits * factor, classes, np.ones(20_000)) == pytest.approx(
        1 / factor, rel=0.03
    )


@PROPERTY
@given(
    rows=st.integers(1, 30),
    classes=st.integers(3, 12),
    size=st.sampled_from([0.0, 1e-6, 1.0, 100.0]),
    seed=st.integers(0, 999),
)
def test_the_slope_is_the_minimum_of_the_smoothed_loss(
    rows: int, classes: int, size: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits = size * rng.normal(size=(rows, classes))
    of_rows, weights = rng.integers(0, classes, rows), rng.uniform(0.1, 3.0, rows)
    slope = fit_temperature(logits, of_rows, weights)
    assert math.isfinite(slope)
    rest = 1.0 / (weights.sum() + classes)
    targets = np.full(logits.shape, rest)
    targets[np.arange(rows), of_rows] += 1.0 - classes * rest

    def loss(at: float) -> float:
        shifted = at * logits - (at * logits).max(axis=1, keepdims=True)
        of_each = np.log(np.exp(shifted).sum(axis=1, keepdims=True)) - shifted
        return float(weights @ (targets * of_each).sum(axis=1))

    for other in (0.5 * slope, 0.99 * slope, 1.01 * slope + 1e-9, 2.0 * slope + 1e-6):
        if other <= LARGEST_SLOPE:
            assert loss(slope) <= loss(other) + 1e-7


def test_classes_separated_without_a_mistake_have_a_finite_slope() -> None:
    classes = np.arange(30) % 3
    slope = fit_temperature(np.eye(3)[classes], classes, np.ones(30))
    (p, *_) = np.sort(softmax(slope * np.eye(3)))[0][::-1]
    assert p == pytest.approx(1 - 2 / 33, abs=1e-6)
    assert fit_temperature(np.log(np.full((30, 3), 1 / 3)), classes, np.ones(30)) >= 0.0


def test_two_classes_separated_without_a_mistake_are_not_made_certain() -> None:
    y = (np.arange(40) % 2).astype(np.float64)
    intercept, slope = platt(2.0 * y - 1.0, y, np.ones(40))
    p = 1.0 / (1.0 + np.exp(-(intercept + slope * np.array([-1.0, 1.0]))))
    np.testing.assert_allclose(p, [1 / 22, 21 / 22], atol=1e-9)


def test_logits_that_order_the_rows_wrongly_are_given_no_say() -> None:
    y = (np.arange(40) % 4 == 0).astype(np.float64)
    intercept, slope = platt(1.0 - 2.0 * y, y, np.ones(40))
    assert slope == 0.0
    assert intercept == pytest.approx(math.log(1 / 3))
