"""Inference: a schema from the cells of a file, with a comment wherever it guesses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from math import floor, log10
from typing import Any

import numpy as np
import polars as pl

from model.arrays import Array
from model.artifact.metadata import MAX_CLASSES
from model.data.cells import as_numbers
from model.data.sources import Cells, Table
from model.data.sources.table import shown
from model.data.table_schema import Ignored, TableSchema, Target
from model.schema.cell_faults import MISSING_TEXTS, Fault
from model.schema.features import MAX_SHOWN, Feature, is_name

FEWEST_ROWS = 5
"""A text that stands in fewer rows becomes no level of its own: it may tell of one person."""

MOST_LEVELS = 100
"""Texts of a column that become levels of their own, the most frequent ones."""

FEW_NUMBERS = 10
"""So many distinct whole numbers may be codes."""

ID_ROWS = 20
"""In so many rows whole numbers that are all distinct look like ids."""

ID_NAME = re.compile(r"(^|[^a-zA-Z])id$|I[dD]$")
"""Names of columns whose whole numbers are ids even if some stand twice."""

NUMBERS_SHARE = 0.9
"""So many of a column's cells are numbers where the others are faults."""

OTHER = "other"

CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
DAY = r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
ZONE = r"(\s?(Z|UTC|[AP]M|[+-]\d{2}:?\d{2}))?"
DATE = re.compile(f"{DAY}([T ]{CLOCK}{ZONE})?|{CLOCK}")

DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?|[-+]?\d+")

POSITIVE = ("yes", "true", "positive", "present", "presence")
"""Names, in small letters, of classes that are the positive one of two."""


@dataclass(frozen=True)
class Inferred:
    """A schema that was inferred.

    Parameters
    ----------
    schema : TableSchema
        The schema.
    notes : dict of str to list of str
        What was guessed of each column, by its name.
    """

    schema: TableSchema
    notes: dict[str, list[str]]

    @property
    def summary(self) -> list[str]:
        """What the columns are, a line each."""
        *others, positive = (name for _, name in self.schema.target.feature.codes)
        classes = ", ".join([*others, positive][:MAX_SHOWN])
        if len(others) == 1:
            classes += " (positive)"
        lines = [f"target     {shown(self.schema.target.feature.name)}: {classes}"]
        features = (f"{feature.kind:<10} {feature.name}" for feature in self.schema.features)
        return [*lines, *self.left_out, *features]

    @property
    def left_out(self) -> list[str]:
        """Which columns are not used, and why, a line each."""
        ignored = self.schema.ignored
        return [f"ignored    {shown(column.name)}: {column.reason}" for column in ignored]


def infer_schema(table: Table, target: str, name: str, data: str = "") -> Inferred:
    """Return a schema for a table of which nothing but the target is known.

    Parameters
    ----------
    table : Table
        The table.
    target : str
        Name of the column that is predicted.
    name : str
        Name of the model.
    data : str
        Path of the rows, relative to the schema's file.

    Raises
    ------
    DataError
        When the target is no column of classes, or a cell contradicts the others of its column.
    """
    if target not in table.columns:
        near = get_close_matches(target, table.columns, n=1)
        known = ", ".join(map(shown, table.columns))
        hint = f"did you mean {shown(near[0])}?" if near else f"known are {known}"
        raise table.fault(f"no column has the target's name; {hint}", column=shown(target))
    faults: list[Fault] = []
    looks = {
        of: Look(of, cells, table, faults) for of, cells in table.columns.items() if of != target
    }
    found = Look(target, table.columns[target], table, faults)
    notes: dict[str, list[str]] = {}
    classes = _target(found, notes)
    columns = [_column(look, notes) for look in looks.values()]
    table.check(faults)
    if not any(isinstance(column, Feature) for column in columns):
        raise table.fault("no column is left to predict from: all look like ids, texts or dates")
    try:
        schema = TableSchema(name, Target(classes), tuple(columns), data)
    except ValueError as error:
        raise table.fault(str(error)) from None
    return Inferred(schema, notes)


@dataclass(frozen=True)
class Look:
    """What the cells of a column are, taken together.

    Parameters
    ----------
    name : str
        The column.
    cells : Cells
        Its cells.
    table : Table
        Its table.
    faults : list of Fault
        Where cells that contradict the others are noted.
    """

    name: str
    cells: Cells
    table: Table
    faults: list[Fault] = field(repr=False)

    @cached_property
    def texts(self) -> pl.Series:
        """The cells that are texts, in CSV all of them; without those that mean missing values."""
        texts = self.cells.texts.cast(pl.String)
        return texts.set(_is_in(texts, self.missing_texts), None)

    @cached_property
    def numbers(self) -> pl.Series:
        """The cells that are numbers, or in CSV read as numbers."""
        if self.table.reads_text:
            return as_numbers(self.cells.texts.cast(pl.String))
        return self.cells.numbers.cast(pl.Float64)

    @cached_property
    def booleans(self) -> pl.Series:
        """The cells that are true or false."""
        return self.cells.booleans.cast(pl.Boolean)

    @cached_property
    def text_counts(self) -> dict[str, int]:
        """How many rows each text stands in, of those that mean no missing value."""
        return dict(self.texts.drop_nulls().value_counts().iter_rows())

    @cached_property
    def _others(self) -> pl.Series:
        """The texts that are neither numbers nor words for a missing value."""
        texts = self.cells.texts.cast(pl.String)
        is_word = _is_in(texts.str.to_lowercase(), MISSING_TEXTS)
        return texts.filter(texts.is_not_null() & self.numbers.is_null() & ~is_word)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether it holds numbers; what else it holds is a fault then.

        A few numbers beside texts are texts: 0, 1, 2 and 3+.
        """
        numbers, others = self.numbers.drop_nulls(), len(self._others)
        if not others or not len(numbers):
            return len(numbers) > 0
        share = len(numbers) / (len(numbers) + others)
        return share >= NUMBERS_SHARE and len(self.values) > FEW_NUMBERS

    @cached_property
    def missing_texts(self) -> list[str]:
        """The texts that mean a missing value here."""
        texts = self.cells.texts.cast(pl.String)
        words = MISSING_TEXTS - ({""} if self.is_numeric else {"", "none"})
        found = texts.filter(_is_in(texts.str.to_lowercase(), words)).unique().to_list()
        if self.is_numeric:
            counts = dict(self._others.value_counts().iter_rows())
            found += [text for text, rows in counts.items() if rows >= FEWEST_ROWS]
        return sorted(text for text in found if is_name(text))

    @cached_property
    def is_missing(self) -> pl.Series:
        """Which cells are missing."""
        texts = self.cells.texts.cast(pl.String)
        return self.cells.is_missing | _is_in(texts, self.missing_texts)

    @cached_property
    def is_boolean(self) -> bool:
        """Whether it holds true and false alone."""
        if self.booleans.null_count() < len(self.booleans):
            return True
        if self.is_numeric:
            return False
        words = {text.lower() for text in self.text_counts}
        return bool(words) and words <= {"true", "false"} and len(words) == len(self.text_counts)

    @cached_property
    def values(self) -> Array:
        """The distinct numbers, in order."""
        values = self.numbers.drop_nulls().unique().sort()
        return np.asarray(values.filter(values.is_finite()).to_numpy(), np.float64)

    def note_fault(self, is_bad: pl.Series, problem: str) -> None:
        """Note which cells contradict the others."""
        bad = is_bad.fill_null(value=False).to_numpy()
        self.faults.append(Fault(shown(self.name), bad, problem))


def _is_in(texts: pl.Series, words: Iterable[str]) -> pl.Series:
    found = texts.is_in(pl.Series([*words], dtype=pl.String).implode())
    return found.fill_null(value=False)


def _column(look: Look, notes: dict[str, list[str]]) -> Feature | Ignored:
    """Return what a column is, or why it is ignored."""
    of = notes.setdefault(look.name, [])
    if look.cells.problem:
        return Ignored(look.name, f"It {look.cells.problem}.")
    if look.is_missing.all():
        return Ignored(look.name, "All values are missing.")
    if look.is_boolean:
        made = _boolean(look)
    elif look.is_numeric:
        made = _numeric(look, of)
    else:
        made = _levels(look, of)
    if isinstance(made, str):
        return Ignored(look.name, made)
    try:
        return Feature(look.name, look.name, **made, **_missing(look, of))
    except ValueError as error:
        return Ignored(look.name, f"It cannot be sent: {str(error).partition(': ')[2]}.")


def _missing(look: Look, notes: list[str]) -> dict[str, Any]:
    """Return what is said of missing values."""
    if not look.is_missing.any():
        return {}
    share = 100 * float(np.mean(look.is_missing.to_numpy()))
    notes.append(f"{share:.2g} % of the values are missing.")
    if look.missing_texts:
        notes.append("missing_cells are guessed: texts among numbers, or words for such a value.")
    return {"missing": "indicator", "missing_cells": tuple(look.missing_texts)}


def _boolean(look: Look) -> dict[str, Any] | str:
    names = _boolean_names(look)
    if len(names) < 2:
        return "All rows hold the same value."
    return {
        "kind": "binary",
        "example": 0,
        "codes": tuple(enumerate(names)),
        "texts_only": True,
        "is_boolean": True,
    }


def _boolean_names(look: Look) -> list[str]:
    """Return the texts of false and true as the column has them, which sort in this order."""
    _note_mixed(look, look.numbers.is_not_null() & look.booleans.is_null(), "true or false")
    if look.text_counts:
        return sorted(look.text_counts)
    return [str(value).lower() for value in sorted(look.booleans.drop_nulls().unique().to_list())]


def _note_mixed(look: Look, is_bad: pl.Series, others: str) -> None:
    look.note_fault(is_bad, f"expected {others}, as in most rows of the column")


def _numeric(look: Look, notes: list[str]) -> dict[str, Any] | str:
    """Return what a column of numbers is."""
    is_other = ~look.is_missing & (look.numbers.is_null() | ~look.numbers.is_finite())
    _note_mixed(look, is_other, "a number")
    values = look.values
    if len(values) < 2:
        return "All rows hold the same value."
    is_whole = _are_whole(values)
    if is_whole and _looks_like_id(look, values):
        return (
            "All or most of its whole numbers are distinct, as ids are. If they are a measurement, "
            "put kind, minimum and maximum here."
        )
    if is_whole and len(values) == 2:
        notes.append(
            "Two whole numbers: guessed to be codes. Name them, as in { no = 0, yes = 1 }."
        )
        codes = tuple((int(value), str(int(value))) for value in values)
        return {"kind": "binary", "example": codes[0][0], "codes": codes}
    if is_whole and len(values) <= FEW_NUMBERS:
        notes.append(f"{len(values)} distinct whole numbers: guessed to be a count. If they are")
        notes.append('codes, put kind = "nominal" and codes = { name = number, ... }.')
    return _measured(look, values, is_whole=is_whole)


def _are_whole(values: Array) -> bool:
    return bool(np.all((values == np.rint(values)) & (np.abs(values) < 2**53)))


def _looks_like_id(look: Look, values: Array) -> bool:
    rows = len(look.numbers)
    if ID_NAME.search(look.name) and len(values) > max(rows / 2, FEW_NUMBERS):
        return True
    is_run = values[-1] - values[0] == rows - 1 and rows > FEW_NUMBERS
    return len(values) == rows and (rows >= ID_ROWS or is_run)


def _measured(look: Look, values: Array, *, is_whole: bool) -> dict[str, Any]:
    """Return a measurement or a count: its range reaches one full span beyond what was seen."""
    low, high = float(values[0]), float(values[-1])
    span = high - low
    example = float(look.numbers.filter(look.numbers.is_finite()).median())  # type: ignore[arg-type]
    if is_whole:
        minimum = int(low - span) if low < 0 else max(0, int(low - span))
        return {
            "kind": "count",
            "example": round(example),
            "minimum": minimum,
            "maximum": int(high + span),
        }
    digits = 6 - floor(log10(span))
    return {
        "kind": "continuous",
        "example": min(max(_rounded(example, 3), low), high),
        "minimum": round(low - span, digits),
        "maximum": round(high + span, digits),
    }


def _rounded(number: float, digits: int) -> float:
    return float(f"{number:.{digits}g}")


def _levels(look: Look, notes: list[str]) -> dict[str, Any] | str:
    """Return a column of texts as codes, or why it cannot be used."""
    _note_mixed(look, look.cells.numbers.is_not_null(), "a text")
    counts = look.text_counts
    if reason := _no_levels(look):
        return reason
    kept = [text for text, rows in counts.items() if rows >= FEWEST_ROWS and is_name(text)]
    kept = sorted(kept, key=lambda text: (-counts[text], text))[:MOST_LEVELS]
    if not kept:
        return f"No text stands in {FEWEST_ROWS} rows or more."
    if len(counts) == 1:
        return "All rows hold the same value."
    levels, made = sorted(kept), {}
    if rest := len(counts) - len(kept):
        levels = [*(text for text in levels if text != OTHER), OTHER]
        made["other"] = len(levels) - 1
        notes.append(
            f'"{OTHER}" stands for {rest} texts that are in fewer than {FEWEST_ROWS} rows or are '
            "no names, and for every text"
        )
        notes.append("that is not listed. Without other, such a text is rejected.")
    if len(levels) < 2:
        return f"No two texts stand in {FEWEST_ROWS} rows or more."
    return {
        **made,
        "kind": "binary" if len(levels) == 2 else "nominal",
        "example": levels.index(kept[0]),
        "codes": tuple(enumerate(levels)),
        "texts_only": True,
    }


def _no_levels(look: Look) -> str:
    """Return why texts are no levels; nothing where they may be."""
    counts = look.text_counts
    if all(map(DATE.fullmatch, counts)):
        return "It holds dates or times. Put numbers in their place, such as an age in days."
    if all(map(DECIMAL_COMMA.fullmatch, counts)) and any("," in text for text in counts):
        return "Its numbers have a decimal comma. Write them with a point."
    if _are_written_numbers(look):
        return (
            "Its numbers are texts. Put numbers in their place; if they are codes, put "
            'kind = "nominal" and codes = [ ... ] here.'
        )
    if len(counts) == sum(counts.values()) > FEW_NUMBERS:
        return "Every row holds another text, as an id does."
    return ""


def _are_written_numbers(look: Look) -> bool:
    """Return whether texts are numbers in a file, or a frame, that has a type for these."""
    if look.table.reads_text or len(look.text_counts) <= FEW_NUMBERS:
        return False
    texts = look.texts.drop_nulls()
    is_word = _is_in(texts.str.to_lowercase(), MISSING_TEXTS)
    share = as_numbers(texts.filter(~is_word)).is_not_null().mean() or 0.0
    return float(share) >= NUMBERS_SHARE  # type: ignore[arg-type]


def _target(look: Look, notes: dict[str, list[str]]) -> Feature:
    """Return the column that is predicted."""
    of = notes.setdefault(look.name, [])
    look.note_fault(look.is_missing, "the label is missing; leave the row out or fill it in")
    if look.cells.problem:
        raise look.table.fault(look.cells.problem, column=shown(look.name))
    codes = _classes(look)
    if len(codes) < 2:
        raise look.table.fault("all rows are of one class", column=shown(look.name))
    if len(codes) > MAX_CLASSES:
        problem = f"{len(codes)} classes; a model has at most {MAX_CLASSES}"
        raise look.table.fault(problem, column=shown(look.name))
    if len(codes) == 2 and not look.is_boolean:
        codes = _with_positive_last(look, codes, of)
    if not look.is_numeric and not look.is_boolean:
        codes = [*enumerate(text for _, text in codes)]
    try:
        return Feature(
            look.name,
            look.name,
            "binary" if len(codes) == 2 else "nominal",
            codes[0][0],
            codes=tuple(codes),
            texts_only=not look.is_numeric,
            is_boolean=look.is_boolean,
        )
    except ValueError as error:
        problem = str(error).partition(": ")[2]
        raise look.table.fault(problem, column=shown(look.name)) from None


def _classes(look: Look) -> list[tuple[int, str]]:
    if look.is_boolean:
        return [*enumerate(_boolean_names(look))]
    return _number_classes(look) if look.is_numeric else _text_classes(look)


def _number_classes(look: Look) -> list[tuple[int, str]]:
    is_other = ~look.is_missing & (look.numbers.is_null() | ~look.numbers.is_finite())
    _note_mixed(look, is_other, "a number")
    values = look.values
    if not _are_whole(values) or len(values) > MAX_CLASSES:
        problem = (
            f"{len(values)} different numbers, which look continuous; a target has classes: "
            f"texts, or at most {MAX_CLASSES} whole numbers"
        )
        raise look.table.fault(problem, column=shown(look.name))
    return [(int(value), str(int(value))) for value in values]


def _text_classes(look: Look) -> list[tuple[int, str]]:
    is_number = look.cells.numbers.is_not_null() | look.booleans.is_not_null()
    _note_mixed(look, is_number & ~look.is_missing, "a text")
    return [*enumerate(sorted(look.text_counts))]


def _with_positive_last(
    look: Look, codes: list[tuple[int, str]], notes: list[str]
) -> list[tuple[int, str]]:
    """Return two classes with the one last that is guessed to be positive."""
    by_name = [code for code in codes if code[1].lower() in POSITIVE]
    if look.is_numeric:
        positive, guess = codes[-1], "guessed to be the larger number"
    elif len(by_name) == 1:
        positive, guess = by_name[0], "guessed from the names of the classes"
    else:
        positive = min(reversed(codes), key=lambda code: look.text_counts[code[1]])
        guess = "guessed to be the rarer class"
    notes.append(f"positive is {guess}.")
    return [*(code for code in codes if code != positive), positive]
