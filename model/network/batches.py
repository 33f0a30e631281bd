"""Batches: the rows of a step, with all that a step needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from model.arrays import Array
from model.network.network import with_ones

Reduction: TypeAlias = Literal["mean", "sum"]


@dataclass(frozen=True)
class Batch:
    """The rows of a step.

    Parameters
    ----------
    inputs : Array of shape (..., n, n_inputs + 1)
        The rows, each with a last column of 1.
    targets : Array of shape (..., n, n_outputs)
        As the loss takes them.
    shares : Array of shape (..., n)
        What part of the mean loss each row is.
    row_scale : Array of shape (..., n, 1), optional
        What the derivative of each row's loss is multiplied by; 1 where it is left out.
    decay : Array of shape (..., 1, 1), optional
        What part of a weight the penalty adds to its gradient; nothing where it is left out.
    """

    inputs: Array
    targets: Array
    shares: Array
    row_scale: Array | None
    decay: Array | None


def make_batch(
    inputs: Array,
    targets: Array,
    counts: Array,
    total: Array,
    *,
    reduction: Reduction = "mean",
    l2: float | Array = 0.0,
) -> Batch:
    """Return a batch of rows.

    Parameters
    ----------
    inputs, targets
        See `Batch`.
    counts : Array of shape (..., n)
        How often each row counts.
    total : Array of shape (...)
        Sum of the counts of all batches.
    reduction, l2
        See `model.network.training.fit`.
    """
    counted = counts.sum(axis=-1)
    # A batch may hold no row of a network whose rows are fewer than the others'.
    mean = 1.0 / np.where(counted > 0, counted, 1.0)
    scale = mean if reduction == "mean" else np.ones_like(mean)
    row_scale = counts * scale[..., np.newaxis]
    return Batch(
        inputs,
        targets,
        counts / total[..., np.newaxis],
        row_scale[..., np.newaxis] if (row_scale != 1.0).any() else None,
        (l2 * counted / total * scale)[..., np.newaxis, np.newaxis] if np.any(l2) else None,
    )


def batches_of(
    X: Array,
    targets: Array,
    weights: Array | None,
    size: int,
    *,
    reduction: Reduction,
    l2: float | Array,
) -> list[Batch]:
    """Return all rows in batches of a size, in their order; see `make_batch`."""
    given = np.ones(X.shape[-2]) if weights is None else weights
    total = given.sum(axis=-1)
    slices = [slice(start, start + size) for start in range(0, X.shape[-2], size)]
    return [
        make_batch(
            with_ones(X[..., rows, :]),
            targets[..., rows, :],
            given[..., rows],
            total,
            reduction=reduction,
            l2=l2,
        )
        for rows in slices
    ]
