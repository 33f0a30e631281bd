"""Cells: a column of a file as numbers, and which of its cells are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from model.arrays import Array
from model.data.sources import Cells
from model.schema.cell_faults import MISSING_TEXTS, Fault, value_faults
from model.schema.features import Feature
from model.schema.rules import Mask, Rule, RuleTable


@dataclass(frozen=True)
class Numbers:
    """The cells of a column as numbers.

    Parameters
    ----------
    values : Array of shape (n,)
        The numbers; NaN where a cell is missing or stands for none.
    is_missing : Mask of shape (n,)
        Which cells are missing.
    """

    values: Array
    is_missing: Mask


def numbers_of(cells: Cells, feature: Feature, *, reads_text: bool) -> Numbers:
    """Return the numbers that the cells of a column stand for.

    Parameters
    ----------
    cells : Cells
        The column.
    feature : Feature
        What it may hold; whether a number is within its range is not looked at.
    reads_text : bool
        Whether a text may stand for a number.
    """
    rule = feature.rule
    texts, numbers = cells.texts.cast(pl.String), cells.numbers.cast(pl.Float64)
    if reads_text:
        numbers = as_numbers(texts)
    is_missing = cells.is_missing | texts.is_in(
        pl.Series(rule.missing_texts, dtype=pl.String).implode()
    )
    is_missing |= numbers.is_in(pl.Series(rule.missing_numbers, dtype=pl.Float64).implode())
    if rule.is_named_only:
        numbers = pl.repeat(None, len(numbers), dtype=pl.Float64, eager=True)
    if rule.codes:
        numbers = _named(texts, rule).fill_null(numbers)
    if feature.is_boolean:
        numbers = numbers.fill_null(cells.booleans.cast(pl.Boolean).cast(pl.Float64))
    missing = is_missing.fill_null(value=False).to_numpy()
    values = numbers.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return Numbers(np.where(missing, np.nan, values), missing)


def _named(texts: pl.Series, rule: Rule) -> pl.Series:
    """Return the codes of names; of other texts that one which stands for them, if one does."""
    named = texts.replace_strict(rule.by_name, default=rule.other, return_dtype=pl.Float64)
    # Null is a text that is not known as little as any other.
    return pl.select(pl.when(texts.is_not_null()).then(named)).to_series()


def as_numbers(texts: pl.Series) -> pl.Series:
    """Return texts as numbers, null where one is none."""
    return texts.cast(pl.Float64, strict=False).fill_nan(None)


def faults_of(cells: Cells, feature: Feature, numbers: Numbers) -> list[Fault]:
    """Return what is wrong with the cells of a column."""
    values, is_missing = numbers.values, numbers.is_missing
    accepted = RuleTable([feature.rule], {feature.name: 0}).accepts(values[:, np.newaxis])[:, 0]
    is_bad = ~is_missing & (np.isnan(values) | ~accepted)
    looks_missing = is_bad & _looks_missing(cells)
    if not feature.is_optional:
        looks_missing |= is_missing
    return value_faults(feature, looks_missing, is_bad & ~looks_missing)


def _looks_missing(cells: Cells) -> Mask:
    """Return which cells are texts that mean a missing value in many files."""
    texts = cells.texts.cast(pl.String).str.to_lowercase()
    return np.asarray(texts.is_in([*MISSING_TEXTS]).fill_null(value=False).to_numpy())
