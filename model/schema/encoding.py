"""The encoding: which columns the network sees of the columns that a record has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import groupby
from struct import pack
from typing import Literal, TypeAlias

import numpy as np

from model.arrays import Array
from model.schema.features import FeatureSet

IF_MISSING: Literal["missing"] = "missing"
"""What an encoded column indicates that is 1 where the value is missing."""

Indicated: TypeAlias = float | Literal["missing"] | None

Bits: TypeAlias = tuple[float, ...]
"""Values of indicators."""


class Encoding:
    """Copies a column, or turns it into one indicator for each of its codes.

    Parameters
    ----------
    columns : iterable of (int, float, "missing" or None)
        For each encoded column the index of the feature that it is made of, and the code that it
        indicates, or that the value is missing; None for a copy of the column.

    Attributes
    ----------
    is_indicator : NDArray of bool, of shape (len(self),)
        Which of the encoded columns indicate a code, or a missing value.
    is_filled : NDArray of bool, of shape (len(self),)
        Which are copies of a column that may have missing values.
    may_be_missing : bool
        Whether there is a column of indicators of missing values.

    Examples
    --------
    >>> Encoding([(0, None), (1, 3.0), (1, 7.0)]).transform(np.array([[54.0, 7.0]]))
    array([[54.,  0.,  1.]])
    """

    def __init__(self, columns: Iterable[tuple[int, Indicated]]) -> None:
        self.columns = tuple(columns)
        self._sources = np.array([source for source, _ in self.columns])
        self.is_indicator = np.array([code is not None for _, code in self.columns])
        self._if_missing = np.array([code == IF_MISSING for _, code in self.columns])
        self._codes = np.array([_compared(code) for _, code in self.columns])
        self.may_be_missing = bool(self._if_missing.any())
        sources = self._sources[self._if_missing]
        self._packed = f"{len(self.columns)}d"
        self.is_filled = ~self.is_indicator & np.isin(self._sources, sources)

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

    @classmethod
    def for_table(cls, features: FeatureSet) -> Encoding:
        """Do what `one_hot` does, and indicate the missing values of columns that may have any."""
        return cls(
            [
                *cls.one_hot(features).columns,
                *((column, IF_MISSING) for column in features.rules.optional),
            ]
        )

    def transform(self, X: Array) -> Array:
        """Return the encoded rows, with NaN in the copies of missing values; see `filled`.

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
        if self.may_be_missing:
            encoded[self._if_missing] = np.isnan(encoded[self._if_missing])
        indicators = self.is_indicator
        encoded[indicators] = encoded[indicators] == self._codes[indicators, np.newaxis]
        return np.ascontiguousarray(encoded.T)

    def transform_row(self, row: Sequence[float]) -> Array:
        """Return what `transform` makes of one row without a missing value.

        Returns
        -------
        Array of shape (len(self),)
        """
        encoded: list[float] = []
        for source, indicators, of_others in self._of_row:
            if indicators is None:
                encoded.append(row[source])
            else:
                encoded += indicators.get(row[source], of_others)
        return np.frombuffer(pack(self._packed, *encoded))

    @cached_property
    def _of_row(self) -> list[tuple[int, dict[float, Bits] | None, Bits]]:
        """What is made of one row, in the order of the encoded columns: numbers and indicators.

        A number is copied; the code of a column has the values of all its indicators that stand
        side by side, and what is none of their codes has others.
        """
        steps: list[tuple[int, dict[float, Bits] | None, Bits]] = []
        for (source, is_copy), group in groupby(self.columns, lambda of: (of[0], of[1] is None)):
            codes = [_compared(code) for _, code in group]
            if is_copy:
                steps += [(source, None, ())] * len(codes)
            else:
                indicators = {code: tuple(float(code == own) for own in codes) for code in codes}
                steps.append((source, indicators, (0.0,) * len(codes)))
        return steps

    def filled_row(self, values: Array, row: Sequence[float]) -> Array:
        """Return what `filled` makes of one encoded row, of shape (len(self),)."""
        encoded = np.array(row).take(self._sources)
        np.copyto(encoded, np.isnan(encoded), where=self._if_missing)
        np.copyto(encoded, encoded == self._codes, where=self.is_indicator)
        return self.filled(encoded, values)

    def filled(self, encoded: Array, values: Array | float) -> Array:
        """Fill encoded rows, in place, where a value is missing; return them.

        Parameters
        ----------
        encoded : Array of shape (..., len(self))
            Encoded rows, scaled or not.
        values : Array of shape (len(self),) or float
            What stands in for a missing value of each column.
        """
        if self.may_be_missing:
            np.copyto(encoded, values, where=np.isnan(encoded) & self.is_filled)
        return encoded


def _compared(code: Indicated) -> float:
    """Return what an indicator is compared with; of a missing value, a 1 that was put there."""
    if code is None:
        return np.nan
    return 1.0 if code == IF_MISSING else float(code)
