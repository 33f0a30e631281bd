"""The encoding: which columns the network sees of the columns that a record has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from model.arrays import Array
from model.schema.features import FeatureSet


class Encoding:
    """Copies a column, or turns it into one indicator for each of its codes.

    Parameters
    ----------
    columns : iterable of (int, float or None)
        For each encoded column the index of the feature that it is made of, and the code that it
        indicates; None for a copy of the column.

    Attributes
    ----------
    is_indicator : NDArray of bool, of shape (len(self),)
        Which of the encoded columns indicate a code.

    Examples
    --------
    >>> Encoding([(0, None), (1, 3.0), (1, 7.0)]).transform(np.array([[54.0, 7.0]]))
    array([[54.,  0.,  1.]])
    """

    def __init__(self, columns: Iterable[tuple[int, float | None]]) -> None:
        self.columns = tuple(columns)
        self._sources = np.array([source for source, _ in self.columns])
        self.is_indicator = np.array([code is not None for _, code in self.columns])
        self._codes = np.array([np.nan if code is None else code for _, code in self.columns])

    def __len__(self) -> int:
        return len(self.columns)

    @classmethod
    def plain(cls, features: FeatureSet) -> Encoding:
        """Copy every column as it is."""
        return cls((index, None) for index in range(len(features)))

    @classmethod
    def one_hot(cls, features: FeatureSet) -> Encoding:
        """Turn nominal columns into indicators of their codes, and copy the others."""
        columns: list[tuple[int, float | None]] = []
        for index, feature in enumerate(features):
            if feature.kind == "nominal":
                columns.extend((index, float(code)) for code, _ in feature.codes)
            else:
                columns.append((index, None))
        return cls(columns)

    def transform(self, X: Array) -> Array:
        """Return the encoded rows.

        Parameters
        ----------
        X : Array of shape (n, n_features)
            Rows in the order of the feature set.

        Returns
        -------
        Array of shape (n, len(self))
        """
        # Column by column: each lies in one piece then, which is quicker.
        encoded = X.T.take(self._sources, axis=0)
        indicators = self.is_indicator
        encoded[indicators] = encoded[indicators] == self._codes[indicators, np.newaxis]
        return np.ascontiguousarray(encoded.T)

    def transform_row(self, row: Sequence[float]) -> Array:
        """Return what `transform` makes of one row, of shape (len(self),)."""
        encoded = np.array(row).take(self._sources)
        np.copyto(encoded, encoded == self._codes, where=self.is_indicator)
        return encoded
