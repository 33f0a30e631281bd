"""Calibration: whether seven in ten rows with probability 0.7 are positive, and its correction."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.arrays import Array
from model.network.activations import softmax

NEWTON_STEPS = 25
HALVINGS = 30
BISECTIONS = 100
LARGEST_SLOPE = 1000.0
SAMPLES = 1000
SLICE = 2**23
"""Numbers that are held at once: 64 MiB."""


def logit(probabilities: Array) -> Array:
    """Return log(p / (1 - p)), kept finite."""
    p = np.clip(probabilities, 1e-12, 1.0 - 1e-12)
    return np.asarray(np.log(p) - np.log1p(-p))


def fit_calibration(logits: Array, y: Array, sample_weight: Array) -> tuple[Array, Array]:
    """Fit P(y = 1) = sigmoid(intercept + slope * logit), for many sets at once.

    Parameters
    ----------
    logits : Array of shape (..., n)
        Of held-out rows.
    y : Array of shape (n,)
        Labels, 0 or 1.
    sample_weight : Array of shape (..., n)
        How often each row counts; 0 leaves it out.

    Returns
    -------
    intercept, slope : Array of shape (...)
        0 and 1 for calibrated probabilities. A slope below 1 means that they are overconfident,
        above 1 that they are underconfident.

    Notes
    -----
    Logistic regression without a penalty, by Newton's method. A step that would increase the loss
    is halved until it does not: for very overconfident probabilities the full step diverges.

    References
    ----------
    Cox, "Two further applications of a model for binary regression", Biometrika 45 (1958).
    """
    coefficients = np.zeros((*logits.shape[:-1], 2))
    coefficients[..., 1] = 1.0
    for _ in range(NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(_calibrated(logits, coefficients), -30.0, 30.0)))
        residuals = sample_weight * (y - p)
        curvature = sample_weight * p * (1.0 - p)
        gradient = np.stack([residuals.sum(axis=-1), np.vecdot(residuals, logits)], axis=-1)
        mixed = np.vecdot(curvature, logits)
        rows = [[curvature.sum(axis=-1), mixed], [mixed, np.vecdot(curvature, logits * logits)]]
        hessian = np.moveaxis(np.array(rows), (0, 1), (-2, -1))
        # A ridge of 1e-9, because perfectly separated classes have no finite solution.
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient[..., np.newaxis])[..., 0]
        coefficients += _shortened(step, coefficients, logits, y, sample_weight)
        if np.abs(step).max() < 1e-10:
            break
    return coefficients[..., 0], coefficients[..., 1]


def platt(logits: Array, y: Array, sample_weight: Array) -> tuple[float, float]:
    """Return intercept and slope for one set of rows, finite and never falling.

    Parameters
    ----------
    logits : Array of shape (n,)
        Of held-out rows.
    y : Array of shape (n,)
        Labels, 0 or 1.
    sample_weight : Array of shape (n,)
        How often each row counts.

    Notes
    -----
    The labels are 1 / (negatives + 2) and (positives + 1) / (positives + 2) in place of 0 and 1:
    so many rows without a mistake do not show that there are none, and classes that are separated
    without one have a finite calibration. A slope below 0, which held-out rows of pure noise tend
    to give, would turn the answers round: it becomes 0, and every row gets the share of class 1.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    positives = np.vecdot(sample_weight, y)
    negatives = sample_weight.sum() - positives
    smoothed = np.where(y == 1, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))
    intercept, slope = fit_calibration(logits, smoothed, sample_weight)
    if slope > 0:
        return float(intercept), float(slope)
    return float(logit(positives / (positives + negatives))), 0.0


def fit_temperature(logits: Array, classes: NDArray[np.intp], sample_weight: Array) -> float:
    """Fit P = softmax(slope * logits); the slope is 1 / temperature.

    Parameters
    ----------
    logits : Array of shape (n, n_classes)
        Of held-out rows; of log-probabilities the softmax is the same.
    classes : NDArray of int, of shape (n,)
        The class of each row.
    sample_weight : Array of shape (n,)
        How often each row counts; 0 leaves it out.

    Returns
    -------
    float
        1 for calibrated probabilities, below 1 where they are overconfident.

    Notes
    -----
    The log loss is convex in the slope; Newton's method within a bracket finds its minimum. The
    labels are smoothed by Laplace's rule of succession: 1 / (rows + n_classes) of each goes to
    every other class, so that perfectly separated classes have a finite slope.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    of_class = np.take_along_axis(logits, classes[:, np.newaxis], axis=1)[:, 0]
    labels = logits.shape[1]
    rest = 1.0 / (sample_weight.sum() + labels)
    wanted = of_class + rest * (logits.sum(axis=1) - labels * of_class)
    low, high, slope = 0.0, LARGEST_SLOPE, 1.0
    for _ in range(BISECTIONS):
        p = softmax(slope * logits)
        mean = np.vecdot(p, logits)
        gradient = float(np.vecdot(sample_weight, mean - wanted))
        low, high = (slope, high) if gradient < 0 else (low, slope)
        curvature = float(np.vecdot(sample_weight, np.vecdot(p, logits * logits) - mean * mean))
        newton = slope - gradient / curvature if curvature > 0 else low
        moved = newton if low < newton < high else 0.5 * (low + high)
        if abs(moved - slope) < 1e-10:
            break
        slope = moved
    return slope


def _calibrated(logits: Array, coefficients: Array) -> Array:
    return coefficients[..., :1] + coefficients[..., 1:] * logits


def _shortened(
    step: Array, coefficients: Array, logits: Array, y: Array, sample_weight: Array
) -> Array:
    """Return the step of each set, halved until it does not increase the loss."""

    def losses(at: Array) -> Array:
        """Return the loss of each set at its coefficients."""
        z = _calibrated(logits, at)
        # log(1 + exp(z)) - y z, in a form that cannot overflow.
        rows = np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0.0) - y * z
        return np.asarray(np.vecdot(sample_weight, rows))

    # Close to the minimum the losses differ only by rounding.
    highest = losses(coefficients) * (1.0 + 1e-12) + 1e-12
    for _ in range(HALVINGS):
        is_worse = losses(coefficients + step) > highest
        if not is_worse.any():
            break
        step = np.where(is_worse[..., np.newaxis], 0.5 * step, step)
    return step


@dataclass(frozen=True)
class Reliability:
    """Predicted and observed frequencies, by bins of similar probability.

    Parameters
    ----------
    predicted : Array of shape (bins,)
        Mean probability of the bin's rows, in increasing order.
    observed : Array of shape (bins,)
        Share of the bin's rows that are positive.
    rows : NDArray of int, of shape (bins,)
        Number of the bin's rows; a patient counts once for each repeat.
    low, high : Array of shape (bins,)
        The range of the observed share in 95 % of samples if the probabilities were correct.
    """

    predicted: Array
    observed: Array
    rows: NDArray[np.int64]
    low: Array
    high: Array


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error, with its distribution for a perfectly calibrated model.

    Parameters
    ----------
    value : float
        The error; in a finite sample it is above zero even if the probabilities are correct.
    expected : float
        Its median if the probabilities were correct.
    high : float
        Its 95 % quantile if they were correct.
    share_above : float
        Share of the samples with at least this error if they were correct.
    """

    value: float
    expected: float
    high: float
    share_above: float


def reliability(y: Array, probabilities: Array, random_state: int, bins: int = 10) -> Reliability:
    """Return the reliability diagram of the pooled repeats, with consistency bars.

    Parameters
    ----------
    y : Array of shape (n,)
        Labels, 0 or 1.
    probabilities : Array of shape (repeats, n)
        Held-out probabilities of the positive class, by repeat of the cross-validation.
    random_state : int
        Seed of the simulated labels.
    bins : int
        Number of bins of about equal size. Tied rows share a bin; empty bins are left out.

    Returns
    -------
    Reliability
        With consistency bars from 1,000 simulated samples.

    Notes
    -----
    A bin's bar is the 2.5 % to 97.5 % range of sum(m y) / sum(m), where m is how many of a
    patient's rows lie in the bin and y is drawn as 1 with the mean of its probabilities over the
    repeats. All rows of a patient share the one label, as they do in the data. The probabilities
    stay as they are; the source resamples these as well. Where the repeats differ much, the bars
    lie closer to the middle than the diagonal: not all repeats can be correct at once.

    References
    ----------
    Bröcker and Smith, "Increasing the reliability of reliability diagrams", Weather and
    Forecasting 22 (2007).
    """
    members = _bin_members(probabilities, bins)
    per_patient = members.sum(axis=0)
    filled = per_patient.sum(axis=0) > 0
    members, per_patient = members[..., filled], per_patient[:, filled]
    rows = per_patient.sum(axis=0)
    simulated = np.concatenate(
        [labels @ per_patient / rows for labels in _simulated_labels(probabilities, random_state)]
    )
    low, high = np.quantile(simulated, [0.025, 0.975], axis=0)
    predicted = np.einsum("rn,rnb->b", probabilities, members) / rows
    return Reliability(predicted, y @ per_patient / rows, rows.astype(np.int64), low, high)


def calibration_error(
    y: Array, probabilities: Array, random_state: int, bins: int = 10
) -> CalibrationError:
    """Return the expected calibration error with its distribution under perfect calibration.

    Parameters
    ----------
    y, probabilities, random_state
        See `reliability`.
    bins : int
        Number of bins of each repeat, of about equal size. Tied rows share a bin.

    Returns
    -------
    CalibrationError
        The mean over the repeats, with its distribution over 1,000 simulated samples.

    Notes
    -----
    The error of a repeat is the sum over its bins of (rows in the bin / n) times |mean probability
    - share of positive rows|. The samples' labels are those of `reliability`.

    References
    ----------
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI (2015). Vaicenavicius et al., "Evaluating model calibration in classification",
    AISTATS (2019).
    """
    members = np.stack([_bin_members(repeat, bins) for repeat in probabilities])
    value = _calibration_errors(y[np.newaxis], probabilities, members)[0]
    samples = np.concatenate(
        [
            _calibration_errors(labels, probabilities, members)
            for labels in _simulated_labels(probabilities, random_state)
        ]
    )
    expected, high = np.quantile(samples, [0.5, 0.95])
    # Errors that differ only by rounding are equal.
    share_above = np.mean(samples >= value - 1e-12)
    return CalibrationError(float(value), float(expected), float(high), float(share_above))


def _calibration_errors(labels: Array, probabilities: Array, members: Array) -> Array:
    """Return the mean over the repeats of the error of each sample.

    Parameters
    ----------
    labels : Array of shape (samples, n)
        Of each sample.
    probabilities : Array of shape (repeats, n)
        Of the positive class.
    members : Array of shape (repeats, n, bins)
        1 where a row lies in a bin, else 0.

    Returns
    -------
    Array of shape (samples,)
    """
    predicted = np.einsum("rn,rnb->rb", probabilities, members)[:, np.newaxis]
    gaps = np.abs(predicted - labels @ members)
    return np.asarray(gaps.sum(axis=(0, 2)) / probabilities.size)


def _bin_members(probabilities: Array, bins: int) -> Array:
    """Return 1 where a row lies in a bin, else 0, of shape (..., bins)."""
    edges = np.quantile(probabilities, np.arange(1, bins) / bins)
    lies_in = np.searchsorted(edges, probabilities)
    return np.asarray(lies_in[..., np.newaxis] == np.arange(bins), dtype=np.float64)


def _simulated_labels(probabilities: Array, random_state: int) -> Iterator[Array]:
    """Draw a label for each patient from its mean probability, of shape (samples, n).

    All samples are yielded at once, or so many at a time as memory allows.
    """
    rng = np.random.default_rng(random_state)
    chances = probabilities.mean(axis=0)
    at_once = max(1, SLICE // chances.size)
    for start in range(0, SAMPLES, at_once):
        drawn = rng.uniform(size=(min(at_once, SAMPLES - start), chances.size))
        yield np.asarray(drawn < chances, dtype=np.float64)
