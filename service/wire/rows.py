"""Rows: those of a batch or a table, each checked by itself as a record."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from service.faults import FaultFinder, Loc
from service.wire.cutting import Member, members
from service.wire.findings import Bad
from service.wire.schemas import Record
from service.wire.steps import Steps


class Rows(Protocol):
    """Rows that are read one by one."""

    part: str
    """Name of what they stand in."""

    def __len__(self) -> int: ...

    def text(self, number: int) -> bytes:
        """Return the text of a row."""

    def record(self, text: bytes) -> Record | None:
        """Return a row as a record if nothing is wrong with it."""

    def bad(self, number: int, text: bytes) -> Steps[Bad]:
        """Return what is wrong with a row that is no good record."""


class Records:
    """The rows of a batch.

    Parameters
    ----------
    instances : Member or None
        What they stand in.
    adapter : TypeAdapter of Record
        Checks the values.
    finder : FaultFinder
        Checks the names.
    width : int
        Number of fields.

    Notes
    -----
    As for a record alone: where every field is given, and there are as many colons as fields, no
    name stands there that does not belong, and none twice.
    """

    part = "instances"

    def __init__(
        self,
        instances: Member | None,
        adapter: TypeAdapter[Record],
        finder: FaultFinder,
        width: int,
    ) -> None:
        self._instances = instances
        self._adapter = adapter
        self._finder = finder
        self._width = width

    def __len__(self) -> int:
        return self._instances.n_items if self._instances else 0

    def text(self, number: int) -> bytes:
        return self._instances.item(number) if self._instances else b""

    def record(self, text: bytes) -> Record | None:
        try:
            record = self._adapter.validate_json(text)
        except ValidationError:
            return None
        return record if len(record) == self._width == text.count(b":") else None

    def bad(self, number: int, text: bytes) -> Steps[Bad]:
        errors = _errors(self._adapter, text, (self.part, number))
        if not text.startswith(b"{"):
            return errors, []
        names = self._finder.fields()
        yield from members(text, (), names.add)
        return errors, names.bad()


class TableRows:
    """The rows of a table.

    Parameters
    ----------
    data : Member or None
        Where they stand.
    columns : list
        The names of the columns; where one is no text, nothing but the lengths is checked.
    adapter : TypeAdapter of Record
        Checks the values.
    """

    part = "data"

    def __init__(
        self, data: Member | None, columns: list[Any], adapter: TypeAdapter[Record]
    ) -> None:
        self._data = data
        self._columns = columns
        self._has_names = all(isinstance(name, str) for name in columns)
        self._adapter = adapter

    def __len__(self) -> int:
        return self._data.n_items if self._data else 0

    def text(self, number: int) -> bytes:
        return self._data.item(number) if self._data else b""

    def record(self, text: bytes) -> Record | None:
        values = from_json(text)
        if self._misfit(values):
            return None
        try:
            return self._adapter.validate_json(self._as_record(values))
        except ValidationError:
            return None

    def bad(self, number: int, text: bytes) -> Steps[Bad]:
        yield
        values, place = from_json(text), (self.part, number)
        if kind := self._misfit(values):
            return [unfit(place, kind, text)], []
        return _errors(self._adapter, self._as_record(values), place), []

    def _misfit(self, values: Any) -> str:
        if not isinstance(values, list):
            return "list_type"
        return "" if len(values) == len(self._columns) else "wrong_length"

    def _as_record(self, values: list[Any]) -> bytes:
        return to_json(dict(zip(self._columns, values, strict=True)) if self._has_names else {})


def unfit(place: Loc, kind: str, text: bytes) -> ErrorDetails:
    """Return the error of a JSON text that is of another kind than what belongs there."""
    return {"type": kind, "loc": place, "msg": "", "input": None if text == b"null" else text}


def _errors(adapter: TypeAdapter[Record], text: bytes, place: Loc) -> list[ErrorDetails]:
    """Return what is wrong with the values of a record that stands at a place."""
    try:
        adapter.validate_json(text)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        return [{**found, "loc": (*place, *found["loc"])} for found in errors]
    return []
