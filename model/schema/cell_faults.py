"""Cell faults: which cells of a table cannot be used, counted and listed without a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.errors import DataError
from model.schema.features import Feature
from model.schema.rules import Mask

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
    """

    column: str
    is_bad: Mask
    problem: str


def value_faults(feature: Feature, looks_missing: Mask, is_bad: Mask) -> list[Fault]:
    """Return what is wrong with the cells of a column.

    Parameters
    ----------
    feature : Feature
        The column.
    looks_missing : Mask of shape (n,)
        Which cells are missing, or look so, where that is not accepted.
    is_bad : Mask of shape (n,)
        Which other cells are no values.
    """
    expected = feature.expected
    return [
        Fault(feature.name, looks_missing, f"a value is missing; expected {expected}"),
        Fault(feature.name, is_bad, f"not a value of this column; expected {expected}"),
    ]


def check_faults(
    source: Path | str, faults: Iterable[Fault], error_at: Callable[..., DataError]
) -> None:
    """Raise an error that counts all bad cells of a table and lists the first, if there is one.

    Parameters
    ----------
    source : Path or str
        What holds the rows, as the errors name it.
    faults : iterable of Fault
        What is wrong.
    error_at : callable
        Takes a problem, and by keyword the row, counted from 0, and the column.

    Raises
    ------
    DataError
        Its text names the place of the first bad cell, a note of it those of the others; no cell
        is repeated.
    """
    found = [fault for fault in faults if fault.is_bad.any()]
    count = sum(int(fault.is_bad.sum()) for fault in found)
    if not count:
        return
    rows = (np.flatnonzero(fault.is_bad)[:MAX_LISTED].tolist() for fault in found)
    places = sorted((row, number) for number, of_fault in enumerate(rows) for row in of_fault)
    errors = [
        error_at(found[number].problem, row=row, column=found[number].column)
        for row, number in places[:MAX_LISTED]
    ]
    if count > 1:
        lines = [str(error).removeprefix(f"{source}, ") for error in errors]
        more = [f"and {count - len(lines)} more"] if count > len(lines) else []
        listed = "".join(f"\n  {line}" for line in [*lines, *more])
        errors[0].add_note(f"{count} cells cannot be used:{listed}")
    raise errors[0]
