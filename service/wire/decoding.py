"""Decoding: many records from bytes to numbers in one step, whatever names they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from model.arrays import Array
from model.schema.features import FeatureSet
from model.schema.rules import MISSING, Cell, Rule
from service.faults import kept_names
from service.wire.csv_cells import as_cell
from service.wire.ids import ID, is_id
from service.wire.record_reader import Id, explains
from service.wire.record_types import RecordTypes, cell_type, decoded, each_decoded, struct

COLON = ord(":")


class Decoder:
    """Reads many records that have no fault.

    Where it returns None, the rows are read one by one, by a `RecordReader`: they have a fault,
    or use several names for one column.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.
    max_rows : int
        Most records in a batch.

    Notes
    -----
    As in a record, no name is there twice where there are as many colons as names; those within
    names, names of codes and ids are counted where no escape can hide one.
    """

    def __init__(self, features: FeatureSet, max_rows: int) -> None:
        self._features = features
        self._rules = features.rules
        self._width = len(features)
        self._in_order = tuple(range(self._width))
        self._types = RecordTypes(features, max_rows)
        self._cell = cell_type(self._rules)
        self._takes_ids = ID in kept_names(features)
        self._most = msgspec.Meta(max_length=max_rows)
        rows = self._rows_of([self._cell] * self._width)
        table = struct("Table", [("columns", list[str]), ("data", rows)])
        self._table = msgspec.json.Decoder(table)
        parts = struct("Parts", [("columns", list[str]), ("data", msgspec.Raw)])
        self._parts = msgspec.json.Decoder(parts)
        self._data_with_ids = lru_cache(self._decoder_with_ids)
        self._number = msgspec.json.Decoder(float)

    def batch(self, body: bytes) -> tuple[Array, Sequence[Id]] | None:
        """Return the rows of ``{"instances": [record, ...]}``, all under the same names.

        Beside their values there is the id of each, UNSET where there is none.
        """
        kind = self._types.of_batch(body)
        found = decoded(kind.batch, body) if kind else None
        if kind is None or found is None:
            return None
        (records,) = astuple(found)
        rows, ids = _parted([*map(astuple, records)], has_ids=kind.has_ids)
        others = count(body, COLON) - 1 - len(rows) * self._width
        if others and kind.has_ids:
            others -= sum(1 + bytes(own).count(b":") for own in _given(ids))
        colons = kind.colons * len(rows)
        if others and not explains(body, others - colons, chain.from_iterable(rows)):
            return None
        X = self._rules.matrix(rows, self._in_order) if _are_valid(ids) else None
        return None if X is None else (X, ids)

    def lines(self, lines: Sequence[bytes]) -> tuple[Array, Sequence[Id]] | None:
        """Return the values of records, all under the same names, and their ids.

        Each line is decoded alone: lines that are malformed can be well formed when joined.
        """
        kind = self._types.of_line(lines[0])
        found = each_decoded(kind.line, lines) if kind else None
        if kind is None or found is None:
            return None
        rows, ids = _parted([*map(astuple, found)], has_ids=kind.has_ids)
        colons = sum(line.count(b":") for line in lines)
        names = len(rows) * self._width + len(ids) - ids.count(msgspec.UNSET)
        once = partial(self._has_each_name_once, kind.colons)
        if colons != names and not all(map(once, lines, ids, rows)):
            return None
        X = self._rules.matrix(rows, self._in_order) if _are_valid(ids) else None
        return None if X is None else (X, ids)

    def _has_each_name_once(
        self, within_names: int, line: bytes, own: Id, row: Sequence[Cell]
    ) -> bool:
        others = line.count(b":") - self._width
        if not isinstance(own, msgspec.UnsetType):
            others -= 1 + bytes(own).count(b":")
        return not others or explains(line, others - within_names, row)

    def cells(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Array | None:
        """Return the values of rows of CSV cells under the names of columns."""
        places = self._rules.places(names)
        if places is None:
            return None
        cells = [*chain.from_iterable(rows)]
        columns = []
        for place, rule in zip(places, self._rules.rules, strict=True):
            column = self._column(rule, cells[place :: self._width])
            if column is None:
                return None
            columns.append(column)
        return self._rules.matrix_of(columns)

    def _column(self, rule: Rule, cells: Sequence[str]) -> Sequence[float] | None:
        if not rule.is_coded:
            return self._measurements(rule, cells)
        try:
            codes = {cell: rule.read(as_cell(cell, rule)) for cell in {*cells}}
        except (KeyError, TypeError, ValueError):
            return None
        return [codes[cell] for cell in cells]

    def _measurements(self, rule: Rule, cells: Sequence[str]) -> Sequence[float] | None:
        missing = {"", *rule.missing_texts} if rule.is_optional else set()
        if missing.isdisjoint(cells):
            return each_decoded(self._number, cells)
        numbers = each_decoded(self._number, [cell for cell in cells if cell not in missing])
        if numbers is None:
            return None
        left = iter(numbers)
        return [MISSING if cell in missing else next(left) for cell in cells]

    def table(self, body: bytes) -> Array | None:
        """Return the rows of ``{"columns": [name, ...], "data": [[value, ...], ...]}``."""
        found = decoded(self._table, body)
        if found is None:
            return None
        names, rows = astuple(found)
        return self._matrix(body, names, rows)

    def table_with_ids(self, body: bytes) -> tuple[Array, Sequence[Id]] | None:
        """Return the rows of a table one column of which has their ids, and these."""
        found = decoded(self._parts, body) if self._takes_ids else None
        names, data = ([], b"") if found is None else astuple(found)
        if ID not in names or len(names) != self._width + 1:
            return None
        place = names.index(ID)
        rows = decoded(self._data_with_ids(place), data)
        if rows is None:
            return None
        ids = [row[place] for row in rows]
        cells = [row[:place] + row[place + 1 :] for row in rows]
        within = sum(bytes(own).count(b":") for own in ids)
        X = self._matrix(body, names[:place] + names[place + 1 :], cells, within)
        return (X, ids) if X is not None and _are_valid(ids) else None

    def _matrix(
        self, body: bytes, names: list[str], rows: Sequence[Sequence[Cell]], within_ids: int = 0
    ) -> Array | None:
        """Return the rows of a table if each part and each column is there once."""
        places = self._rules.places(names)
        others = count(body, COLON) - len(("columns", "data")) - within_ids
        within = chain(names, chain.from_iterable(rows))
        if places is None or (others and not explains(body, others, within)):
            return None
        return self._rules.matrix(rows, places)

    def _decoder_with_ids(self, place: int) -> msgspec.json.Decoder[Any]:
        cells = [self._cell] * self._width
        return msgspec.json.Decoder(self._rows_of([*cells[:place], msgspec.Raw, *cells[place:]]))

    def _rows_of(self, cells: list[Any]) -> Any:
        row: Any = tuple[tuple(cells)]  # type: ignore[misc]
        return Annotated[list[row], self._most]


def _parted(
    rows: list[tuple[Any, ...]], *, has_ids: bool
) -> tuple[list[tuple[Any, ...]], list[Id]]:
    """Return the cells of rows, and their ids, which are the last item where there are any."""
    if not has_ids:
        return rows, [msgspec.UNSET] * len(rows)
    return [row[:-1] for row in rows], [row[-1] for row in rows]


def _given(ids: Iterable[Id]) -> Iterator[msgspec.Raw]:
    return (own for own in ids if not isinstance(own, msgspec.UnsetType))


def _are_valid(ids: Iterable[Id]) -> bool:
    return all(is_id(bytes(own)) for own in _given(ids))


def count(body: bytes, byte: int) -> int:
    """Return what `body.count` does, several times as fast where there are many."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == byte))
