"""Stacking: how much each of several fits counts in their mean, by rows that none has seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from model.arrays import Array
from model.network.losses import BinaryCrossEntropy, CategoricalCrossEntropy

TRUST = 1.0
"""How strongly the weights are drawn to equal ones."""


def stacking_weights(
    logits: Array, classes: NDArray[np.intp], sample_weight: Array, trust: float = TRUST
) -> Array:
    """Return weights with which a sum of logits has the least log loss.

    Parameters
    ----------
    logits : Array of shape (members, n, n_outputs)
        Of held-out rows; one output of a sigmoid, or those of a softmax.
    classes : NDArray of int, of shape (n,)
        The class of each row.
    sample_weight : Array of shape (n,)
        How often each row counts.
    trust : float
        Strength of the penalty, see Notes.

    Returns
    -------
    Array of shape (members,)
        None below 0. They need not sum to 1.

    Notes
    -----
    With N the sum of the sample weights and M members, w minimises the mean log loss of
    sum_m w_m z_m plus trust M / N times sum_m (w_m - 1/M)^2, which is convex. Few rows cannot
    tell which member is best: then the weights stay near equal ones.

    References
    ----------
    Breiman, "Stacked regressions", Machine Learning 24 (1996) 49-64, who found that such weights
    must not be negative. Caruana et al., "Ensemble selection from libraries of models", ICML 2004.
    """
    members, total = len(logits), sample_weight.sum()
    outputs = logits.shape[-1]
    loss = BinaryCrossEntropy() if outputs == 1 else CategoricalCrossEntropy()
    one_hot = np.eye(max(outputs, 2))[classes]
    targets = loss.prepare(one_hot[:, 1:] if outputs == 1 else one_hot)
    shares, equal, penalty = sample_weight / total, 1.0 / members, trust * members / total

    def objective(weights: Array) -> tuple[float, Array]:
        """Return the penalised loss and its derivatives."""
        losses, delta = loss.of_rows(np.tensordot(weights, logits, 1), targets)
        apart = weights - equal
        delta *= shares[:, np.newaxis]
        value = np.vecdot(losses, shares) + penalty * np.vecdot(apart, apart)
        return float(value), np.tensordot(logits, delta, 2) + 2.0 * penalty * apart

    found = minimize(
        objective,
        np.full(members, equal),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * members,
    )
    return np.asarray(found.x)
