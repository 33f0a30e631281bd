"""Faults: what was wrong with the bytes of a request, said without repeating any of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def kept_names(features: FeatureSet, others: Iterable[str] = ()) -> frozenset[str]:
    """Return the names of the fields that a row may have beside the features, and gets back.

    Parameters
    ----------
    features : FeatureSet
        The fields that are predicted from.
    others : iterable of str
        Columns that a file may have beside an id.
    """
    return frozenset({"id", *others} - set(features.by_accepted_name))


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
