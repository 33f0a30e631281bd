"""Decoding: requests that are plainly good, from bytes to numbers in one step."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import chain, starmap
from struct import Struct
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from msgspec.structs import astuple

from model.arrays import Array
from model.schema.features import FeatureSet
from service.faults import kept_names

Row: TypeAlias = tuple[float, ...]

NOTHING = Annotated[float, msgspec.Meta(gt=sys.float_info.max)]
"""The type of a column that accepts names of codes alone: no number is valid."""
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises for a body that it does not take, or that is nested too deep."""


class PlainDecoder:
    """Reads what holds a number under every feature's own name, and nothing else.

    What it returns is good; where it returns None somebody has to look closer, and `validation`
    does. Other names, names of codes and every fault are seen to there. So the two can never
    disagree on what is refused, and tests show that they agree on what is good.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.
    max_rows : int
        Most records in a batch.

    Notes
    -----
    msgspec takes the last of repeated names. But no name and no number holds a colon: where there
    are as many colons as fields, none stands there twice.
    """

    def __init__(self, features: FeatureSet, max_rows: int) -> None:
        self._features = features
        self._width = len(features)
        self._pack = Struct(f"{self._width}d").pack
        fields: dict[str, Any] = {f.name: NOTHING if f.named_only else float for f in features}
        record: Any = _struct("Record", fields)
        # The columns may stand in any order, so that each must take what every other takes.
        cell = NOTHING if NOTHING in fields.values() else float
        self._cell = msgspec.json.Decoder(cell)
        row: Any = tuple[(cell,) * self._width]  # type: ignore[misc]
        most = msgspec.Meta(max_length=max_rows)
        batch = _struct("Batch", {"instances": Annotated[list[record], most]})
        table = _struct("Table", {"columns": list[str], "data": Annotated[list[row], most]})
        self._record = msgspec.json.Decoder(dict[str, float | str])
        kept = kept_names(features)
        self._takes_ids = bool(kept)
        line: Any = _struct("Line", fields, kept)
        self._line = msgspec.json.Decoder(line)
        self._batch = msgspec.json.Decoder(batch)
        self._table = msgspec.json.Decoder(table)

    def record(self, body: bytes) -> list[float] | None:
        """Return the values of a record, whatever names it uses; None where it has a fault."""
        record = _decoded(self._record, body)
        if record is None or body.count(b":") != self._width:
            return None
        return self._features.rules.row(record)

    def batch(self, body: bytes) -> Array | None:
        """Return the rows of ``{"instances": [record, ...]}``."""
        found = _decoded(self._batch, body)
        if found is None:
            return None
        (records,) = astuple(found)
        if _colons(body) != 1 + len(records) * self._width:
            return None
        return self._possible(self._matrix(map(astuple, records), len(records)))

    def lines(self, lines: Sequence[bytes]) -> tuple[Sequence[Any], Array] | None:
        """Return the ids of records, `msgspec.UNSET` where there is none, and their values.

        Each line is decoded alone: lines that are malformed can be well formed when joined.
        """
        found = _each_decoded(self._line, lines)
        if found is None:
            return None
        rows = [*map(astuple, found)]
        ids = [row[self._width] if self._takes_ids else msgspec.UNSET for row in rows]
        given = len(ids) - ids.count(msgspec.UNSET)
        if sum(line.count(b":") for line in lines) != len(lines) * self._width + given:
            return None
        X = self._possible(self._matrix((row[: self._width] for row in rows), len(rows)))
        return None if X is None else (ids, X)

    def cells(self, names: Sequence[str], rows: Sequence[Sequence[bytes]]) -> Array | None:
        """Return the values of rows of numbers, each a JSON number, under the names of columns."""
        if sorted(names) != sorted(self._features.names):
            return None
        values = _each_decoded(self._cell, chain.from_iterable(rows))
        if values is None:
            return None
        X = np.array(values, np.float64).reshape(len(rows), self._width)
        return self._possible(self._in_order(names, X))

    def table(self, body: bytes) -> Array | None:
        """Return the rows of ``{"columns": [name, ...], "data": [[value, ...], ...]}``."""
        found = _decoded(self._table, body)
        if found is None or _colons(body) != len(("columns", "data")):
            return None
        names, rows = astuple(found)
        if sorted(names) != sorted(self._features.names):
            return None
        return self._possible(self._in_order(names, self._matrix(rows, len(rows))))

    def _in_order(self, names: Sequence[str], X: Array) -> Array:
        if names == self._features.names:
            return X
        places = {name: place for place, name in enumerate(names)}
        return X.take([places[name] for name in self._features.names], axis=1)

    def _matrix(self, rows: Iterable[Row], n: int) -> Array:
        packed = b"".join(starmap(self._pack, rows))
        return np.frombuffer(packed, np.float64).reshape(n, self._width)

    def _possible(self, X: Array) -> Array | None:
        return X if self._features.rules.accepts(X).all() else None


def _struct(name: str, fields: dict[str, Any], kept: Iterable[str] = ()) -> Any:
    # The names of columns need not be identifiers. Nothing here can be part of a cycle.
    names = [*fields, *kept]
    places = {f"field_{number}": name for number, name in enumerate(names)}
    required = list(zip(places, fields.values(), strict=False))
    optional = [(place, msgspec.Raw, msgspec.UNSET) for place in [*places][len(fields) :]]
    return msgspec.defstruct(
        name, [*required, *optional], rename=places, forbid_unknown_fields=True, gc=False
    )


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except UNREADABLE:
        return None


def _each_decoded(decoder: msgspec.json.Decoder[Any], pieces: Iterable[bytes]) -> list[Any] | None:
    try:
        return [*map(decoder.decode, pieces)]
    except UNREADABLE:
        return None


def count(body: bytes, byte: int) -> int:
    """Return what `body.count` does, several times as fast where there are many."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == byte))


def _colons(body: bytes) -> int:
    return count(body, ord(":"))
