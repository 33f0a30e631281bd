"""Rows: those of a batch or a table, each read by itself as a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from pydantic_core import from_json

from model.schema.features import FeatureSet
from service.faults import BadValue, FaultType, Loc
from service.validation.fault_finder import FaultFinder
from service.validation.findings import Bad
from service.wire.cutting import Member, items, members
from service.wire.ids import ID, is_id
from service.wire.record_reader import Id, RecordReader
from service.wire.record_types import cell_type, decoded, each_decoded
from service.wire.steps import Steps

_texts = msgspec.json.Decoder(list[msgspec.Raw])


class BadRow(NamedTuple):
    """What is wrong with a row."""

    bad: Bad
    id: Id = msgspec.UNSET
    """UNSET unless the row has one, which is valid."""


class Rows(Protocol):
    """Rows that are read one by one."""

    part: str
    """Name of what they stand in."""

    def __len__(self) -> int: ...

    def text(self, number: int) -> bytes:
        """Return the text of a row."""

    def record(self, text: bytes) -> tuple[Id, list[float]] | None:
        """Return the id and the values of a row if nothing is wrong with it."""

    def bad(self, number: int, text: bytes) -> Steps[BadRow]:
        """Return what is wrong with a row, and its id."""


class Records:
    """The rows of a batch.

    Parameters
    ----------
    instances : Member or None
        What they stand in.
    reader : RecordReader
        Reads those without a fault.
    finder : FaultFinder
        Finds the faults of the others.
    """

    part = "instances"

    def __init__(self, instances: Member | None, reader: RecordReader, finder: FaultFinder) -> None:
        self._instances = instances
        self._reader = reader
        self._finder = finder

    def __len__(self) -> int:
        return self._instances.n_items if self._instances else 0

    def text(self, number: int) -> bytes:
        return self._instances.item(number) if self._instances else b""

    def record(self, text: bytes) -> tuple[Id, list[float]] | None:
        return self._reader.line(text)

    def bad(self, number: int, text: bytes) -> Steps[BadRow]:
        place = (self.part, number)
        if not text.startswith(b"{"):
            return BadRow(([unfit(place, "not_an_object", text)], []))
        names = self._finder.fields()
        found = yield from members(text, {ID}, names.add)
        values = self._finder.values_at(place, from_json(text))
        ids = [member.text for member in found] if self._finder.takes_ids else []
        if ids and not is_id(ids[-1]):
            values.append(BadValue((*place, ID), "invalid_id"))
        return BadRow((values, names.bad()), _only_id(ids))


class TableRows:
    """The rows of a table.

    Parameters
    ----------
    data : Member or None
        Where they stand.
    columns : list
        The names of the columns; where one is no text, nothing but the lengths is checked.
    features : FeatureSet
        What the columns may hold.
    finder : FaultFinder
        Finds the faults of rows.
    """

    part = "data"

    def __init__(
        self, data: Member | None, columns: list[Any], features: FeatureSet, finder: FaultFinder
    ) -> None:
        self._data = data
        self._finder = finder
        self._width = len(columns)
        has_names = all(isinstance(name, str) for name in columns)
        self._places = {name: place for place, name in enumerate(columns)} if has_names else {}
        self._place_of_id = self._places.pop(ID, None) if finder.takes_ids else None
        cell = cell_type(features.rules)
        self._cell: msgspec.json.Decoder[Any] = msgspec.json.Decoder(cell)
        self._row: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[cell])  # type: ignore[valid-type]
        self._read = [
            (self._places[name], read)
            for feature, read in zip(features, features.rules.reads, strict=True)
            for name in [name for name in feature.accepted_names if name in self._places][:1]
        ]

    @property
    def has_ids(self) -> bool:
        """Whether one of the columns has ids."""
        return self._place_of_id is not None

    def __len__(self) -> int:
        return self._data.n_items if self._data else 0

    def text(self, number: int) -> bytes:
        return self._data.item(number) if self._data else b""

    def record(self, text: bytes) -> tuple[Id, list[float]] | None:
        own, cells = self._cells(text)
        if cells is None or len(cells) != self._width:
            return None
        try:
            return own, [read(cells[place]) for place, read in self._read]
        except (KeyError, TypeError, ValueError):
            return None

    def _cells(self, text: bytes) -> tuple[Id, Sequence[Any] | None]:
        """Return the id and the cells of a row; no cells where the id is not valid."""
        if self._place_of_id is None:
            return msgspec.UNSET, decoded(self._row, text)
        texts = decoded(_texts, text)
        if texts is None or len(texts) != self._width:
            return msgspec.UNSET, None
        own = texts.pop(self._place_of_id)
        cells = each_decoded(self._cell, texts) if is_id(bytes(own)) else None
        if cells is None:
            return own, None
        return own, [*cells[: self._place_of_id], None, *cells[self._place_of_id :]]

    def bad(self, number: int, text: bytes) -> Steps[BadRow]:
        yield
        values, place = from_json(text), (self.part, number)
        if not isinstance(values, list):
            return BadRow(([unfit(place, "not_a_list", text)], []))
        ids = yield from self._ids(text)
        if len(values) != self._width:
            return BadRow(([BadValue(place, "wrong_length")], []), _only_id(ids))
        record = {name: values[place] for name, place in self._places.items()}
        found = self._finder.values_at(place, record)
        if ids and not is_id(ids[0]):
            found.append(BadValue((*place, ID), "invalid_id"))
        return BadRow((found, []), _only_id(ids))

    def _ids(self, text: bytes) -> Steps[list[bytes]]:
        """Return the cell in the column of ids; nothing if the row ends before it."""
        if self._place_of_id is None:
            return []
        texts = yield from items(text)
        return texts[self._place_of_id :][:1]


def _only_id(ids: list[bytes]) -> Id:
    """Return the id of a row if there is one, and it is valid."""
    return msgspec.Raw(ids[0]) if len(ids) == 1 and is_id(ids[0]) else msgspec.UNSET


def unfit(place: Loc, kind: FaultType, text: bytes) -> BadValue:
    """Return the fault of a JSON text that is of another kind than what belongs there."""
    return BadValue(place, "null" if text == b"null" else kind)
