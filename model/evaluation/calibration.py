"""Calibration: whether 0.7 comes true seven times in ten, and how to mend it where not."""

import numpy as np

from model.arrays import Array

NEWTON_STEPS = 25


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
        0 and 1 for probabilities that are calibrated. A slope below 1 tells that they are too
        sure, above 1 that they are too timid.

    Notes
    -----
    Logistic regression without a penalty, by Newton's method.

    References
    ----------
    Cox, "Two further applications of a model for binary regression", Biometrika 45 (1958).
    """
    design = np.stack([np.ones_like(logits), logits], axis=-1)
    coefficients = np.zeros((*logits.shape[:-1], 2))
    coefficients[..., 1] = 1.0
    for _ in range(NEWTON_STEPS):
        z = (design @ coefficients[..., np.newaxis])[..., 0]
        p = 1.0 / (1.0 + np.exp(-np.clip(z, -30.0, 30.0)))
        residuals = sample_weight * (y - p)
        curvature = sample_weight * p * (1.0 - p)
        gradient = np.swapaxes(design, -1, -2) @ residuals[..., np.newaxis]
        hessian = np.swapaxes(design, -1, -2) @ (design * curvature[..., np.newaxis])
        # A ridge of 1e-9: classes that the logits separate wholly would else have no solution.
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)[..., 0]
        coefficients += step
        if np.abs(step).max() < 1e-10:
            break
    return coefficients[..., 0], coefficients[..., 1]
