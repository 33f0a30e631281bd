"""Faults: what is wrong with a request, in texts that repeat nothing of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from model.schema.features import Feature, FeatureSet
from service.errors import InvalidInput

MAX_BAD_ROWS = 100
"""Maximum number of rows of a batch whose faults are listed."""

MAX_REPORTED_FAULTS = 32
"""Maximum number of faults that are reported in place of a row."""

MAX_BAD_NAMES = 100
"""Maximum number of missing, unknown or repeated fields that are listed for a record."""

MAX_COMPARED = 5_000
"""Maximum number of pairs of unknown and known names that are compared for hints."""

MAX_DIGITS = 1000
"""Maximum digits of a whole number as an id; Python rejects more than 4,300."""

EXPECTED_ID = f"a string or a whole number of at most {MAX_DIGITS} digits"

MAX_NAME = 64
"""Maximum length at which the name of an unknown field, a text of the client, is repeated."""

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
"""Faults of a known name."""

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
"""Faults of a record or batch as a whole."""

BATCH = {"instances": "a list of records"}
TABLE = {"columns": "a list of the columns' names", "data": "a list of rows"}
"""The members of a batch, by the form of the request; a single record has none."""

PARTS = {
    "instances": "a JSON object",
    "columns": "the name of a column",
    "data": "a list of values, one for each column",
}
"""The expected items of each member."""

Loc: TypeAlias = tuple[str | int, ...]
Faults: TypeAlias = list[dict[str, Any]]
BadName: TypeAlias = tuple[str, FaultType]
"""A name, and what is wrong with it."""


class BadValue(NamedTuple):
    """A location, what is wrong with its value, and a note for the message."""

    loc: Loc
    kind: FaultType
    note: str = ""


def fault(loc: Loc, msg: str, kind: FaultType | WarningType) -> dict[str, Any]:
    """Return one entry of a problem's `errors`."""
    shown = [part[:MAX_NAME] if isinstance(part, str) else part for part in loc]
    return {"loc": ["body", *shown], "msg": msg, "type": kind}


def cut_short(loc: Loc, bad_rows: int) -> dict[str, Any]:
    """Return the fault in place of the first row without a result."""
    return fault(loc, too_many_bad_rows(bad_rows), "cut_short")


def too_many_bad_rows(most: int) -> str:
    """Return why the results end when more rows have faults than are reported."""
    return f"More than {most} rows have faults."


def value_fault(loc: Loc, expected: str, kind: FaultType, note: str = "") -> dict[str, Any]:
    """Return the fault of a value that was not expected, with an optional note."""
    start = "Null is not accepted; expected" if kind == "null" else "Expected"
    return fault(loc, f"{start} {expected}. {note}".rstrip(), kind)


def warning_type(feature: Feature) -> WarningType:
    """Return the kind of warning that an unseen value of a feature has."""
    return "unseen_code" if feature.is_coded else "outside_training_range"


def unseen_warning(feature: Feature) -> dict[str, Any]:
    """Return the warning of a value that is not in the training data."""
    loc, kind = (feature.name,), warning_type(feature)
    if feature.is_coded:
        return fault(loc, "This code is not in the training data.", kind)
    low, high = feature.observed
    unit = f" {feature.unit}" if feature.unit else ""
    return fault(loc, f"Outside the training range, {low:g} to {high:g}{unit}.", kind)


def missing_warning(feature: Feature) -> dict[str, Any]:
    """Return the warning of a value that is missing."""
    return fault((feature.name,), "The value is missing.", "missing_value")


def as_text(fault: Mapping[str, Any]) -> str:
    """Return a fault or warning of one record as a sentence that is safe on a terminal."""
    place = ".".join(ascii(name)[1:-1] or '""' for name in fault["loc"][1:])
    return f"{place}: {fault['msg']} ({fault['type']})" if place else fault["msg"]


def kept_names(features: FeatureSet, others: Iterable[str] = ()) -> frozenset[str]:
    """Return the names of the additional fields that a row may have and that are returned.

    Parameters
    ----------
    features : FeatureSet
        The fields that are predicted from.
    others : iterable of str
        Columns that a file may have beside an id.
    """
    return frozenset({"id", *others} - set(features.by_accepted_name))


def not_json(msg: str) -> InvalidInput:
    """Return the error for a body that is not JSON."""
    return InvalidInput("The body is not JSON.", [fault((), msg, "json_invalid")])


def bad_rows_detail(bad_rows: int) -> str:
    """Return the summary of the rejection of a number of rows."""
    return refusal_detail(bad_rows, has_many_names=False)


def refusal_detail(bad_rows: int, *, has_many_names: bool) -> str:
    """Return the summary of a rejection: what is listed, if not everything is."""
    if bad_rows > MAX_BAD_ROWS:
        return f"{bad_rows} records have faults; those of the first {MAX_BAD_ROWS} are listed."
    if has_many_names:
        return (
            f"The first {MAX_BAD_NAMES} missing, unknown or repeated fields of a record are listed."
        )
    return "Nothing was predicted; every fault is listed in errors."
