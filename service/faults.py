"""Faults: what was wrong with the bytes of a request, said without repeating any of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from model.schema.features import Feature, FeatureSet
from service.errors import InvalidInput

MAX_BAD_ROWS = 100
"""Of a batch, the faults of so many rows are listed."""

MAX_REPORTED_FAULTS = 32
"""Of a row whose faults are reported in its place, so many are listed."""

MAX_BAD_NAMES = 100
"""Of one record, so many missing, unknown or repeated fields are listed."""

MAX_COMPARED = 5_000
"""So many pairs of an unknown and a known name are compared; later names get no hint."""

MAX_DIGITS = 1000
"""Of a whole number as an id; Python refuses to read one of more than 4,300."""

EXPECTED_ID = f"a string or a whole number of at most {MAX_DIGITS} digits"

MAX_NAME = 64
"""An unknown field's name is the sender's own text: so much of it is repeated."""

FaultType: TypeAlias = Literal[
    "json_invalid",
    "not_an_object",
    "not_a_list",
    "missing",
    "unknown_field",
    "duplicate_field",
    "null",
    "not_a_number",
    "not_finite",
    "not_whole",
    "out_of_range",
    "unknown_code",
    "wrong_length",
    "invalid_id",
    "cut_short",
]
WarningType: TypeAlias = Literal["outside_training_range", "unseen_code", "missing_value"]

FAULT_TYPES: tuple[FaultType, ...] = get_args(FaultType)
WARNING_TYPES: tuple[WarningType, ...] = get_args(WarningType)

NAME_FAULTS: tuple[FaultType, ...] = ("missing", "duplicate_field")
"""What can be wrong with a known name."""

RECORD_FAULTS: tuple[FaultType, ...] = (
    "json_invalid",
    "not_an_object",
    "not_a_list",
    *NAME_FAULTS,
    "null",
    "wrong_length",
    "invalid_id",
    "cut_short",
)
"""What can be wrong with a record or batch as a whole: with what stands around the values."""

BATCH = {"instances": "a list of records"}
TABLE = {"columns": "a list of the columns' names", "data": "a list of rows"}
"""What stands around records, by the form of a request; nothing around one alone."""

PARTS = {
    "instances": "a JSON object",
    "columns": "the name of a column",
    "data": "a list of values, one for each column",
}
"""What the items of each are."""

Loc: TypeAlias = tuple[str | int, ...]
Faults: TypeAlias = list[dict[str, Any]]
BadName: TypeAlias = tuple[str, FaultType]
"""A name, and what is wrong with it."""


class BadValue(NamedTuple):
    """A place with a value that does not belong there, what is wrong with it, and what to add."""

    loc: Loc
    kind: FaultType
    note: str = ""


def fault(loc: Loc, msg: str, kind: FaultType | WarningType) -> dict[str, Any]:
    """Return one entry of a problem's `errors`."""
    shown = [part[:MAX_NAME] if isinstance(part, str) else part for part in loc]
    return {"loc": ["body", *shown], "msg": msg, "type": kind}


def cut_short(loc: Loc, bad_rows: int) -> dict[str, Any]:
    """Return what stands in place of the first row that is not answered."""
    return fault(loc, too_many_bad_rows(bad_rows), "cut_short")


def too_many_bad_rows(most: int) -> str:
    """Return why an answer ends where more rows have faults than are reported."""
    return f"More than {most} rows have faults."


def value_fault(loc: Loc, expected: str, kind: FaultType, note: str = "") -> dict[str, Any]:
    """Return the fault of a value that is not what was expected, with another sentence or none."""
    start = "Null is not imputed; expected" if kind == "null" else "Expected"
    return fault(loc, f"{start} {expected}. {note}".rstrip(), kind)


def warning_type(feature: Feature) -> WarningType:
    """Return the kind of warning that an unseen value of a feature has."""
    return "unseen_code" if feature.is_coded else "outside_training_range"


def unseen_warning(feature: Feature) -> dict[str, Any]:
    """Return the warning of a value that training has not seen."""
    loc, kind = (feature.name,), warning_type(feature)
    if feature.is_coded:
        return fault(loc, "This code was not seen in training.", kind)
    low, high = feature.observed
    unit = f" {feature.unit}" if feature.unit else ""
    return fault(loc, f"Outside of what was seen in training, {low:g} to {high:g}{unit}.", kind)


def missing_warning(feature: Feature) -> dict[str, Any]:
    """Return the warning of a value that is missing."""
    return fault((feature.name,), "The value is missing.", "missing_value")


def as_text(fault: Mapping[str, Any]) -> str:
    """Return a fault or warning of one record as a sentence; at home on a terminal."""
    place = ".".join(ascii(name)[1:-1] or '""' for name in fault["loc"][1:])
    return f"{place}: {fault['msg']} ({fault['type']})" if place else fault["msg"]


def kept_names(features: FeatureSet) -> frozenset[str]:
    """Return the names of the fields that a row may have beside the features, and gets back."""
    return frozenset({"id"} - set(features.by_accepted_name))


class FaultFinder:
    """Finds all that is wrong with a refused body.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.
    around : mapping of str to str
        What stands around the records, by its name: `BATCH`, `TABLE`, or nothing.
    kept : iterable of str, optional
        Names of fields that a record may have beside the features.
    """

    def __init__(
        self, features: FeatureSet, around: Mapping[str, str], kept: Iterable[str] = ()
    ) -> None:
        self._features = features
        self._around = around
        self._kept = frozenset(kept)
        self._fields = {name: f.name for name, f in features.by_accepted_name.items()}
        self._fields |= {name: name for name in self._kept}
        self._outer = {name: name for name in around} or self._fields
        self._known_fields = KnownNames(self._fields)
        self._known_parts = KnownNames(self._outer)

    def refusal(
        self, values: Sequence[BadValue], names: Iterable[str], hints: Hints | None = None
    ) -> InvalidInput:
        """Return the exception that lists every fault of a record.

        Parameters
        ----------
        values : sequence of BadValue
            What is wrong with its values.
        names : iterable of str
            All its names, repeated ones included.
        hints : Hints, optional
            Those of all records that one request brings.
        """
        bad = self._bad_fields(names)
        return InvalidInput(
            refusal_detail(0, has_many_names=len(bad) > MAX_BAD_NAMES),
            self.faults_at((), values, bad[:MAX_BAD_NAMES], hints or Hints()),
        )

    def no_object(self, *, is_null: bool) -> InvalidInput:
        """Return the exception for a body that is no object."""
        kind: FaultType = "null" if is_null else "not_an_object"
        return InvalidInput(bad_rows_detail(0), [self._value_fault(BadValue((), kind))])

    def values_at(self, place: Loc, record: Mapping[str, object]) -> list[BadValue]:
        """Return which cells of a record are no values of their columns.

        Parameters
        ----------
        place : tuple of str and int
            That of the record.
        record : mapping of str to object
            Cells of any type, by name. Unknown names are passed over; of several names of one
            column the first that the feature lists counts.
        """
        found: list[BadValue] = []
        for feature in self._features:
            name = next((name for name in feature.accepted_names if name in record), None)
            kind = None if name is None else feature.rule.fault(_as_sent(record[name]))
            if name is not None and kind is not None:
                note = feature.note(record[name])
                found.append(BadValue((*place, name), kind, note))
        return found

    def faults_at(
        self, place: Loc, values: Iterable[BadValue], names: Sequence[BadName], hints: Hints
    ) -> list[dict[str, Any]]:
        """Return what is wrong in one place.

        Parameters
        ----------
        place : tuple of str and int
            That of a record in a batch; empty for one alone, or for what stands around them.
        values : iterable of BadValue
            What is wrong with the values, under their whole places.
        names : sequence of BadName
            What is wrong with the names.
        hints : Hints
            What may have been meant.
        """
        return [
            *map(self._value_fault, values),
            *(self._name_fault(place, name, kind, hints) for name, kind in names),
        ]

    @property
    def takes_ids(self) -> bool:
        """Whether a record may have an id."""
        return bool(self._kept)

    def fields(self) -> NameCheck:
        """Return a check of names that must be those of the fields of a record."""
        return NameCheck(self._fields, self._kept)

    def parts(self) -> NameCheck:
        """Return a check of names that must be those of what stands around records."""
        return NameCheck(self._outer)

    def name_faults(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return what is wrong with names that stand for the fields of every record."""
        return self.faults_at((), (), self._bad_fields(names)[:MAX_BAD_NAMES], Hints())

    def _bad_fields(self, names: Iterable[str]) -> list[BadName]:
        check = self.fields()
        check.add(names)
        return check.bad()

    def _value_fault(self, value: BadValue) -> dict[str, Any]:
        loc = value.loc
        if value.kind == "invalid_id":
            expected = EXPECTED_ID
        elif len(loc) == (3 if self._around else 1):
            expected = self._features.by_accepted_name[str(loc[-1])].expected
        elif len(loc) == 1:
            expected = self._around[str(loc[0])]
        else:
            expected = PARTS[str(loc[0])] if loc else "a JSON object"
        return value_fault(loc, expected, value.kind, value.note)

    def _name_fault(self, place: Loc, name: str, kind: FaultType, hints: Hints) -> dict[str, Any]:
        is_field = bool(place) or not self._around
        if kind == "missing":
            feature = self._features.by_accepted_name[name] if is_field else None
            expected = feature.expected if feature else self._around[name]
            msg = f"Missing; expected {expected}."
        elif kind == "duplicate_field":
            msg = f"{self._fields[name] if is_field else name} is given twice."
        else:
            known = self._known_fields if is_field else self._known_parts
            msg = f"Unknown field; {hints.near(name, known)}"
        return fault((*place, name), msg, kind)


def _as_sent(cell: object) -> object:
    """Return a cell, infinity in place of NaN: no text can hold the NaN of a missing value."""
    return math.inf if isinstance(cell, float) and math.isnan(cell) else cell


class Hints:
    """What may have been meant by the first unknown names; each comparison takes microseconds."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._compared = 0

    def near(self, name: str, known: KnownNames) -> str:
        is_left = len(self._found) < MAX_BAD_NAMES and self._compared < MAX_COMPARED
        if name not in self._found and is_left:
            self._compared += len(known.owners)
            self._found[name] = known.hint(name[:MAX_NAME])
        return self._found.get(name, "take it out.")


class KnownNames:
    """Finds the known name that an unknown one may stand for.

    Parameters
    ----------
    owners : mapping of str to str
        The name that is suggested for each known name.
    """

    def __init__(self, owners: Mapping[str, str]) -> None:
        self.owners = owners
        self._lower = {name.lower(): owner for name, owner in owners.items()}

    def hint(self, name: str) -> str:
        """Return what to do with an unknown name, as the end of a sentence."""
        if name.lower() in self._lower:
            return f"did you mean {self._lower[name.lower()]}? Names are case-sensitive."
        near = get_close_matches(name, self.owners, n=1)
        return f"did you mean {self.owners[near[0]]}?" if near else "take it out."


class NameCheck:
    """Checks names, some at a time: which are missing, unknown, or were given before.

    Parameters
    ----------
    owners : mapping of str to str
        What each known name stands for.
    optional : collection of str
        What need not be given.
    """

    def __init__(self, owners: Mapping[str, str], optional: Collection[str] = ()) -> None:
        self._owners = owners
        self._optional = optional
        self._seen: set[str | None] = set()
        self._bad: dict[str, FaultType] = {}

    def add(self, names: Iterable[str]) -> None:
        """Check more names."""
        names = iter(names)
        for name in names:
            if len(self._bad) > MAX_BAD_NAMES:
                # No more are listed: the others can but show what is not missing.
                self._seen.add(self._owners.get(name))
                self._seen.update(map(self._owners.get, names))
                return
            owner = self._owners.get(name)
            if owner is None:
                self._bad[name] = "unknown_field"
            elif owner in self._seen:
                self._bad[name] = "duplicate_field"
            else:
                self._seen.add(owner)

    def bad(self) -> list[BadName]:
        """Return what is missing, and the first names that are unknown or were given before."""
        missing: list[BadName] = [
            (owner, "missing")
            for owner in dict.fromkeys(self._owners.values())
            if owner not in self._seen and owner not in self._optional
        ]
        return [*missing, *self._bad.items()]


def not_json(msg: str) -> InvalidInput:
    """Return the refusal of a body that is not JSON."""
    return InvalidInput("The body is not JSON.", [fault((), msg, "json_invalid")])


def bad_rows_detail(bad_rows: int) -> str:
    """Return the summary of a refusal of so many rows."""
    return refusal_detail(bad_rows, has_many_names=False)


def refusal_detail(bad_rows: int, *, has_many_names: bool) -> str:
    """Return the summary of a refusal: what is listed, if not all of it is."""
    if bad_rows > MAX_BAD_ROWS:
        return f"{bad_rows} records have faults; those of the first {MAX_BAD_ROWS} are listed."
    if has_many_names:
        return (
            f"The first {MAX_BAD_NAMES} missing, unknown or repeated fields of a record are listed."
        )
    return "Nothing was predicted; every fault is listed in errors."
