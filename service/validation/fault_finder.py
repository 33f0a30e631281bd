"""The search for faults: what is wrong with names and values, and what may have been meant."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from model.schema.features import FeatureSet
from service.errors import InvalidInput
from service.faults import (
    EXPECTED_ID,
    MAX_BAD_NAMES,
    MAX_COMPARED,
    MAX_NAME,
    PARTS,
    BadName,
    BadValue,
    FaultType,
    Loc,
    bad_rows_detail,
    fault,
    refusal_detail,
    value_fault,
)


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
        """Return the exception for a body that is not an object."""
        kind: FaultType = "null" if is_null else "not_an_object"
        return InvalidInput(bad_rows_detail(0), [self._value_fault(BadValue((), kind))])

    def values_at(self, place: Loc, record: Mapping[str, object]) -> list[BadValue]:
        """Return which cells of a record are not valid for their columns.

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
        """Return a check of the member names of a batch."""
        return NameCheck(self._outer)

    def name_faults(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the faults of the column names of a table."""
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
        return self._found.get(name, "remove it.")


class KnownNames:
    """Finds the known name that is nearest to an unknown one.

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
        return f"did you mean {self.owners[near[0]]}?" if near else "remove it."


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
