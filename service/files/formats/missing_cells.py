"""Missing cells: which cells of a column mean a missing value."""

from __future__ import annotations

import polars as pl

from model.schema.rules import MISSING, Rule
from service.files.formats.columns import TEXTS


def as_texts(cells: pl.Series, *, is_csv: bool) -> pl.Series:
    """Return a column of texts as strings; in CSV without blanks around them, null for none."""
    texts = cells.cast(pl.String)
    return texts.str.strip_chars().replace("", None) if is_csv else texts


def are_missing(cells: pl.Series, rule: Rule, *, is_csv: bool) -> pl.Series:
    """Return which cells are null or were declared to mean a missing value."""
    numbers = cells if cells.dtype.is_numeric() else None
    if cells.dtype in TEXTS:
        cells = as_texts(cells, is_csv=is_csv)
        numbers = cells if is_csv else None
    found = cells.is_null()
    if rule.missing_texts and cells.dtype == pl.String:
        found |= cells.is_in(rule.missing_texts).fill_null(value=False)
    if rule.missing_numbers and numbers is not None:
        as_numbers = numbers.cast(pl.Float64, strict=False)
        found |= as_numbers.is_in(rule.missing_numbers).fill_null(value=False)
    return found


def with_missing(numbers: pl.Series, cells: pl.Series, rule: Rule, *, is_csv: bool) -> pl.Series:
    """Return the numbers of an optional column, NaN where a value is missing.

    Parameters
    ----------
    numbers : Series
        What the cells were read as, null where one is no number.
    cells : Series
        The cells.
    """
    if cells.dtype in TEXTS:
        numbers = numbers.fill_nan(None)  # "nan" is a text like any other
    found = are_missing(cells, rule, is_csv=is_csv)
    filled = pl.when(found).then(MISSING).otherwise(numbers).alias(numbers.name)
    return pl.select(filled).to_series()
