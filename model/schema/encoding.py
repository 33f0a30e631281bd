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

Clip: TypeAlias = tuple[float, float]
"""The lowest and the highest value of a clipped copy."""

Made: TypeAlias = float | Literal["missing"] | Clip | None
"""What an encoded column holds of its feature."""

Bits: TypeAlias = tuple[float, ...]
"""Values of indicators."""


class Encoding:
    """Copies a column, clips it, or turns it into one indicator for each of its codes.

    Parameters
    ----------
    columns : iterable of (int, float, "missing", (float, float) or None)
        For each encoded column the index of the feature that it is made of, and the code that it
        indicates, or that the value is missing; the lowest and the highest value of a clipped
        copy; None for a copy of the column as it is.

    Attributes
    ----------
    is_indicator : NDArray of bool, of shape (len(self),)
        Which of the encoded columns indicate a code, or a missing value.
    is_clipped : NDArray of bool, of shape (len(self),)
        Which are clipped copies.
    is_filled : NDArray of bool, of shape (len(self),)
        Which are copies, clipped or not, of a column that may have missing values.
    may_be_missing : bool
        Whether there is a column of indicators of missing values.

    Examples
    --------
    >>> Encoding([(0, None), (1, 3.0), (1, 7.0)]).transform(np.array([[54.0, 7.0]]))
    array([[54.,  0.,  1.]])
    >>> Encoding([(0, (40.0, 50.0))]).transform(np.array([[54.0], [47.0]]))
    array([[50.],
           [47.]])

    Notes
    -----
    A clipped copy is a ramp, flat at both ends. Several of them, side by side, let one layer of a
    network bend its answer anywhere in a column, and one over the whole range keeps a far value
    from outweighing all others.

    References
    ----------
    Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep
    learning", NeurIPS 2022, whose piecewise linear encoding these ramps are.
    """

    def __init__(self, columns: Iterable[tuple[int, Made]]) -> None:
        self.columns = tuple(columns)
        self._sources = np.array([source for source, _ in self.columns])
        self.is_clipped = np.array([isinstance(made, tuple) for _, made in self.columns])
        is_copy = np.array([made is None for _, made in self.columns]) | self.is_clipped
        self.is_indicator = ~is_copy
        self._if_missing = np.array([made == IF_MISSING for _, made in self.columns])
        self._codes = np.array([_compared(made) for _, made in self.columns])
        self._low, self._high = np.array([_range(made) for _, made in self.columns]).T
        self._is_clipping = bool(self.is_clipped.any())
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
        return self._clipped(np.ascontiguousarray(encoded.T))

    def transform_row(self, row: Sequence[float]) -> Array:
        """Return what `transform` makes of one row without a missing value.

        Returns
        -------
        Array of shape (len(self),)
        """
        if self._is_clipping:  # many copies of few numbers: NumPy makes them sooner than a loop
            return self._numbers_of(row)
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
        kinds = zip(self.columns, ~self.is_indicator, strict=True)
        for (source, is_copy), of_source in groupby(kinds, lambda of: (of[0][0], of[1])):
            group = [column for column, _ in of_source]
            codes = [_compared(code) for _, code in group]
            if is_copy:
                steps += [(source, None, ())] * len(codes)
            else:
                indicators = {code: tuple(float(code == own) for own in codes) for code in codes}
                steps.append((source, indicators, (0.0,) * len(codes)))
        return steps

    def filled_row(self, values: Array, row: Sequence[float]) -> Array:
        """Return what `filled` makes of one encoded row, of shape (len(self),)."""
        return self.filled(self._numbers_of(row), values)

    def _numbers_of(self, row: Sequence[float]) -> Array:
        """Return one encoded row, with NaN in the copies of missing values."""
        encoded = np.array(row).take(self._sources)
        if self.may_be_missing:
            np.copyto(encoded, np.isnan(encoded), where=self._if_missing)
        np.copyto(encoded, encoded == self._codes, where=self.is_indicator)
        return self._clipped(encoded)

    def largest(self, largest: Array) -> Array:
        """Return the largest magnitude of each encoded column, of shape (len(self),).

        Parameters
        ----------
        largest : Array of shape (n_features,)
            The largest magnitude of each feature.
        """
        bounds = np.where(self.is_indicator, 1.0, largest[self._sources])
        ends = np.maximum(np.abs(self._low), np.abs(self._high))
        return np.where(self.is_clipped, ends, bounds)

    def _clipped(self, encoded: Array) -> Array:
        """Clip the copies that are clipped, in place, and return the rows; NaN stays."""
        if self._is_clipping:
            # np.clip does the same by way of several functions in Python.
            np.maximum(encoded, self._low, out=encoded)
            np.minimum(encoded, self._high, out=encoded)
        return encoded

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


def _compared(made: Made) -> float:
    """Return what an indicator is compared with; of a missing value, a 1 that was put there."""
    if made is None or isinstance(made, tuple):
        return np.nan
    return 1.0 if made == IF_MISSING else float(made)


def _range(made: Made) -> Clip:
    return made if isinstance(made, tuple) else (-np.inf, np.inf)
