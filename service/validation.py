"""Validation: what is wrong with a request, or the numbers in one that is good after all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from model.arrays import Array
from model.features import FeatureSet
from service.errors import ContentTooLarge, InvalidInput
from service.faults import BATCH, TABLE, FaultFinder, kept_names
from service.metrics.predictions import PredictionMeter
from service.schemas import Batch, Record, Table, batch_type, record_type, table_type

T = TypeVar("T")

SPARE_MARKS = 1000
"""A batch may have twice as many brackets and commas as one of most records has, and so many more.
Each array costs pydantic 270 bytes, even where nothing asks for it: 8 MB of them a gigabyte."""

OPENINGS = 20
"""So many times the most records, and the spare ones, may brackets be opened, however many features
a model has: a record opens one."""


class Validator:
    """Checks requests against the features of a model, and finds every fault of a bad one.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.
    max_rows : int
        Most records in a batch.

    Notes
    -----
    pydantic checks the values; it passes over unknown fields and takes the last of repeated ones.
    But no known name and no valid value holds a colon: where every field is given, and there are
    as many colons as fields, no name stands there that does not belong, and none twice.
    """

    def __init__(self, features: FeatureSet, max_rows: int) -> None:
        record = record_type(features)
        self._features = features
        self._max_rows = max_rows
        self._max_marks = SPARE_MARKS + 2 * max_rows * (1 + len(features))
        self._max_openings = SPARE_MARKS + OPENINGS * max_rows
        self._meter: PredictionMeter | None = None
        self._record: TypeAdapter[Record] = TypeAdapter(record)
        self._record_faults = FaultFinder(features, {})
        kept = kept_names(features)
        self._line: TypeAdapter[Record] = TypeAdapter(record_type(features, kept))
        self._line_faults = FaultFinder(features, {}, kept)
        self._batch: TypeAdapter[Batch] = TypeAdapter(batch_type(record, max_rows))
        self._batch_faults = FaultFinder(features, BATCH)
        self._table: TypeAdapter[Table] = TypeAdapter(table_type(record, max_rows))
        self._table_faults = FaultFinder(features, TABLE)

    def counting(self, meter: PredictionMeter) -> Validator:
        """Return the same with a meter that counts the faults."""
        validator = copy(self)
        validator._meter = meter
        return validator

    def record(self, body: bytes) -> Array:
        """Return the values of a record, of shape (1, n_features).

        Raises
        ------
        InvalidInput
            With every fault of the record.
        """
        record = self._validated(self._record, body, self._record_faults)
        X = self._matrix([record])
        if X is None or body.count(b":") != X.size:
            raise self._refusal(self._record_faults, [], body)
        return X

    def line(self, body: bytes) -> Array:
        """Return the values of a record that may have an id, of shape (1, n_features).

        Raises
        ------
        InvalidInput
            With every fault of the record.
        """
        X = self._matrix([self._validated(self._line, body, self._line_faults)])
        # An id may hold colons, so that names are looked at wherever there is one.
        if X is None or body.count(b":") != X.size:
            refusal = self._line_faults.refusal([], body)
            if X is None or refusal.faults:
                raise self._counted(refusal)
        return X

    def check_columns(self, names: Sequence[str]) -> None:
        """Check the names of the columns that lines have.

        Raises
        ------
        InvalidInput
            When they are not those of the fields of a record, each once.
        """
        if faults := self._line_faults.name_faults(names):
            raise self._counted(InvalidInput("The first line does not name the columns.", faults))

    def batch(self, body: bytes) -> Array:
        """Return the values of a batch, of shape (n, n_features).

        Raises
        ------
        InvalidInput
            With every fault of the first bad records.
        ContentTooLarge
            When there are more than `max_rows`.
        """
        records = self._validated(self._batch, body, self._batch_faults).get("instances")
        X = None if records is None else self._matrix(records)
        if X is None or body.count(b":") != len(BATCH) + X.size:
            raise self._refusal(self._batch_faults, [], body)
        return X

    def table(self, body: bytes) -> Array:
        """Return the values of a table, of shape (n, n_features).

        Raises
        ------
        InvalidInput, ContentTooLarge
            As for a batch.
        """
        table = self._validated(self._table, body, self._table_faults)
        names, rows = table.get("columns", []), table.get("data", [])
        records, errors = self._as_records(names, rows)
        if not errors and table.keys() == TABLE.keys() and self._table_faults.are_fields(names):
            X = self._matrix(records)
            if X is not None and body.count(b":") == len(TABLE):
                return X
        raise self._refusal(self._table_faults, errors, body)

    def is_table(self, body: bytes) -> bool:
        """Tell whether a body is meant to be a table, and not a batch.

        Raises
        ------
        ContentTooLarge
            When there are far more values in it than in `max_rows` records.
        """
        self._check_marks(body)
        with suppress(ValueError):
            document = from_json(body)
            if isinstance(document, dict) and document.keys().isdisjoint(BATCH):
                return not document.keys().isdisjoint(TABLE)
        return False

    def _check_marks(self, body: bytes) -> None:
        openings = body.count(b"[") + body.count(b"{")
        if openings > self._max_openings or openings + body.count(b",") > self._max_marks:
            raise ContentTooLarge(
                f"There are more values in it than in {self._max_rows} records; split the batch."
            )

    def _validated(self, adapter: TypeAdapter[T], body: bytes, faults: FaultFinder) -> T:
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
        if errors[0]["type"] == "too_long":
            raise ContentTooLarge(f"A batch holds at most {self._max_rows} records; split it.")
        raise self._refusal(faults, errors, body)

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
        self, faults: FaultFinder, errors: Sequence[ErrorDetails], body: bytes
    ) -> InvalidInput:
        return self._counted(faults.refusal(errors, body))

    def _counted(self, refusal: InvalidInput) -> InvalidInput:
        if self._meter:
            self._meter.refused(refusal.faults)
        return refusal


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
