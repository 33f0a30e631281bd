"""CSV cells: a line split into texts, and the value of a text."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from model.schema.rules import Cell, Rule

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

BOOLEANS = {"false": False, "true": True}

BLANKS = " \t"
"""Characters that may surround a value or a name; line ends and other white space may not."""


def cells_of(text: str) -> list[str] | None:
    """Return the cells of a line unchanged; None if it is not CSV."""
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        return None


def rows_of(lines: Sequence[bytes], width: int) -> list[list[str]] | None:
    """Return the cells of lines, each split separately.

    None where a line is not UTF-8, is not as wide, or holds a carriage return, which JSON would
    take for a blank.
    """
    try:
        rows = [_cut(line.decode()) for line in lines]
    except (UnicodeDecodeError, csv.Error):
        return None
    is_wide = all(len(row) == width for row in rows)
    return rows if is_wide and not any(b"\r" in line for line in lines) else None


def as_cell(text: str, rule: Rule) -> Cell:
    """Return what a cell holds in JSON's notation, or its text; None where it is empty.

    Where names of codes alone are accepted, one may read as a number.
    """
    shown = text.strip(BLANKS)
    if not shown:
        return None
    if JSON_NUMBER.fullmatch(shown):
        number = float(shown)
        return shown if rule.is_named_only and number not in rule.missing_cells else number
    is_boolean = rule.is_boolean and shown in BOOLEANS and shown not in rule.codes
    return BOOLEANS[shown] if is_boolean else shown


def _cut(text: str) -> list[str]:
    is_plain = '"' not in text and len(text) <= csv.field_size_limit()
    return text.split(",") if is_plain else next(csv.reader([text], strict=True), [])
