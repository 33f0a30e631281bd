"""Cells: a column of a file as numbers, and which of its cells are none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from model.arrays import Array
from model.data.sources import Cells, Table
from model.schema.features import Feature
from model.schema.rules import Mask, Rule, RuleTable

MISSING_TEXTS = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
"""Texts, in small letters, that mean a missing value in many files."""

MAX_LISTED = 100
"""Bad cells that an error lists; it counts all of them."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with cells of a column.

    Parameters
    ----------
    column : str
        Its name.
    is_bad : Mask of shape (n,)
        Which cells it is wrong with.
    problem : str
        What is wrong.
    advice : str
        What to do about all of these cells, as the end of the first error's sentence.
    """

    column: str
    is_bad: Mask
    problem: str
    advice: str = ""


def check_cells(table: Table, faults: Iterable[Fault]) -> None:
    """Raise an error that counts all bad cells of a table and lists the first, if there is one.

    Raises
    ------
    DataError
        Its text names file, line and column of the first, a note of it those of the others; no
        cell is repeated.
    """
    found = [fault for fault in faults if fault.is_bad.any()]
    count = sum(int(fault.is_bad.sum()) for fault in found)
    if not count:
        return
    rows = (np.flatnonzero(fault.is_bad)[:MAX_LISTED].tolist() for fault in found)
    places = sorted((row, number) for number, of_fault in enumerate(rows) for row in of_fault)
    errors = [
        table.fault(found[number].problem, row=row, column=found[number].column)
        for row, number in places[:MAX_LISTED]
    ]
    error, (row, first) = errors[0], places[0]
    if found[first].advice:
        problem = found[first].problem + found[first].advice
        error = table.fault(problem, row=row, column=found[first].column)
    if count > 1:
        lines = [str(error).removeprefix(f"{table.path}, ") for error in errors]
        more = [f"and {count - len(lines)} more"] if count > len(lines) else []
        listed = "".join(f"\n  {line}" for line in [*lines, *more])
        error.add_note(f"{count} cells cannot be used:{listed}")
    raise error


def missing_labels(column: str, is_missing: Mask) -> Fault:
    """Return the fault of rows without a label, from which nothing can be learned."""
    rows = int(is_missing.sum())
    advice = f" in {rows} rows; leave these rows out or fill them in"
    if rows == 1:
        advice = "; leave the row out or fill it in"
    return Fault(column, is_missing, "the label is missing", advice)


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
    expected = feature.expected
    return [
        Fault(feature.name, looks_missing, f"a value is missing; expected {expected}"),
        Fault(
            feature.name,
            is_bad & ~looks_missing,
            f"not a value of this column; expected {expected}",
        ),
    ]


def _looks_missing(cells: Cells) -> Mask:
    """Return which cells are texts that mean a missing value in many files."""
    texts = cells.texts.cast(pl.String).str.to_lowercase()
    return np.asarray(texts.is_in([*MISSING_TEXTS]).fill_null(value=False).to_numpy())
