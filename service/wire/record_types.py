"""Record types: what msgspec decodes records into, made for the names that a body uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec

from model.schema.features import FeatureSet
from model.schema.rules import Rule, RuleTable
from service.faults import kept_names

MOST_TYPES = 16
"""So many types are kept: one takes 0.1 ms to make, and a client may send any choice of names."""

MOST_NAMES_BYTES = 2**18
"""The first record of a batch is looked at as far as this."""

FLAT_OBJECT = re.compile(rb'\{(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+\}', re.DOTALL)

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises for a body that it does not take, or that is nested too deep."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])

Names: TypeAlias = tuple[str, ...]


class RecordType(NamedTuple):
    """Decoders of records that use certain names, whose cells come in the order of the columns.

    Parameters
    ----------
    line, batch : Decoder
        Of one record, and of a batch.
    has_ids : bool
        Whether a record may have an id.
    colons : int
        How many there are within the names.
    """

    line: msgspec.json.Decoder[Any]
    batch: msgspec.json.Decoder[Any]
    has_ids: bool
    colons: int


class RecordTypes:
    """Makes the types of records, and keeps those of the last names.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.
    max_rows : int
        Most records in a batch.
    """

    def __init__(self, features: FeatureSet, max_rows: int) -> None:
        self._rules = features.rules
        self._own = tuple(features.names)
        self._kept = kept_names(features)
        self._most = msgspec.Meta(max_length=max_rows)
        self._cells = [*map(_cell_type, features.rules.rules)]
        self._of_names = lru_cache(MOST_TYPES)(self._made)
        # msgspec makes no type with such a name.
        self._unnameable = {name for name in features.by_accepted_name if {*name} & {*'"\\'}}

    @property
    def kept(self) -> int:
        """The number of types that are kept."""
        return self._of_names.cache_info().currsize

    def of_batch(self, body: bytes) -> RecordType | None:
        """Return the type of the records of a batch, by the names of the first."""
        start = body.find(b"{", 1)
        if start < 0:
            return self._of_own(self._own, has_ids=False)
        first = FLAT_OBJECT.match(body, start, start + MOST_NAMES_BYTES)
        return self.of_line(first[0]) if first else None

    def of_line(self, line: bytes) -> RecordType | None:
        """Return the type of a record; None where its names are not those of all features."""
        try:
            given = [*_members.decode(line)]
        except UNREADABLE:
            return None
        names = [name for name in given if name not in self._kept]
        places = self._rules.places(names)
        if places is None:
            return None
        own = tuple(names[place] for place in places)
        return self._of_own(own, has_ids=len(names) < len(given))

    def _of_own(self, names: Names, *, has_ids: bool) -> RecordType | None:
        """Return the type for names in the order of the columns; None where there cannot be one."""
        return None if self._unnameable.intersection(names) else self._of_names(names, has_ids)

    def _made(self, names: Names, has_ids: bool) -> RecordType:  # noqa: FBT001
        record = struct(
            "Record", zip(names, self._cells, strict=True), self._kept if has_ids else ()
        )
        records: Any = list[record]  # type: ignore[valid-type]
        batch = struct("Batch", [("instances", Annotated[records, self._most])])
        colons = sum(name.count(":") for name in names)
        return RecordType(
            msgspec.json.Decoder(record), msgspec.json.Decoder(batch), has_ids, colons
        )


def cell_type(rules: RuleTable) -> Any:
    """Return the type of a cell of any column."""
    booleans: Any = bool if rules.takes_booleans else float
    return float | str | booleans | None if rules.optional else float | str | booleans


def _cell_type(rule: Rule) -> Any:
    """Return the type of the cells of a column."""
    kinds: Any = float | bool if rule.is_boolean else float
    if rule.is_optional:
        kinds |= None
    return kinds | str if rule.is_coded or rule.missing_texts else kinds


def struct(name: str, fields: Iterable[tuple[str, Any]], kept: Iterable[str] = ()) -> Any:
    """Return a type of objects that have all of some members, maybe the kept ones, and no other."""
    # The names need not be identifiers. Nothing here can be part of a cycle.
    required = [(f"field_{number}", member, kind) for number, (member, kind) in enumerate(fields)]
    optional = [(f"kept_{number}", member) for number, member in enumerate(kept)]
    return msgspec.defstruct(
        name,
        [
            *((place, kind) for place, _, kind in required),
            *((place, msgspec.Raw, msgspec.UNSET) for place, _ in optional),
        ],
        rename={place: member for place, member, *_ in (*required, *optional)},
        forbid_unknown_fields=True,
        gc=False,
    )


def decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Return what a body holds, None where it does not fit the type."""
    try:
        return decoder.decode(body)
    except UNREADABLE:
        return None


def each_decoded(
    decoder: msgspec.json.Decoder[Any], pieces: Iterable[bytes | str]
) -> Sequence[Any] | None:
    """Return what pieces hold, each decoded alone; None where one does not fit the type."""
    try:
        return [*map(decoder.decode, pieces)]
    except UNREADABLE:
        return None
