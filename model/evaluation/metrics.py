"""Metrics: held-out probabilities compared with the classes, with bootstrap intervals."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np

from model.arrays import Array
from model.data import Costs
from model.evaluation.calibration import fit_calibration, logit

RESAMPLES = 1000
FEW_RESAMPLES = 200
MANY_ROWS = 2000
SLICE = 2**23
"""Numbers that are held at once: 64 MiB."""

PAIRS = 2**22
"""Up to so many pairs of rows, over all repeats, are compared one by one."""

Metric: TypeAlias = Callable[[Array, Array, Array], Array]
"""Takes y of shape (n,), held-out probabilities of shape (repeats, n), and the number of times that
each row counts in each resample, of shape (resamples, n); returns (resamples,)."""


def misclassification_costs(y: Array, probabilities: Array, costs: Costs) -> Array:
    """Return the cost of each row at the threshold that minimises the expected cost."""
    called = probabilities > costs.threshold
    return np.where(y == 1, costs.false_negative * ~called, costs.false_positive * called)


def _mean_of(per_row: Callable[[Array, Array], Array]) -> Metric:
    """Return the metric that is the mean of a figure of each row."""

    def metric(y: Array, probabilities: Array, counts: Array) -> Array:
        """Return the mean, with each row weighted by its count."""
        rows = np.asarray(per_row(y, probabilities), dtype=np.float64).mean(axis=0)
        return np.asarray(counts @ rows / counts.sum(axis=-1))

    return metric


def roc_auc(y: Array, probabilities: Array, counts: Array) -> Array:
    """Return the probability that a positive row ranks above a negative one, ties counting half."""
    p, n = counts[:, y == 1].sum(axis=-1), counts[:, y == 0].sum(axis=-1)
    pairs = p * n
    compared = int((y == 1).sum()) * int((y == 0).sum()) * len(probabilities)
    wins = _wins_by_pairs if compared <= PAIRS else _wins_by_rank
    # A resample with one class only has no pairs, and no value.
    share = wins(y, probabilities, counts) / np.where(pairs > 0, pairs, 1.0)
    return np.where(pairs > 0, share, np.nan)


def _wins_by_pairs(y: Array, probabilities: Array, counts: Array) -> Array:
    """Return how many pairs are won, of shape (resamples,): the mean over the repeats."""
    positive, negative = probabilities[:, y == 1], probabilities[:, y == 0]
    above = positive[:, :, np.newaxis] > negative[:, np.newaxis, :]
    equal = positive[:, :, np.newaxis] == negative[:, np.newaxis, :]
    wins = (above + 0.5 * equal).mean(axis=0)
    return np.asarray(np.einsum("bi,ij,bj->b", counts[:, y == 1], wins, counts[:, y == 0]))


def _wins_by_rank(y: Array, probabilities: Array, counts: Array) -> Array:
    """Return what `_wins_by_pairs` does, with time and memory that grow with the rows alone."""
    wins = np.zeros(len(counts))
    for repeat in probabilities:
        order = np.argsort(repeat)
        first = np.flatnonzero(np.diff(repeat[order], prepend=-np.inf))  # of rows that are tied
        ranked, positive = counts[:, order], y[order]
        positives = np.add.reduceat(ranked * positive, first, axis=1)
        negatives = np.add.reduceat(ranked * (1.0 - positive), first, axis=1)
        below = np.cumsum(negatives, axis=1) - 0.5 * negatives
        wins += np.vecdot(positives, below)
    return wins / len(probabilities)


def calibration_slope(y: Array, probabilities: Array, counts: Array) -> Array:
    """Return the mean over the repeats of the calibration slope."""
    return _calibration(y, probabilities, counts)[1]


def calibration_intercept(y: Array, probabilities: Array, counts: Array) -> Array:
    """Return the mean over the repeats of the calibration intercept."""
    return _calibration(y, probabilities, counts)[0]


def _calibration(y: Array, probabilities: Array, counts: Array) -> tuple[Array, Array]:
    logits = logit(probabilities)
    fits = [fit_calibration(logits, y, np.broadcast_to(c, logits.shape)) for c in counts]
    intercepts, slopes = np.array(fits).mean(axis=-1).T
    return intercepts, slopes


def _log_losses(y: Array, probabilities: Array) -> Array:
    return np.asarray(
        -np.log(np.maximum(np.where(y == 1, probabilities, 1 - probabilities), 1e-15))
    )


BINARY_METRICS: dict[str, Metric] = {
    "accuracy": _mean_of(lambda y, p: (p > 0.5) == (y == 1)),
    "roc_auc": roc_auc,
    "brier": _mean_of(lambda y, p: (p - y) ** 2),
    "log_loss": _mean_of(_log_losses),
    "calibration_slope": calibration_slope,
    "calibration_intercept": calibration_intercept,
}
"""Of two classes; y is 1 for the positive one."""


def _one_vs_rest_auc(y: Array, probabilities: Array, counts: Array) -> Array:
    classes = range(probabilities.shape[-1])
    each = [roc_auc((y == k).astype(float), probabilities[..., k], counts) for k in classes]
    return np.asarray(np.mean(each, axis=0))


def _of_own_class(y: Array, probabilities: Array) -> Array:
    return np.take_along_axis(probabilities, y[np.newaxis, :, np.newaxis].astype(int), -1)[..., 0]


MULTICLASS_METRICS: dict[str, Metric] = {
    "accuracy": _mean_of(lambda y, p: p.argmax(axis=-1) == y),
    "roc_auc": _one_vs_rest_auc,
    "brier": _mean_of(lambda y, p: ((p - np.eye(p.shape[-1])[y.astype(int)]) ** 2).sum(axis=-1)),
    "log_loss": _mean_of(lambda y, p: -np.log(np.maximum(_of_own_class(y, p), 1e-15))),
}
"""Of three classes and more: y is the number of the class, probabilities have an axis of classes
behind. The area is the mean of each class against the others; the Brier score is Brier's own, the
sum over the classes."""

SUBGROUP_METRICS = ("accuracy", "cost", "roc_auc", "brier", "log_loss")


def metrics_for(classes: int, costs: Costs | None = None) -> dict[str, Metric]:
    """Return the metrics of a model with this number of classes, by name.

    Parameters
    ----------
    classes : int
        Number of classes.
    costs : Costs, optional
        Costs of wrong decisions; with two classes they add the metric `cost`.
    """
    if classes > 2:
        return MULTICLASS_METRICS
    if costs is None:
        return BINARY_METRICS
    cost = _mean_of(partial(misclassification_costs, costs=costs))
    return {"accuracy": BINARY_METRICS["accuracy"], "cost": cost, **BINARY_METRICS}


def bootstrap_counts(rows: int, resamples: int, random_state: int) -> Array:
    """Return how often each row is drawn in each bootstrap sample, of shape (resamples, rows)."""
    return _drawn(np.random.default_rng(random_state), rows, resamples)


def _drawn(rng: np.random.Generator, rows: int, resamples: int) -> Array:
    return rng.multinomial(rows, np.full(rows, 1.0 / rows), resamples).astype(np.float64)


def value_of(
    metric: Metric, y: Array, probabilities: Array, sample_weight: Array | None = None
) -> float:
    """Return a metric of the rows as they are; its mean over the repeats."""
    counts = np.ones(len(y)) if sample_weight is None else sample_weight
    return float(metric(y, probabilities, counts[np.newaxis])[0])


def metrics_with_intervals(
    metrics: Mapping[str, Metric],
    y: Array,
    probabilities: Array,
    random_state: int,
    sample_weight: Array | None = None,
) -> dict[str, dict[str, float]]:
    """Return every metric with its interval.

    Parameters
    ----------
    metrics : mapping of str to Metric
        The metrics to compute.
    y : Array of shape (n,)
        Classes.
    probabilities : Array of shape (repeats, n) or (repeats, n, n_classes)
        Held-out probabilities, by repeat of the cross-validation.
    random_state : int
        Seed of the bootstrap.
    sample_weight : Array of shape (n,), optional
        How often each row counts; once if left out.

    Returns
    -------
    dict
        For every metric its ``value``, the mean over the repeats; ``low`` and ``high``, the 95 %
        percentile interval of bootstrap samples of the rows, each with the probabilities of
        all repeats; and ``spread``, the standard deviation between the repeats.

    Notes
    -----
    The interval covers the sampling of the evaluated rows. It does not cover the sampling of the
    training rows: nothing is fitted again.
    """
    samples: dict[str, list[Array]] = {name: [] for name in metrics}
    for counts in bootstrap_slices(len(y), resamples_for(len(y)), random_state):
        weighted = counts if sample_weight is None else counts * sample_weight
        for name, metric in metrics.items():
            samples[name].append(metric(y, probabilities, weighted))
    figures = {}
    for name, metric in metrics.items():
        low, high = np.nanquantile(np.concatenate(samples[name]), [0.025, 0.975])
        repeats = [
            value_of(metric, y, repeat[np.newaxis], sample_weight) for repeat in probabilities
        ]
        figures[name] = {
            "value": value_of(metric, y, probabilities, sample_weight),
            "low": float(low),
            "high": float(high),
            "spread": float(np.std(repeats)),
        }
    return figures


def resamples_for(rows: int) -> int:
    """Return the number of bootstrap samples: fewer for many rows, whose intervals are narrow."""
    return RESAMPLES if rows <= MANY_ROWS else FEW_RESAMPLES


def bootstrap_slices(rows: int, resamples: int, random_state: int) -> Iterator[Array]:
    """Yield what `bootstrap_counts` returns, so much of it at once as memory allows."""
    rng = np.random.default_rng(random_state)
    at_once = max(1, SLICE // rows)
    for start in range(0, resamples, at_once):
        yield _drawn(rng, rows, min(at_once, resamples - start))
