"""Curves: how a model performs at every threshold, with 95 % bands over bootstrap samples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from model.arrays import Array
from model.evaluation.metrics import bootstrap_slices

GRID_STEPS = 100
RESAMPLES = 200


@dataclass(frozen=True)
class Curve:
    """A curve with its band.

    Parameters
    ----------
    x : Array of shape (points,)
        In increasing order.
    y : Array of shape (points,)
        The mean over the repeats of the cross-validation.
    low, high : Array of shape (points,)
        The pointwise 95 % percentile interval of 200 bootstrap samples of the patients, each with
        the rows of all repeats.
    """

    x: Array
    y: Array
    low: Array
    high: Array


def roc_curve(y: Array, probabilities: Array, random_state: int) -> Curve:
    """Return the true positive rate at every false positive rate.

    Parameters
    ----------
    y : Array of shape (n,)
        Labels, 0 or 1.
    probabilities : Array of shape (repeats, n)
        Held-out probabilities of the positive class, by repeat of the cross-validation.
    random_state : int
        Seed of the bootstrap.

    Returns
    -------
    Curve
        At the false positive rates 0, 0.01, ..., 1.

    Raises
    ------
    ValueError
        If one class has no row.

    Notes
    -----
    At a threshold t the rates are P(p > t | y = 1) and P(p > t | y = 0). Between two thresholds
    the curve is a straight line; where several thresholds have the same false positive rate, it
    takes the highest true positive rate. The repeats are averaged vertically.

    References
    ----------
    Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006).
    """
    grid = np.arange(GRID_STEPS + 1) / GRID_STEPS
    return _ranking_curve(y, probabilities, random_state, grid, _true_positive_rates)


def precision_recall_curve(y: Array, probabilities: Array, random_state: int) -> Curve:
    """Return the precision at every recall.

    Parameters
    ----------
    y, probabilities, random_state
        See `roc_curve`.

    Returns
    -------
    Curve
        At the recalls 0.01, 0.02, ..., 1: at a recall of 0 precision is undefined.

    Raises
    ------
    ValueError
        If one class has no row.

    Notes
    -----
    The precision, P(y = 1 | p > t), is that at the highest threshold t whose recall,
    P(p > t | y = 1), reaches the grid value. The curve has steps, because linear interpolation
    between thresholds is too optimistic. Its mean is close to the average precision.

    References
    ----------
    Davis and Goadrich, "The relationship between precision-recall and ROC curves", ICML (2006).
    """
    grid = np.arange(1, GRID_STEPS + 1) / GRID_STEPS
    return _ranking_curve(y, probabilities, random_state, grid, _precisions)


def net_benefit(y: Array, probabilities: Array, thresholds: Array, random_state: int) -> Curve:
    """Return the net benefit of treating the patients that are predicted positive.

    Parameters
    ----------
    y, probabilities, random_state
        See `roc_curve`.
    thresholds : Array of shape (points,)
        From 0 to below 1; the positive class is predicted above them.

    Returns
    -------
    Curve
        At the thresholds. Treating no row has a net benefit of 0.

    Raises
    ------
    ValueError
        If a threshold is below 0, or 1 or more.

    Notes
    -----
    TP / n - FP / n * t / (1 - t): the share of patients treated correctly, minus the share treated
    unnecessarily, weighted by the odds of the threshold t.

    References
    ----------
    Vickers and Elkin, "Decision curve analysis: a novel method for evaluating prediction models",
    Medical Decision Making 26 (2006).
    """
    treated = (probabilities[:, np.newaxis] > thresholds[:, np.newaxis]).mean(axis=0)
    benefits = treated * _benefits_of_treatment(y, thresholds)
    slices = _resamples(len(y), random_state)
    return _with_band(thresholds, np.concatenate([c @ benefits.T / len(y) for c in slices]))


def net_benefit_of_treating_all(y: Array, thresholds: Array) -> Array:
    """Return the net benefit of treating every patient, of shape (points,).

    Parameters
    ----------
    y, thresholds
        See `net_benefit`.

    Raises
    ------
    ValueError
        If a threshold is below 0, or 1 or more.

    Notes
    -----
    The equation of `net_benefit`, with all positive rows as TP and all negative ones as FP.
    """
    return np.asarray(_benefits_of_treatment(y, thresholds).mean(axis=1))


def _benefits_of_treatment(y: Array, thresholds: Array) -> Array:
    """Return the net benefit of treating each patient at each threshold, of shape (points, n)."""
    if np.any((thresholds < 0.0) | (thresholds >= 1.0)):
        raise ValueError("the thresholds of a net benefit must be at least 0 and less than 1")
    odds = thresholds / (1.0 - thresholds)
    return np.where(y == 1, 1.0, -odds[:, np.newaxis])


def _resamples(rows: int, random_state: int) -> Iterator[Array]:
    """Yield how often each row counts: once in the first row, then in each bootstrap sample.

    All are yielded at once, or so many at a time as memory allows.
    """
    slices = bootstrap_slices(rows, RESAMPLES, random_state)
    yield np.vstack([np.ones(rows), next(slices)])
    yield from slices


def _with_band(x: Array, curves: Array) -> Curve:
    """Return the first curve, with the band of the others."""
    low, high = np.quantile(curves[1:], [0.025, 0.975], axis=0)
    return Curve(x, curves[0], low, high)


def _ranking_curve(
    y: Array,
    probabilities: Array,
    random_state: int,
    grid: Array,
    read: Callable[[Array, Array, Array], Array],
) -> Curve:
    """Return the mean over the repeats of the curve that `read` interpolates."""
    if np.all(y == y[0]):
        raise ValueError("the curve needs rows of both classes")
    curves = []
    for counts in _resamples(len(y), random_state):
        positives = counts @ y
        # A resample with one class only has no rates.
        usable = counts[(positives > 0) & (positives < len(y))]
        of_repeats = [read(*_called(y, repeat, usable), grid) for repeat in probabilities]
        curves.append(np.mean(of_repeats, axis=0))
    return _with_band(grid, np.concatenate(curves))


def _called(y: Array, probabilities: Array, counts: Array) -> tuple[Array, Array]:
    """Return how many rows of each class are predicted positive as the threshold decreases.

    Parameters
    ----------
    y : Array of shape (n,)
        Labels, 0 or 1.
    probabilities : Array of shape (n,)
        Of the positive class.
    counts : Array of shape (resamples, n)
        How often each row counts.

    Returns
    -------
    true_positives, false_positives : Array of shape (resamples, 1 + distinct probabilities)
        From none to all.
    """
    order = np.argsort(-probabilities)
    # No threshold separates tied rows.
    last = np.flatnonzero(np.diff(probabilities[order], append=-np.inf))
    ranked = counts[:, order]
    none = np.zeros((len(counts), 1))
    true_positives = np.cumsum(ranked * y[order], axis=1)[:, last]
    false_positives = np.cumsum(ranked * (1.0 - y[order]), axis=1)[:, last]
    return np.hstack([none, true_positives]), np.hstack([none, false_positives])


def _true_positive_rates(true_positives: Array, false_positives: Array, grid: Array) -> Array:
    """Return those at the false positive rates of the grid, of shape (resamples, points)."""
    true_rates = true_positives / true_positives[:, -1:]
    false_rates = false_positives / false_positives[:, -1:]
    at, known = _apart(grid, len(true_rates)), _apart(false_rates, len(true_rates))
    # Of equal rates np.interp takes the last, which has the highest true positive rate.
    return np.interp(at, known, true_rates.ravel()).reshape(len(true_rates), -1)


def _precisions(true_positives: Array, false_positives: Array, grid: Array) -> Array:
    """Return those at the recalls of the grid, of shape (resamples, points)."""
    recalls = true_positives / true_positives[:, -1:]
    at, known = _apart(grid, len(recalls)), _apart(recalls, len(recalls))
    # Without the top-ranked rows a resample has no positive predictions at first, but then its
    # recall is 0, which is not in the grid.
    precisions = true_positives / np.maximum(true_positives + false_positives, 1.0)
    return precisions.ravel()[np.searchsorted(known, at)].reshape(len(recalls), -1)


def _apart(rates: Array, resamples: int) -> Array:
    """Offset the rates of each resample, so that one search covers all resamples."""
    return np.asarray(rates + 2.0 * np.arange(resamples)[:, np.newaxis]).ravel()
