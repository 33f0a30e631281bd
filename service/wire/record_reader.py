"""Reading one record: every valid one, whatever names it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from itertools import chain
from typing import Any, TypeAlias

import msgspec

from model.schema.features import FeatureSet
from model.schema.rules import Cell
from service.faults import kept_names
from service.wire.cutting import member_names
from service.wire.ids import ID, is_id
from service.wire.record_types import UNREADABLE, cell_type, decoded

Id: TypeAlias = msgspec.Raw | msgspec.UnsetType
"""The id of a record as it was sent; UNSET where there is none."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RecordReader:
    """Reads records that have no fault; where it returns None there is one.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.

    Notes
    -----
    msgspec takes the last of repeated names. But where all names are there, and as many colons as
    names, none is there twice. Only if there are more, which may be within names or texts, are
    the names looked at.
    """

    def __init__(self, features: FeatureSet) -> None:
        self._rules = features.rules
        cell = cell_type(features.rules)
        self._record: msgspec.json.Decoder[Any] = msgspec.json.Decoder(dict[str, cell])  # type: ignore[valid-type]
        self._cell: msgspec.json.Decoder[Any] = msgspec.json.Decoder(cell)
        self._width = len(features)
        self._takes_ids = bool(kept_names(features))

    def record(self, body: bytes) -> list[float] | None:
        """Return the values of a record."""
        try:
            record = self._record.decode(body)
        except UNREADABLE:
            return None
        row = self._rules.row(record)
        if row is None or body.count(b":") == self._width:
            return row
        colons = body.count(b":") - self._width
        within = chain(record, record.values())
        return row if explains(body, colons, within) or self._are_once(body, 0) else None

    def line(self, line: bytes) -> tuple[Id, list[float]] | None:
        """Return the id of a record that may have one, and its values."""
        row = self.record(line)
        if row is not None or not self._takes_ids:
            return None if row is None else (msgspec.UNSET, row)
        found = self.with_kept(line, {ID}, lambda _, raw: is_id(raw))
        if found is None:
            return None
        kept, row = found
        return (kept[ID], row) if ID in kept else None

    def with_kept(
        self, line: bytes, names: Set[str], is_valid: Callable[[str, bytes], bool]
    ) -> tuple[dict[str, msgspec.Raw], list[float]] | None:
        """Return the members of a record that are kept as they were sent, and its values.

        Parameters
        ----------
        line : bytes
            The record.
        names : set of str
            The names that may be among those of the features.
        is_valid : callable
            Takes the name and the JSON of such a member, and returns whether it can be kept.
        """
        members = decoded(_members, line)
        if members is None:
            return None
        kept = {name: members.pop(name) for name in names & members.keys()}
        if not all(is_valid(name, bytes(raw)) for name, raw in kept.items()):
            return None
        try:
            record = {name: self._cell.decode(raw) for name, raw in members.items()}
        except UNREADABLE:
            return None
        row = self._rules.row(record)
        if row is None or not self._are_once(line, len(kept)):
            return None
        return kept, row

    def _are_once(self, body: bytes, kept: int) -> bool:
        """Return whether an object that has all names has none of them twice."""
        return len(member_names(body)) == self._width + kept


def explains(body: bytes, colons: int, within: Iterable[Cell]) -> bool:
    """Return whether so many colons are those within names and cells.

    Where an escape may hide one, the answer is no.
    """
    own = sum(cell.count(":") for cell in within if isinstance(cell, str))
    return own == colons and b"\\" not in body
