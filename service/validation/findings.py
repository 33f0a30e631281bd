"""Findings: the faults of a batch, listed for the first bad rows and counted for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from service.errors import InvalidInput
from service.faults import (
    MAX_BAD_NAMES,
    MAX_BAD_ROWS,
    BadName,
    BadValue,
    Faults,
    Loc,
    refusal_detail,
)
from service.validation.fault_finder import FaultFinder, Hints
from service.wire.steps import Steps

STEP_NAMES = 20
"""Maximum names described in one step: finding the nearest known name is slow."""

Bad: TypeAlias = tuple[Sequence[BadValue], Sequence[BadName]]
"""What is wrong with the values of one place, and with its names."""


class BadRows(Protocol):
    """What collects the rows of a batch that have faults."""

    is_cut_short: bool
    """Whether no further row is looked at."""

    @property
    def places(self) -> int:
        """So many rows are answered by their faults."""

    @property
    def keeps_rows(self) -> bool:
        """Whether the rows without faults are answered."""

    @property
    def is_full(self) -> bool:
        """Whether no more faults are listed."""

    def add_row(self, part: str, number: int, bad: Bad) -> Steps[None]:
        """List what is wrong with a row."""

    def pass_over(self, part: str, number: int) -> None:
        """Take a row whose faults are not listed."""

    def check(self) -> None:
        """Reject the batch if it is to be rejected."""


class Findings:
    """Collects the faults of a batch that is rejected for one, place by place in their order.

    Parameters
    ----------
    finder : FaultFinder
        Describes the faults.
    wholes : mapping of Loc to Bad
        What is wrong outside of the rows.
    """

    is_cut_short = False
    places = 0

    def __init__(self, finder: FaultFinder, wholes: Mapping[Loc, Bad]) -> None:
        self._finder = finder
        self._hints = Hints()
        self._wholes = {place: bad for place, bad in wholes.items() if any(bad)}
        self._room = MAX_BAD_ROWS + len(self._wholes)
        self._has_many_names = False
        self._bad_rows = 0
        self._faults: Faults = []

    @property
    def is_full(self) -> bool:
        """Whether no more faults are listed."""
        return not self._room

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add_wholes(self) -> Steps[None]:
        """List what is wrong outside of the rows."""
        for place in sorted(self._wholes):
            yield from self._add(place, self._wholes[place])

    @property
    def keeps_rows(self) -> bool:
        """Whether the rows without faults are answered, as far as is known."""
        return not self

    def add_row(self, part: str, number: int, bad: Bad) -> Steps[None]:
        """List what is wrong with a row, if anything is."""
        if any(bad):
            self._bad_rows += 1
            yield from self._add((part, number), bad)

    def pass_over(self, part: str, number: int) -> None:  # noqa: ARG002
        """Count a bad row whose faults are not listed."""
        self._bad_rows += 1

    def check(self) -> None:
        """Reject the batch if anything was found.

        Raises
        ------
        InvalidInput
            With the faults.
        """
        if self:
            raise self.refusal()

    def refusal(self) -> InvalidInput:
        """Return the exception that lists the faults."""
        detail = refusal_detail(self._bad_rows, has_many_names=self._has_many_names)
        return InvalidInput(detail, self._faults)

    def _add(self, place: Loc, bad: Bad) -> Steps[None]:
        if self.is_full:
            return
        self._room -= 1
        values, names = bad
        self._has_many_names |= len(names) > MAX_BAD_NAMES
        listed = values, names[:MAX_BAD_NAMES]
        self._faults += yield from described(self._finder, place, listed, self._hints)


def described(finder: FaultFinder, place: Loc, bad: Bad, hints: Hints) -> Steps[Faults]:
    """Return the faults of one place."""
    values, names = bad
    faults = finder.faults_at(place, values, (), hints)
    for start in range(0, len(names), STEP_NAMES):
        listed = names[start : start + STEP_NAMES]
        faults += finder.faults_at(place, (), listed, hints)
        if len(listed) == STEP_NAMES:
            yield
    return faults
