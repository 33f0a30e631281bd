"""Golden rows: made-up rows with their probabilities, which show that a model computes rightly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.arrays import Array

TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class GoldenRows:
    """Rows and the probabilities that a model gave them when it was saved.

    Parameters
    ----------
    inputs : Array of shape (m, n_features)
        The rows.
    probabilities : Array of shape (m,) or (m, n_classes)
        See `model.schema.classes.class_probabilities`.
    """

    inputs: Array
    probabilities: Array

    def agree(self, probabilities: Array) -> bool:
        """Return whether a model that gives the rows these probabilities computes as it did."""
        return bool(np.allclose(probabilities, self.probabilities, 0.0, TOLERANCE))
