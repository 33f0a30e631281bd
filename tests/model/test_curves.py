"""Curves, against figures worked out by hand, by scikit-learn or one resample at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from model.arrays import Array
from model.evaluation.curves import (
    RESAMPLES,
    Curve,
    net_benefit,
    net_benefit_of_treating_all,
    precision_recall_curve,
    roc_curve,
)
from tests.model.properties import PROPERTY

Y = np.array([0.0, 0.0, 1.0, 1.0])
P = np.array([[0.1, 0.6, 0.5, 0.9]])
THRESHOLDS = np.arange(100) / 100
FALSE_POSITIVE_RATES = np.arange(101) / 100
RECALLS = np.arange(1, 101) / 100

CurveOf = Callable[[Array, Array, int], Curve]
RANKING: list[CurveOf] = [roc_curve, precision_recall_curve]


def net_benefit_curve(y: Array, probabilities: Array, random_state: int) -> Curve:
    return net_benefit(y, probabilities, THRESHOLDS, random_state)


ALL: list[CurveOf] = [*RANKING, net_benefit_curve]


def sample(seed: int, rows: int = 150, repeats: int = 3) -> tuple[Array, Array]:
    """Return labels and probabilities in steps of a hundredth, so that there are ties."""
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=rows) < 0.45).astype(np.float64)
    logits = rng.normal(size=(repeats, rows)) + 1.5 * (y - 0.5)
    return y, np.round(1.0 / (1.0 + np.exp(-logits)), 2)


def plain_roc(y: Array, p: Array) -> Array:
    false_rates, true_rates, _ = metrics.roc_curve(y, p, drop_intermediate=False)
    return np.asarray(np.interp(FALSE_POSITIVE_RATES, false_rates, true_rates))


def plain_precision_recall(y: Array, p: Array) -> Array:
    precisions, recalls, _ = metrics.precision_recall_curve(y, p)
    highest = [np.flatnonzero(recalls >= recall)[-1] for recall in RECALLS]
    return np.asarray(precisions[highest])


def plain_net_benefit(y: Array, p: Array) -> Array:
    benefits = []
    for t in THRESHOLDS:
        tp = sum(1 for label, chance in zip(y, p, strict=True) if chance > t and label == 1)
        fp = sum(1 for label, chance in zip(y, p, strict=True) if chance > t and label == 0)
        benefits.append(tp / len(y) - fp / len(y) * t / (1 - t))
    return np.array(benefits)


PLAIN = [
    (roc_curve, plain_roc),
    (precision_recall_curve, plain_precision_recall),
    (net_benefit_curve, plain_net_benefit),
]


def assert_flat(curve: Curve, value: Array | float) -> None:
    for line in (curve.y, curve.low, curve.high):
        assert line == pytest.approx(np.broadcast_to(value, curve.x.shape), abs=1e-9)


def test_the_roc_curve_of_four_rows() -> None:
    curve = roc_curve(Y, P, 0)
    assert (curve.x == FALSE_POSITIVE_RATES).all()
    assert curve.y.tolist() == [0.5] * 50 + [1.0] * 51


def test_the_precision_recall_curve_of_four_rows() -> None:
    curve = precision_recall_curve(Y, P, 0)
    assert (curve.x == RECALLS).all()
    assert curve.y.tolist() == [1.0] * 50 + [2 / 3] * 50


def test_the_net_benefit_of_four_rows() -> None:
    thresholds = np.array([0.0, 0.2, 0.5, 0.9])
    curve = net_benefit(Y, P, thresholds, 0)
    assert (curve.x == thresholds).all()
    assert curve.y == pytest.approx([0.5, 0.4375, 0.0, 0.0], abs=1e-12)
    treating_all = net_benefit_of_treating_all(Y, thresholds)
    assert treating_all == pytest.approx([0.5, 0.375, 0.0, -4.0], abs=1e-12)


def test_rows_that_tie_are_called_together() -> None:
    tied = np.array([[0.5, 0.5, 0.5, 0.9]])
    assert roc_curve(Y, tied, 0).y == pytest.approx(0.5 + FALSE_POSITIVE_RATES / 2, abs=1e-9)
    assert precision_recall_curve(Y, tied, 0).y.tolist() == [1.0] * 50 + [0.5] * 50


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("curve_of", "plain"), PLAIN)
def test_a_curve_is_the_plain_one_meaned_over_the_repeats(
    curve_of: CurveOf, plain: Callable[[Array, Array], Array], seed: int
) -> None:
    y, probabilities = sample(seed)
    expected = np.mean([plain(y, p) for p in probabilities], axis=0)
    assert curve_of(y, probabilities, 0).y == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("curve_of", "plain"), PLAIN)
def test_the_band_is_that_of_the_plain_curves_of_resampled_patients(
    curve_of: CurveOf, plain: Callable[[Array, Array], Array]
) -> None:
    y, probabilities = sample(4, rows=30, repeats=2)
    counts = np.random.default_rng(9).multinomial(30, np.full(30, 1 / 30), RESAMPLES)
    curves = []
    for count in counts:
        drawn = np.repeat(np.arange(30), count)
        curves.append(np.mean([plain(y[drawn], p[drawn]) for p in probabilities], axis=0))
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    curve = curve_of(y, probabilities, 9)
    assert curve.low == pytest.approx(low, abs=1e-9)
    assert curve.high == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_areas_are_those_of_scikit_learn_but_for_the_grid(seed: int) -> None:
    y, probabilities = sample(seed, rows=270, repeats=1)
    roc = roc_curve(y, probabilities, 0)
    area = metrics.roc_auc_score(y, probabilities[0])
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(area, abs=0.005)
    precision = metrics.average_precision_score(y, probabilities[0])
    assert precision_recall_curve(y, probabilities, 0).y.mean() == pytest.approx(
        precision, abs=0.01
    )


@pytest.mark.parametrize("curve_of", ALL)
def test_repeats_that_agree_show_no_more_than_one(curve_of: CurveOf) -> None:
    y, probabilities = sample(5, repeats=1)
    one, many = (curve_of(y, np.repeat(probabilities, k, axis=0), 0) for k in (1, 20))
    for field in ("y", "low", "high"):
        assert getattr(many, field) == pytest.approx(getattr(one, field), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("curve_of", ALL)
def test_the_band_holds_the_curve(curve_of: CurveOf, seed: int) -> None:
    curve = curve_of(*sample(seed), 0)
    assert (curve.low <= curve.y + 1e-12).all()
    assert (curve.y <= curve.high + 1e-12).all()
    assert (curve.low < curve.high).any()


def test_the_band_is_about_as_wide_as_theory_has_it() -> None:
    y, _ = sample(0, rows=2000)
    at = np.array([0.0, 0.3, 0.5])
    curve = net_benefit(y, np.ones((1, 2000)), at, 0)
    error = math.sqrt(y.mean() * (1 - y.mean()) / 2000) / (1 - at)
    assert curve.high - curve.low == pytest.approx(2 * 1.96 * error, rel=0.2)


@pytest.mark.parametrize("curve_of", ALL)
def test_the_same_seed_gives_the_same_band(curve_of: CurveOf) -> None:
    y, probabilities = sample(2)
    first, same, other = (curve_of(y, probabilities, seed) for seed in (1, 1, 2))
    assert (first.low == same.low).all()
    assert (first.high == same.high).all()
    assert (first.y == other.y).all()
    assert (first.low != other.low).any()


@pytest.mark.parametrize("curve_of", ALL)
def test_the_order_of_the_patients_does_not_matter(curve_of: CurveOf) -> None:
    y, probabilities = sample(3)
    order = np.random.default_rng(0).permutation(len(y))
    shuffled = curve_of(y[order], probabilities[:, order], 0)
    assert shuffled.y == pytest.approx(curve_of(y, probabilities, 0).y, abs=1e-12)


@pytest.mark.parametrize("curve_of", RANKING)
def test_the_ranks_alone_make_a_ranking_curve(curve_of: CurveOf) -> None:
    y, probabilities = sample(3)
    straight, bent = curve_of(y, probabilities, 0), curve_of(y, probabilities**3, 0)
    assert (straight.y == bent.y).all()
    assert (straight.low == bent.low).all()


def test_a_roc_curve_rises_to_one() -> None:
    curve = roc_curve(*sample(6), 0)
    for line in (curve.y, curve.low, curve.high):
        assert (np.diff(line) >= -1e-12).all()
        assert line[-1] == pytest.approx(1.0, abs=1e-12)


def test_a_perfect_model_makes_no_error_in_any_resample() -> None:
    y, _ = sample(0)
    perfect = np.stack([y, 0.2 + 0.6 * y])
    assert_flat(roc_curve(y, perfect, 0), 1.0)
    assert_flat(precision_recall_curve(y, perfect, 0), 1.0)
    benefit = net_benefit(y, y[np.newaxis], THRESHOLDS, 0)
    assert benefit.y == pytest.approx(np.full(100, y.mean()), abs=1e-12)


def test_constant_probabilities_rank_no_row() -> None:
    y, _ = sample(0)
    constant = np.full((2, len(y)), 0.3)
    assert_flat(roc_curve(y, constant, 0), FALSE_POSITIVE_RATES)
    precision = precision_recall_curve(y, constant, 0)
    assert precision.y == pytest.approx(np.full(100, y.mean()), abs=1e-12)


def test_constant_probabilities_treat_all_or_none() -> None:
    y, _ = sample(0)
    curve = net_benefit(y, np.full((2, len(y)), 0.3), THRESHOLDS, 0)
    treating_all = np.where(THRESHOLDS < 0.3, net_benefit_of_treating_all(y, THRESHOLDS), 0.0)
    assert curve.y == pytest.approx(treating_all, abs=1e-12)
    assert (curve.high[THRESHOLDS >= 0.3] == 0.0).all()


def test_random_probabilities_stay_near_what_chance_gives() -> None:
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=4000) < 0.3).astype(np.float64)
    guesses = rng.uniform(size=(1, 4000))
    assert roc_curve(y, guesses, 0).y == pytest.approx(FALSE_POSITIVE_RATES, abs=0.04)
    precisions = precision_recall_curve(y, guesses, 0).y[10:]
    assert precisions == pytest.approx(np.full(90, 0.3), abs=0.04)


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("curve_of", ALL)
def test_one_row_of_a_class_is_enough(curve_of: CurveOf, label: float) -> None:
    y = np.full(20, 1.0 - label)
    y[7] = label
    curve = curve_of(y, sample(0, rows=20)[1], 0)
    assert all(np.isfinite(line).all() for line in (curve.y, curve.low, curve.high))


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("curve_of", RANKING)
def test_a_ranking_curve_of_one_class_alone_is_refused(curve_of: CurveOf, label: float) -> None:
    with pytest.raises(ValueError, match="both classes"):
        curve_of(np.full(4, label), P, 0)


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 1.5])
def test_a_threshold_without_odds_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="at least 0 and less than 1"):
        net_benefit(Y, P, np.array([threshold]), 0)
    with pytest.raises(ValueError, match="at least 0 and less than 1"):
        net_benefit_of_treating_all(Y, np.array([threshold]))


@PROPERTY
@given(
    st.integers(2, 12).flatmap(
        lambda rows: st.tuples(
            st.lists(st.sampled_from([0.0, 1.0]), min_size=rows, max_size=rows),
            st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), min_size=rows, max_size=rows),
        )
    )
)
def test_every_curve_is_finite_and_its_band_in_order(rows: tuple[list[float], ...]) -> None:
    y, probabilities = np.array([0.0, 1.0, *rows[0]]), np.array([[0.5, 0.5, *rows[1]]])
    for curve_of in ALL:
        curve = curve_of(y, probabilities, 0)
        assert all(np.isfinite(line).all() for line in (curve.y, curve.low, curve.high))
        assert (curve.low <= curve.high).all()
