"""Classes: from the outputs of a network to the probability of each class, and to a decision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.arrays import Array


def class_probabilities(outputs: Array, output_activation: str) -> Array:
    """Return the probabilities that a network's outputs stand for.

    Parameters
    ----------
    outputs : Array of shape (..., n, n_outputs)
        One output, the probability of the positive class; or one for each class.
    output_activation : str
        Softmax outputs sum to one; others are divided by their sum.

    Returns
    -------
    Array of shape (..., n) or (..., n, n_classes)
        With two classes the probability of the last alone, else that of each.
    """
    if outputs.shape[-1] == 1:
        return outputs[..., 0]
    if output_activation != "softmax":
        total = outputs.sum(axis=-1, keepdims=True)
        # Outputs that are all zero to the last digit prefer no class.
        nothing = total == 0
        outputs = np.where(nothing, 1.0, outputs) / np.where(nothing, outputs.shape[-1], total)
    return outputs[..., 1] if outputs.shape[-1] == 2 else outputs


def predicted_classes(probabilities: Array, threshold: float | None) -> NDArray[np.intp]:
    """Return the number of each row's class.

    Parameters
    ----------
    probabilities : Array of shape (..., n) or (..., n, n_classes)
        What `class_probabilities` returned.
    threshold : float or None
        With two classes the last is predicted above it; with more the most probable is.
    """
    if threshold is None:
        return np.asarray(probabilities.argmax(axis=-1))
    return np.asarray((probabilities > threshold).astype(np.intp))


def predicted_class(probability: float | list[float], threshold: float | None) -> int:
    """Return what `predicted_classes` does for one row, as a plain number.

    Parameters
    ----------
    probability : float or list of float
        The probability of the positive class, or that of each.
    threshold : float or None
        With two classes the last is predicted above it; with more the most probable one is.
    """
    if isinstance(probability, list):
        return probability.index(max(probability))
    return int(threshold is not None and probability > threshold)


def probability_names(labels: Sequence[str]) -> list[str]:
    """Return the name of each number that `class_probabilities` returns for a row."""
    return ["probability"] if len(labels) == 2 else [f"probability_{label}" for label in labels]
