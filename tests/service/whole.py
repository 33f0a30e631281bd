"""The check of a batch as a whole, in one piece: what the check in steps is held to.

It is kept for the tests alone: simple, slow, and with a whole body in Python objects.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from model.arrays import Array
from model.schema.features import FeatureSet
from service.errors import ContentTooLarge, InvalidInput
from service.faults import (
    BATCH,
    MAX_BAD_NAMES,
    MAX_BAD_ROWS,
    TABLE,
    BadName,
    BadValue,
    FaultType,
    Loc,
    not_json,
    refusal_detail,
)
from service.validation.batch_validation import OPENINGS, SPARE_MARKS
from service.validation.fault_finder import FaultFinder, Hints
from tests.service.pydantic_types import KINDS, Record, batch_type, record_type, table_type


class WholeValidator:
    def __init__(self, features: FeatureSet, max_rows: int) -> None:
        record = record_type(features)
        self._features = features
        self._max_rows = max_rows
        self._batch: TypeAdapter[Any] = TypeAdapter(batch_type(record, max_rows))
        self._table: TypeAdapter[Any] = TypeAdapter(table_type(max_rows))

    def read(self, body: bytes) -> Array:
        most = SPARE_MARKS + 2 * self._max_rows * (1 + len(self._features))
        openings = body.count(b"[") + body.count(b"{")
        if openings > SPARE_MARKS + OPENINGS * self._max_rows or openings + body.count(b",") > most:
            raise ContentTooLarge(
                f"The batch has more values than {self._max_rows} records can have; split it."
            )
        return self._read_table(body) if _is_table(body) else self._read_batch(body)

    def _read_batch(self, body: bytes) -> Array:
        records = self._validated(self._batch, body, BATCH).get("instances")
        X = None if records is None else self._matrix(records)
        if X is None or body.count(b":") != len(BATCH) + X.size:
            raise self._refusal(BATCH, [], body)
        return X

    def _read_table(self, body: bytes) -> Array:
        table = self._validated(self._table, body, TABLE)
        names, rows = table.get("columns", []), table.get("data", [])
        records, errors = self._as_records(names, rows)
        fields = _Names(self._features, TABLE)
        if not errors and table.keys() == TABLE.keys() and not fields.bad_fields(names):
            X = self._matrix(records)
            if X is not None and body.count(b":") == len(TABLE):
                return X
        raise self._refusal(TABLE, errors, body)

    def _validated(self, adapter: TypeAdapter[Any], body: bytes, form: Mapping[str, str]) -> Any:
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
        if any(error["type"] == "too_long" for error in errors):
            raise ContentTooLarge(
                f"A batch may contain at most {self._max_rows} records; split it."
            )
        raise self._refusal(form, errors, body)

    def _as_records(
        self, names: list[Any], rows: list[Any]
    ) -> tuple[list[Record], list[ErrorDetails]]:
        """Return the rows of a table as records: a value is good there where it is good here."""
        errors = list(_misshapen(names, rows))
        if any(error["loc"][0] == "columns" for error in errors):
            return [], errors
        bad = {error["loc"][1] for error in errors}
        whole = [number for number in range(len(rows)) if number not in bad]
        records = [dict(zip(names, rows[number], strict=True)) for number in whole]
        try:
            return self._batch.validate_json(to_json({"instances": records}))["instances"], errors
        except ValidationError as error:
            for found in error.errors(include_url=False, include_context=False):
                _, number, name = found["loc"]
                errors.append({**found, "loc": ("data", whole[int(number)], name)})
            return [], errors

    def _matrix(self, records: Sequence[Record]) -> Array | None:
        """Return records as rows, or None where a field is missing."""
        try:
            return self._features.matrix(records)
        except KeyError:
            return None

    def _refusal(
        self, form: Mapping[str, str], errors: Sequence[ErrorDetails], body: bytes
    ) -> InvalidInput:
        return _Names(self._features, form).refusal_of(errors, body)


class _Names:
    def __init__(self, features: FeatureSet, form: Mapping[str, str]) -> None:
        self._features = features
        self._finder = FaultFinder(features, form)
        self._fields = {name: f.name for name, f in features.by_accepted_name.items()}
        self._outer = {name: name for name in form}

    def bad_fields(self, names: Sequence[str]) -> list[BadName]:
        return _bad_names(names, self._fields)

    def refusal_of(self, errors: Sequence[ErrorDetails], body: bytes) -> InvalidInput:
        if errors and errors[0]["type"] == "json_invalid":
            return not_json(errors[0]["msg"])
        try:
            bad_names = self._bad_names_by_place(body)
        except (ValueError, RecursionError):
            return not_json("Invalid JSON")
        bad_values: dict[Loc, list[ErrorDetails]] = defaultdict(list)
        for error in errors:
            bad_values[error["loc"][:2]].append(error)
        places = sorted({*bad_values, *bad_names})
        bad_rows = sum(len(place) == 2 for place in places)
        hints = Hints()
        faults = []
        for place in places[: len(places) - bad_rows + MAX_BAD_ROWS]:
            named = bad_names.get(place, [])[:MAX_BAD_NAMES]
            values = [self._as_fault(error) for error in bad_values[place]]
            faults += self._finder.faults_at(place, values, named, hints)
        has_many = any(len(names) > MAX_BAD_NAMES for names in bad_names.values())
        return InvalidInput(refusal_detail(bad_rows, has_many_names=has_many), faults)

    def _as_fault(self, error: ErrorDetails) -> BadValue:
        kind: FaultType = "null" if error["input"] is None else KINDS[error["type"]]
        name = str(error["loc"][-1]) if error["loc"] else ""
        feature = self._features.by_accepted_name.get(name)
        return BadValue(error["loc"], kind, feature.note(error["input"]) if feature else "")

    def _bad_names_by_place(self, body: bytes) -> dict[Loc, list[BadName]]:
        """Return what is wrong with the names of each object, where anything is."""
        # Python refuses to read a number of more than 4,300 digits; here none is needed.
        document = json.loads(
            body, object_pairs_hook=_Pairs, parse_int=len, parse_float=len, strict=False
        )
        if not isinstance(document, _Pairs):
            return {}
        bad: dict[Loc, list[BadName]] = {(): self._bad_names(document, self._outer)}
        # Of a part that is given twice the last one counts.
        for name, items in dict(document).items():
            if name == "instances" and type(items) is list:
                for index, item in enumerate(items):
                    if isinstance(item, _Pairs):
                        bad[name, index] = self._bad_names(item, self._fields)
            elif name == "columns" and type(items) is list:
                names = [item for item in items if isinstance(item, str)]
                bad[name,] = _bad_names(names, self._fields)
        return {place: names for place, names in bad.items() if names}

    def _bad_names(self, pairs: _Pairs, owners: Mapping[str, str]) -> list[BadName]:
        return _bad_names([name for name, _ in pairs], owners)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its keys, the repeated ones included."""


def _bad_names(names: Sequence[str], owners: Mapping[str, str]) -> list[BadName]:
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
        (owner, "missing") for owner in dict.fromkeys(owners.values()) if owner not in seen
    ]
    return [*missing, *bad.items()]


def _is_table(body: bytes) -> bool:
    with suppress(ValueError):
        document = from_json(body)
        if isinstance(document, dict) and document.keys().isdisjoint(BATCH):
            return not document.keys().isdisjoint(TABLE)
    return False


def _misshapen(names: list[Any], rows: list[Any]) -> Iterator[ErrorDetails]:
    """Yield the names of columns that are no texts, and the rows that do not fit them."""
    for number, name in enumerate(names):
        if not isinstance(name, str):
            yield _error("string_type", ("columns", number), name)
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            yield _error("list_type", ("data", number), row)
        elif len(row) != len(names):
            yield _error("wrong_length", ("data", number), row)


def _error(kind: str, loc: tuple[str, int], found: Any) -> ErrorDetails:
    return {"type": kind, "loc": loc, "msg": "", "input": found}
