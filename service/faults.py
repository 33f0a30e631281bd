"""Faults: what was wrong with the bytes of a request, said without repeating any of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, get_args

from pydantic_core import ErrorDetails

from model.features import Feature, FeatureSet
from service.errors import InvalidInput

MAX_BAD_ROWS = 100
"""Of a batch, the faults of so many rows are listed."""

MAX_BAD_NAMES = 100
"""Of one record, so many missing, unknown or repeated fields are listed."""

MAX_COMPARED = 5_000
"""So many pairs of an unknown and a known name are compared; later names get no hint."""

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
    "cut_short",
]
WarningType: TypeAlias = Literal["outside_training_range", "unseen_code"]

FAULT_TYPES: tuple[FaultType, ...] = get_args(FaultType)

KINDS: Mapping[str, FaultType] = {
    "json_invalid": "json_invalid",
    "dict_type": "not_an_object",
    "list_type": "not_a_list",
    "float_type": "not_a_number",
    "finite_number": "not_finite",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "not_whole": "not_whole",
    "unknown_code": "unknown_code",
    "string_type": "unknown_field",
    "wrong_length": "wrong_length",
}
"""pydantic's name of an error in a value, and ours; and null, for any of them."""

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
BadName: TypeAlias = tuple[str, FaultType]
"""A name and its kind."""


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its keys, the repeated ones included."""


def fault(loc: Loc, msg: str, kind: FaultType | WarningType) -> dict[str, Any]:
    """Return one entry of a problem's `errors`."""
    shown = [part[:MAX_NAME] if isinstance(part, str) else part for part in loc]
    return {"loc": ["body", *shown], "msg": msg, "type": kind}


def value_fault(loc: Loc, expected: str, kind: FaultType) -> dict[str, Any]:
    """Return the fault of a value that is not what was expected."""
    start = "Null is not imputed; expected" if kind == "null" else "Expected"
    return fault(loc, f"{start} {expected}.", kind)


def unseen_warning(feature: Feature) -> dict[str, Any]:
    """Return the warning of a value that training has not seen."""
    loc = (feature.name,)
    if feature.is_coded:
        return fault(loc, "This code was not seen in training.", "unseen_code")
    low, high = feature.observed
    unit = f" {feature.unit}" if feature.unit else ""
    return fault(
        loc,
        f"Outside of what was seen in training, {low:g} to {high:g}{unit}.",
        "outside_training_range",
    )


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

    def refusal(self, errors: Sequence[ErrorDetails], body: bytes) -> InvalidInput:
        """Return the exception that lists every fault.

        Parameters
        ----------
        errors : sequence of ErrorDetails
            What pydantic found wrong with the values of the known fields.
        body : bytes
            Asked for unknown and repeated fields, which validation passes over.
        """
        if errors and errors[0]["type"] == "json_invalid":
            return _not_json(errors[0]["msg"])
        try:
            bad_names = self._bad_names_by_place(body)
        except (ValueError, RecursionError):
            return _not_json("Invalid JSON")
        bad_values: dict[Loc, list[ErrorDetails]] = defaultdict(list)
        for error in errors:
            bad_values[error["loc"][:2] if self._around else ()].append(error)
        places = sorted({*bad_values, *bad_names})
        bad_rows = sum(len(place) == 2 for place in places)
        hints = _Hints()
        faults = []
        for place in places[: len(places) - bad_rows + MAX_BAD_ROWS]:
            faults += [self._value_fault(error) for error in bad_values[place]]
            for name, kind in bad_names.get(place, [])[:MAX_BAD_NAMES]:
                faults.append(self._name_fault(place, name, kind, hints))
        return InvalidInput(_detail(bad_rows, bad_names), faults)

    def are_fields(self, names: Sequence[str]) -> bool:
        """Tell whether names are those of all fields of a record, each once."""
        return not _bad_names(names, self._fields, self._kept)

    def name_faults(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return what is wrong with names that stand for the fields of every record."""
        bad, hints = _bad_names(names, self._fields, self._kept), _Hints()
        return [self._name_fault((), name, kind, hints) for name, kind in bad[:MAX_BAD_NAMES]]

    def _value_fault(self, error: ErrorDetails) -> dict[str, Any]:
        loc, kind = error["loc"], KINDS[error["type"]]
        if len(loc) == (3 if self._around else 1):
            expected = self._features.by_accepted_name[str(loc[-1])].expected
        elif len(loc) == 1:
            expected = self._around[str(loc[0])]
        else:
            expected = PARTS[str(loc[0])] if loc else "a JSON object"
        return value_fault(loc, expected, "null" if error["input"] is None else kind)

    def _name_fault(self, place: Loc, name: str, kind: FaultType, hints: _Hints) -> dict[str, Any]:
        is_field = bool(place) or not self._around
        if kind == "missing":
            feature = self._features.by_accepted_name[name] if is_field else None
            expected = feature.expected if feature else self._around[name]
            msg = f"Missing; expected {expected}."
        elif kind == "duplicate_field":
            msg = f"{self._fields[name] if is_field else name} is given twice."
        else:
            msg = f"Unknown field; {hints.near(name, self._fields if is_field else self._outer)}"
        return fault((*place, name), msg, kind)

    def _bad_names_by_place(self, body: bytes) -> dict[Loc, list[BadName]]:
        """Return what is wrong with the names of each object, where anything is."""
        # Numbers stay text: Python refuses to read one of more than 4,300 digits.
        document = json.loads(
            body, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, strict=False
        )
        if not isinstance(document, _Pairs):
            return {}
        bad: dict[Loc, list[BadName]] = {(): self._bad_names(document, self._outer)}
        for name, items in document if self._around else ():
            if name == "instances" and type(items) is list:
                for index, item in enumerate(items):
                    if isinstance(item, _Pairs):
                        bad[name, index] = self._bad_names(item, self._fields)
            elif name == "columns" and type(items) is list:
                names = [item for item in items if isinstance(item, str)]
                bad[name,] = _bad_names(names, self._fields, self._kept)
        return {place: names for place, names in bad.items() if names}

    def _bad_names(self, pairs: _Pairs, owners: Mapping[str, str]) -> list[BadName]:
        return _bad_names((name for name, _ in pairs), owners, self._kept)


class _Hints:
    """What may have been meant by the first unknown names; each comparison takes microseconds."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._compared = 0

    def near(self, name: str, known: Mapping[str, str]) -> str:
        is_left = len(self._found) < MAX_BAD_NAMES and self._compared < MAX_COMPARED
        if name not in self._found and is_left:
            self._compared += len(known)
            near = get_close_matches(name[:MAX_NAME], known, n=1)
            self._found[name] = f"did you mean {near[0]}?" if near else "take it out."
        return self._found.get(name, "take it out.")


def _bad_names(
    names: Iterable[str], owners: Mapping[str, str], optional: Collection[str]
) -> list[BadName]:
    """Return the names that are missing, unknown, or of a field that was given before."""
    bad: dict[str, FaultType] = {}
    seen: set[str] = set()
    for name in names:
        owner = owners.get(name)
        if owner is None:
            bad[name] = "unknown_field"
        elif owner in seen:
            bad[name] = "duplicate_field"
        else:
            seen.add(owner)
    missing: list[BadName] = [
        (owner, "missing")
        for owner in dict.fromkeys(owners.values())
        if owner not in seen and owner not in optional
    ]
    return [*missing, *bad.items()]


def _not_json(msg: str) -> InvalidInput:
    return InvalidInput("The body is not JSON.", [fault((), msg, "json_invalid")])


def bad_rows_detail(bad_rows: int) -> str:
    """Return the summary of a refusal of so many rows."""
    if bad_rows > MAX_BAD_ROWS:
        return f"{bad_rows} records have faults; those of the first {MAX_BAD_ROWS} are listed."
    return "Nothing was predicted; every fault is listed in errors."


def _detail(bad_rows: int, bad_names: Mapping[Loc, Sequence[BadName]]) -> str:
    if bad_rows <= MAX_BAD_ROWS and any(len(names) > MAX_BAD_NAMES for names in bad_names.values()):
        return (
            f"The first {MAX_BAD_NAMES} missing, unknown or repeated fields of a record are listed."
        )
    return bad_rows_detail(bad_rows)
