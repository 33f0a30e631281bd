"""Tables: the columns of a Polars frame checked as POST /predict checks a record, and scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.inference.predictor import Predictor
from model.schema.features import CASE_NOTE, Feature
from model.schema.rules import VALUE_FAULTS, Rule
from service.faults import as_text, value_fault
from service.files.formats.answer_columns import Answers, Scored
from service.files.formats.columns import TEXTS, Mask, check_ids, given_names, joined
from service.files.formats.kept import REJECTED, Kept, as_frame, free_names
from service.files.formats.missing_cells import are_missing, as_texts, with_missing

BOOLEANS = {"false": 0.0, "true": 1.0}
"""What a cell of CSV holds in JSON's notation; in other files true and false are no texts."""

MAX_KIND = max(map(len, VALUE_FAULTS))


class TableScorer:
    """Scores the rows of tables.

    Within it columns are named by their places: Polars takes some names for patterns of names.

    Parameters
    ----------
    predictor : Predictor
        The model.
    reads_text : bool
        Whether a text may stand for a number, as in CSV, where all is text.
    """

    def __init__(self, predictor: Predictor, *, reads_text: bool = False) -> None:
        self._features = predictor.features
        self._kept = Kept(predictor)
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
        names = given_names(self._features, table.columns, self._kept.others)
        if self._kept.has_ids:
            check_ids(table.schema)
        own = [names[feature.name] for feature in self._features]
        given = pl.DataFrame({str(place): table.get_column(name) for place, name in enumerate(own)})
        values = self._numbers(given)
        X = values.to_numpy()
        accepted = self._features.rules.accepts(X)
        for column in self._features.rules.optional:
            accepted[:, column] &= values.to_series(column).is_not_null().to_numpy()
        good: Mask = np.logical_and.reduce(accepted, axis=1)
        row = pl.Series("row", np.arange(1, table.height + 1) if numbers is None else numbers)
        kept = self._kept.of_table(table)
        rows = table.rename(free_names(table.columns, REJECTED)).select(row, pl.all())
        if good.all():
            none = rows.clear().with_columns(reasons=pl.lit(None, pl.String))
            return Scored(self._answers.table(row, kept, X), none)
        found = self._reasons(own, given.filter(~good), values.filter(~good), accepted[~good])
        reasons, masks = zip(*found, strict=True)
        return Scored(
            self._answers.table(
                row.filter(good), [column.filter(good) for column in kept], X[good]
            ),
            rows.filter(~good).with_columns(reasons=joined(reasons, np.column_stack(masks))),
        )

    def _numbers(self, given: pl.DataFrame) -> pl.DataFrame:
        """Return the columns as numbers, NaN for a missing value and null where there is none."""
        columns = zip(given, self._features.rules.rules, strict=True)
        return as_frame(self._numbers_of(*column) for column in columns)

    def _numbers_of(self, cells: pl.Series, rule: Rule) -> pl.Series:
        if self._may_be_number(cells.dtype, rule):
            numbers = cells.cast(pl.Float64, strict=False)
        else:
            numbers = pl.repeat(None, len(cells), dtype=pl.Float64, eager=True).alias(cells.name)
        # What is no number at first sight may be the name of a code, or stand among spaces.
        if cells.dtype in TEXTS and numbers.null_count():
            numbers = numbers.fill_null(self._read(cells, rule))
        if rule.is_optional:
            numbers = with_missing(numbers, cells, rule, is_csv=self._reads_text)
        return numbers

    def _may_be_number(self, dtype: pl.DataType, rule: Rule) -> bool:
        if dtype == pl.Boolean:
            return rule.is_boolean
        is_number = dtype.is_numeric() or (self._reads_text and dtype == pl.String)
        return is_number and not rule.is_named_only

    def _read(self, cells: pl.Series, rule: Rule) -> pl.Series:
        texts = as_texts(cells, is_csv=self._reads_text)
        codes = rule.by_name
        if rule.is_boolean and self._reads_text:
            codes = BOOLEANS | codes
        found = texts.replace_strict(codes, default=None, return_dtype=pl.Float64)
        if self._reads_text and not rule.is_named_only:
            found = texts.cast(pl.Float64, strict=False).fill_null(found)
        if rule.other is None:
            return found
        is_text = ~are_missing(cells, rule, is_csv=self._reads_text)
        code = pl.when(found.is_null() & is_text).then(rule.other).otherwise(found)
        return pl.select(code).to_series()

    def _reasons(
        self, names: Sequence[str], given: pl.DataFrame, numbers: pl.DataFrame, accepted: Mask
    ) -> Iterator[tuple[str, Mask]]:
        """Yield every fault of bad rows as a text, and which of them have it."""
        columns = zip(names, self._features, given, numbers, ~accepted.T, strict=True)
        for name, feature, texts, values, bad in columns:
            cells = texts.filter(bad)
            is_missing = are_missing(cells, feature.rule, is_csv=self._reads_text)
            of_bad = values.filter(bad)
            is_number = of_bad.is_not_null().to_numpy()
            kinds = np.full(len(bad), "", f"<U{MAX_KIND}")
            kinds[bad] = feature.rule.faults(of_bad.to_numpy(), is_missing.to_numpy(), is_number)
            notes = np.full(len(bad), "", object)
            notes[bad] = _notes(feature, cells, of_bad)
            for kind, note in sorted({*zip(kinds[bad], notes[bad], strict=True)}):
                fault = value_fault((name,), feature.expected, kind, note)
                yield as_text(fault), (kinds == kind) & (notes == note)


def _notes(feature: Feature, cells: pl.Series, numbers: pl.Series) -> NDArray[np.object_]:
    """Return what `Feature.note` says of each of some cells that are no values."""
    notes = np.full(len(cells), "", object)
    notes[np.isin(numbers.to_numpy(), feature.foreign)] = feature.foreign_note
    if feature.is_coded and cells.dtype in TEXTS:
        lower = cells.cast(pl.String).str.to_lowercase()
        is_name = lower.is_in(list(feature.lower_names)).fill_null(value=False)
        notes[(is_name & numbers.is_null()).to_numpy()] = CASE_NOTE
    return notes
