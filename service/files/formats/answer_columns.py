"""Answers: what the model says of rows, as the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from model.arrays import Array
from model.inference.predictor import Predictor
from service.faults import as_text, missing_warning, unseen_warning
from service.files.formats.columns import joined
from service.files.formats.kept import as_frame, free_names
from service.inference.outcome import Outcomes

ROWS = 2000
"""Rows that go through the network at once: what they need stays in the processor's cache."""


class Scored(NamedTuple):
    """What became of some rows: each was answered, or rejected with its reasons."""

    answers: pl.DataFrame
    rejected: pl.DataFrame

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.answers.height + self.rejected.height

    def numbered_after(self, before: int) -> Scored:
        """Return the same where so many numbers were given to rows before."""
        later = pl.col("row") + before
        return Scored(self.answers.with_columns(later), self.rejected.with_columns(later))


class Answers:
    """Tells of rows what POST /predict tells of a record.

    Parameters
    ----------
    predictor : Predictor
        The model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._outcomes = Outcomes(predictor)
        self._is_binary = predictor.threshold is not None
        self._labels = pl.Series("label", predictor.labels, pl.String)
        features = predictor.features
        self._warnings = [
            as_text(describe(feature))
            for feature in features
            for describe in (unseen_warning, missing_warning)
        ]

    def table(self, row: pl.Series, kept: Sequence[pl.Series], X: Array) -> pl.DataFrame:
        """Return the answers beside the columns that say whose they are.

        Parameters
        ----------
        row : Series
            Number of each row.
        kept : sequence of Series
            What else is kept of it; a column whose name an answer has gets another.
        X : Array of shape (n, n_features)
            Possible values.
        """
        starts = range(0, max(len(X), 1), ROWS)
        parts = [self._outcomes.of_rows(X[start : start + ROWS]) for start in starts]
        probabilities = np.concatenate([part.probabilities for part in parts])
        classes = np.concatenate([part.classes for part in parts])
        told = [np.stack([part.unseen, part.missing], axis=-1) for part in parts]
        warnings = joined(self._warnings, np.concatenate(told).reshape(len(X), len(self._warnings)))
        answers = [
            *self._probability_columns(probabilities),
            pl.Series("predicted_class", classes, pl.Int64),
            self._labels.gather(classes),
            pl.repeat(parts[0].version, len(X), eager=True).alias("model_version"),
            warnings.alias("warnings"),
        ]
        taken = [column.name for column in (row, *answers)]
        renamed = free_names([column.name for column in kept], taken)
        kept = [column.alias(renamed.get(column.name, column.name)) for column in kept]
        return as_frame([row, *kept, *answers])

    def _probability_columns(self, probabilities: Array) -> list[pl.Series]:
        if self._is_binary:
            return [pl.Series("probability", probabilities)]
        return [
            pl.Series(f"probability_{label}", column)
            for label, column in zip(self._labels, probabilities.T, strict=True)
        ]
