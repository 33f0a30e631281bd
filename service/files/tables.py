"""Tables: the columns of a Polars frame checked as POST /predict checks a record, and scored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.inference.predictor import Predictor
from model.schema.features import Feature, FeatureSet
from service.faults import as_text, kept_names, value_fault
from service.files.answer_columns import Answers, Scored
from service.files.columns import TEXTS, Mask, check_ids, given_names, joined


class TableScorer:
    """Scores the rows of tables.

    Parameters
    ----------
    predictor : Predictor
        The model.
    reads_text : bool
        Whether a text may stand for a number, as in CSV, where all is text.
    """

    def __init__(self, predictor: Predictor, *, reads_text: bool = False) -> None:
        self._features = predictor.artifact.features
        self._kept = kept_names(self._features)
        self._answers = Answers(predictor)
        self._reads_text = reads_text

    def score(self, table: pl.DataFrame, numbers: NDArray[np.int64] | None = None) -> Scored:
        """Score the good rows; say of the bad ones what is wrong.

        Parameters
        ----------
        table : DataFrame
            A column for each feature, under its name or an alias, and the kept ones.
        numbers : NDArray of int64, of shape (n,), optional
            The rows' numbers; by default they are counted from 1.

        Raises
        ------
        BadColumns
            When the columns are others, or the ids are neither texts nor whole numbers.
        """
        names = given_names(self._features, table.columns)
        check_ids(table.schema, self._kept)
        given = table.select(names[feature.name] for feature in self._features)
        values = self._numbers(given)
        X = values.to_numpy()
        good: Mask = np.logical_and.reduce(self._features.rules.accepts(X), axis=1)
        row = pl.Series("row", np.arange(1, table.height + 1) if numbers is None else numbers)
        places = table.select(row, *(name for name in table.columns if name in self._kept))
        rows = table.select(row, pl.all())
        if good.all():
            none = rows.clear().with_columns(reasons=pl.lit(None, pl.String))
            return Scored(self._answers.table(places, X), none)
        reasons, masks = zip(*self._reasons(given.filter(~good), values.filter(~good)), strict=True)
        return Scored(
            self._answers.table(places.filter(good), X[good]),
            rows.filter(~good).with_columns(reasons=joined(reasons, np.column_stack(masks))),
        )

    def _numbers(self, given: pl.DataFrame) -> pl.DataFrame:
        """Return the columns as numbers, null where there is none."""
        numbers = given.select(
            pl.col(name).cast(pl.Float64, strict=False)
            if not feature.named_only
            and (dtype.is_numeric() or (self._reads_text and dtype == pl.String))
            else pl.repeat(None, pl.len(), dtype=pl.Float64).alias(name)
            for (name, dtype), feature in zip(given.schema.items(), self._features, strict=True)
        )
        # What is no number at first sight may be the name of a code, or stand among spaces.
        return numbers.with_columns(
            numbers[name].fill_null(self._read(given[name].cast(pl.String), feature))
            for name, feature in zip(given.columns, self._features, strict=True)
            if given.schema[name] in TEXTS and numbers[name].null_count()
        )

    def _read(self, texts: pl.Series, feature: Feature) -> pl.Series:
        if self._reads_text:
            texts = texts.str.strip_chars()
        codes = {name: float(code) for code, name in feature.codes}
        named = texts.replace_strict(codes, default=None, return_dtype=pl.Float64)
        if feature.named_only or not self._reads_text:
            return named
        return texts.cast(pl.Float64, strict=False).fill_null(named)

    def _reasons(self, given: pl.DataFrame, numbers: pl.DataFrame) -> Iterator[tuple[str, Mask]]:
        """Yield every fault of bad rows as a text, and which of them have it."""
        for feature, texts, values in zip(self._features, given, numbers, strict=True):
            values_given = texts
            if self._reads_text and texts.dtype == pl.String:
                values_given = texts.str.strip_chars().replace("", None)
            kinds = _fault_kinds(feature, values_given, values)
            for kind in np.unique(kinds[kinds != ""]):
                fault = value_fault((texts.name,), feature.expected, kind)
                yield as_text(fault), kinds == kind


def _fault_kinds(feature: Feature, given: pl.Series, numbers: pl.Series) -> NDArray[np.str_]:
    """Return the kind of fault that each value has, empty for none."""
    values = numbers.to_numpy()
    accepted = FeatureSet([feature]).rules.accepts(values[:, np.newaxis])[:, 0]
    missing, no_number = given.is_null().to_numpy(), numbers.is_null().to_numpy()
    if feature.is_coded:
        return np.select([accepted, missing], ["", "null"], "unknown_code")
    outside = (values < feature.minimum) | (feature.maximum < values)
    return np.select(
        [accepted, missing, no_number, ~np.isfinite(values), outside],
        ["", "null", "not_a_number", "not_finite", "out_of_range"],
        "not_whole",
    )
