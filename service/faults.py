"""Faults: what was wrong with the bytes of a request, said without repeating any of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from model.features import FeatureSet

MAX_BAD_ROWS = 100
"""Of a batch, the faults of so many rows are listed."""

MAX_NAME = 64
"""An unknown field's name is the sender's own text: so much of it is repeated."""

KINDS = {
    "json_invalid": "json_invalid",
    "dict_type": "not_an_object",
    "list_type": "not_a_list",
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "float_type": "not_a_number",
    "finite_number": "not_finite",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "multiple_of": "not_whole",
    "unknown_code": "unknown_code",
}
"""pydantic's name of an error, and ours. Two more are found here: null and duplicate_field."""

Loc = tuple[str | int, ...]


def fault(loc: Loc, msg: str, kind: str) -> dict[str, Any]:
    """Return one entry of a problem's `errors`."""
    shown = [part[:MAX_NAME] if isinstance(part, str) else part for part in loc]
    return {"loc": ["body", *shown], "msg": msg, "type": kind}


def find_faults(
    error: ValidationError | None, body: bytes, features: FeatureSet
) -> list[dict[str, Any]]:
    """Return every fault of a refused body, those of duplicate keys last."""
    errors = [] if error is None else error.errors(include_url=False, include_context=False)
    faults = [_translate(details, features) for details in errors]
    if [found["type"] for found in faults] == ["json_invalid"]:
        return faults
    return [*faults, *_duplicates(body)]


def limit_rows(faults: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the faults of the first bad rows of a batch, and the number of all bad rows."""
    rows = list(dict.fromkeys(found["loc"][2] for found in faults if len(found["loc"]) > 2))
    listed = set(rows[:MAX_BAD_ROWS])
    kept = [found for found in faults if len(found["loc"]) <= 2 or found["loc"][2] in listed]
    return kept, len(rows)


def _translate(error: ErrorDetails, features: FeatureSet) -> dict[str, Any]:
    loc, kind = error["loc"], KINDS[error["type"]]
    if kind == "json_invalid":
        return fault(loc, error["msg"], kind)
    feature = features.by_accepted_name.get(str(loc[-1])) if loc else None
    if kind == "unknown_field":
        if feature is not None:
            return fault(loc, f"{feature.name} is given under two names.", "duplicate_field")
        return fault(loc, _hint(str(loc[-1]), features), kind)
    expected = "a JSON object" if kind == "not_an_object" else "a list of records"
    if feature is not None:
        expected = feature.expected
    if kind == "missing":
        return fault(loc, f"Missing; expected {expected}.", kind)
    if error["input"] is None:
        return fault(loc, f"Null is not imputed; expected {expected}.", "null")
    return fault(loc, f"Expected {expected}.", kind)


def _hint(name: str, features: FeatureSet) -> str:
    near = get_close_matches(name[:MAX_NAME], features.by_accepted_name, n=1)
    return f"Unknown field; did you mean {near[0]}?" if near else "Unknown field; take it out."


class _Pairs(list[tuple[str, Any]]):
    """An object with all its keys, the repeated ones included."""


def _duplicates(body: bytes) -> list[dict[str, Any]]:
    """Return a fault for each key that stands twice in a record, or beside the records."""
    try:
        # Numbers stay text: Python refuses to read one of more than 4,300 digits.
        document = json.loads(
            body, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, strict=False
        )
    except (ValueError, RecursionError):
        return [fault((), "Invalid JSON.", "json_invalid")]
    return [
        fault((*loc, key), "The field is given twice.", "duplicate_field")
        for loc, pairs in _objects(document)
        for key, times in Counter(key for key, _ in pairs).items()
        if times > 1
    ]


def _objects(document: Any) -> Iterator[tuple[Loc, _Pairs]]:
    """Yield the outer object and those of its `instances`, each with its place."""
    if not isinstance(document, _Pairs):
        return
    yield (), document
    for key, value in document:
        if key == "instances" and isinstance(value, list):
            for index, row in enumerate(value):
                if isinstance(row, _Pairs):
                    yield (key, index), row
