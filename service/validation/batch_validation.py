"""Validation of batches and tables, in steps that are short whatever the body is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from pydantic_core import SchemaValidator, ValidationError, core_schema, from_json

from model.arrays import Array
from model.schema.features import FeatureSet
from service.errors import ContentTooLarge
from service.faults import BATCH, TABLE, BadName, Faults, Loc, kept_names, not_json
from service.validation.fault_finder import FaultFinder
from service.validation.findings import Bad, BadRows, Findings
from service.validation.reports import Reports
from service.validation.rows import Records, Rows, TableRows, unfit
from service.wire.cutting import NAMES, Member, members
from service.wire.decoding import count
from service.wire.record_reader import Id, RecordReader
from service.wire.steps import Steps, finish

SPARE_MARKS = 1000
"""A batch may have twice the brackets and commas of the largest valid batch, and this many more.
Each array costs pydantic 270 bytes, even if it is not used: 8 MB of arrays cost a gigabyte."""

OPENINGS = 20
"""Maximum opening brackets for each record of the largest batch, besides the spare ones, for any
number of features: a record opens one."""

STEP_BYTES = 2**16
"""Bytes of rows that are checked in one step."""

STEP_ROWS = 64
"""So many rows are checked in one step, however short they are."""

LISTED_ROWS = 8
"""A row whose faults are listed counts as this many rows: finding all faults takes longer."""


ANY_OBJECT = SchemaValidator(core_schema.typed_dict_schema({}))
"""Parses a JSON object without making objects of Python of what it holds."""


class BatchRows(NamedTuple):
    """The rows of a batch that is answered.

    Parameters
    ----------
    X : Array of shape (n, n_features)
        Those without a fault.
    is_table : bool
        Whether they came in a table.
    ids : sequence of Id or None
        Of all rows, in their order; None in a table without a column of them.
    faults : mapping of int to list, optional
        Of each other row by its number, if they are reported in their places.
    reported : int
        So many rows are reported.
    """

    X: Array
    is_table: bool
    ids: Sequence[Id] | None
    faults: Mapping[int, Faults] | None = None
    reported: int = 0


class BatchValidator:
    """Checks batches and tables against a model's features, and finds the faults of a bad one.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.
    max_rows : int
        Most records in a batch.

    Notes
    -----
    The whole body is parsed once, without making Python objects of it, to see that it is JSON.
    Then it is cut into rows, and each row is checked by itself, as a record that is sent alone.
    All faults of the first bad rows are listed; the others are counted.
    """

    def __init__(self, features: FeatureSet, max_rows: int) -> None:
        self._features = features
        self._max_rows = max_rows
        self._max_marks = SPARE_MARKS + 2 * max_rows * (1 + len(features))
        self._max_openings = SPARE_MARKS + OPENINGS * max_rows
        self._reader = RecordReader(features)
        self._batch_faults = FaultFinder(features, BATCH, kept_names(features))
        self._table_faults = FaultFinder(features, TABLE, kept_names(features))

    def rows(self, body: bytes, max_bad_rows: int | None = None) -> Steps[BatchRows]:
        """Return the rows of a batch or table.

        Parameters
        ----------
        body : bytes
            The batch.
        max_bad_rows : int, optional
            So many rows with faults are reported. Without it the batch is rejected for one.

        Raises
        ------
        InvalidInput
            With every fault of the first bad records, unless they are reported.
        ContentTooLarge
            When there are more than `max_rows`, or far more values than they can have.
        """
        self._check_marks(body)
        yield
        self._check_document(body)
        yield
        return (yield from self._parts(body, max_bad_rows))

    def _check_marks(self, body: bytes) -> None:
        openings = count(body, ord("[")) + count(body, ord("{"))
        if openings > self._max_openings or openings + count(body, ord(",")) > self._max_marks:
            raise ContentTooLarge(
                f"The batch has more values than {self._max_rows} records can have; split it."
            )

    def _check_document(self, body: bytes) -> None:
        """Check that a body is a JSON object."""
        try:
            ANY_OBJECT.validate_json(body)
        except ValidationError as error:
            (found,) = error.errors(include_url=False, include_context=False, include_input=False)
        else:
            return
        if found["type"] == "json_invalid":
            raise not_json(found["msg"])
        findings = Findings(
            self._batch_faults, {(): ([unfit((), "not_an_object", body.strip())], [])}
        )
        finish(findings.add_wholes())
        raise findings.refusal()

    def _parts(self, body: bytes, most: int | None) -> Steps[BatchRows]:
        """Return the rows of a JSON object, and whether they are those of a table."""
        as_batch, as_table = self._batch_faults.parts(), self._table_faults.parts()

        def take_names(names: list[str]) -> None:
            as_batch.add(names)
            as_table.add(names)

        # Of a part that is given twice the last one counts, as for pydantic.
        found = yield from members(body, {*BATCH, *TABLE}, take_names)
        parts = {part.name: part for part in found}
        if parts.keys().isdisjoint(BATCH) and parts:
            return (yield from self._table(parts, as_table.bad(), most))
        return (yield from self._batch(parts, as_batch.bad(), most))

    def _batch(
        self, parts: Mapping[str, Member], outer: Sequence[BadName], most: int | None
    ) -> Steps[BatchRows]:
        instances = parts.get("instances")
        self._check_length(instances)
        _, names = yield from self._columns(parts.get("columns"))
        wholes = {(): ([], outer), ("columns",): ([], names), **_not_lists(instances)}
        rows = Records(instances, self._reader, self._batch_faults)
        findings = Findings(self._batch_faults, wholes)
        yield from findings.add_wholes()
        bad_rows = _bad_rows(findings, self._batch_faults, most)
        X, ids = yield from self._checked(rows, bad_rows)
        return _answerable(X, bad_rows, is_table=False, ids=ids)

    def _table(
        self, parts: Mapping[str, Member], outer: Sequence[BadName], most: int | None
    ) -> Steps[BatchRows]:
        columns, data = parts.get("columns"), parts.get("data")
        self._check_length(data)
        texts, names = yield from self._columns(columns)
        wholes = {(): ([], outer), ("columns",): ([], names), **_not_lists(columns, data)}
        findings = Findings(self._table_faults, wholes)
        yield from findings.add_wholes()
        if any(errors for errors, _ in wholes.values()):
            raise findings.refusal()
        yield from _add_heads(texts, findings)
        rows = TableRows(data, texts, self._features, self._table_faults)
        bad_rows = _bad_rows(findings, self._table_faults, most)
        X, ids = yield from self._checked(rows, bad_rows)
        return _answerable(X, bad_rows, is_table=True, ids=ids if rows.has_ids else None)

    def _columns(self, columns: Member | None) -> Steps[tuple[list[Any], Sequence[BadName]]]:
        """Return the names of a table's columns, and what is wrong with those that are texts."""
        if columns is None or not columns.is_list:
            return [], []
        check = self._batch_faults.fields()
        found: list[Any] = []
        for first in range(0, columns.n_items, NAMES):
            numbers = range(first, min(first + NAMES, columns.n_items))
            found += map(from_json, map(columns.item, numbers))
            check.add(name for name in found[first:] if isinstance(name, str))
            yield
        return found, check.bad()

    def _checked(self, rows: Rows, bad_rows: BadRows) -> Steps[tuple[Array, list[Id]]]:
        """Check rows one by one, in short steps."""
        good: list[Array] = []
        ids: list[Id] = []
        read: list[list[float]] = []
        effort = 0
        for number in range(len(rows)):
            text = rows.text(number)
            needed = max(len(text), STEP_BYTES // STEP_ROWS)
            if effort + needed > STEP_BYTES:
                if bad_rows.keeps_rows:
                    good.append(self._matrix(read))
                read, effort = [], 0
                yield
            effort += needed
            record = rows.record(text)
            if record is not None:
                own, row = record
                ids.append(own)
                read.append(row)
            elif bad_rows.is_full:
                ids.append(msgspec.UNSET)
                bad_rows.pass_over(rows.part, number)
                if bad_rows.is_cut_short:
                    break
            else:
                if needed > STEP_BYTES:
                    yield
                bad, own = yield from rows.bad(number, text)
                ids.append(own)
                yield from bad_rows.add_row(rows.part, number, bad)
                effort += (LISTED_ROWS - 1) * needed
        bad_rows.check()
        return _all_of(len(ids) - bad_rows.places, [*good, self._matrix(read)]), ids

    def _matrix(self, rows: Sequence[Sequence[float]]) -> Array:
        return np.array(rows, np.float64).reshape(-1, len(self._features))

    def _check_length(self, rows: Member | None) -> None:
        if rows and rows.n_items > self._max_rows:
            raise ContentTooLarge(
                f"A batch may contain at most {self._max_rows} records; split it."
            )


def _all_of(rows: int, parts: Sequence[Array]) -> Array:
    """Return the parts as one; a row that is neither read nor refused must not vanish."""
    X = np.concatenate(parts)
    if len(X) != rows:
        raise RuntimeError("a row that cannot be read has no fault")
    return X


def _bad_rows(findings: Findings, finder: FaultFinder, most: int | None) -> BadRows:
    """Return what collects bad rows: what is wrong outside of them cannot be reported in them."""
    return findings if most is None or findings else Reports(finder, most)


def _answerable(
    X: Array, bad_rows: BadRows, *, is_table: bool, ids: Sequence[Id] | None
) -> BatchRows:
    if isinstance(bad_rows, Reports):
        return BatchRows(X, is_table, ids, bad_rows.faults, bad_rows.rows)
    return BatchRows(X, is_table, ids)


def _add_heads(columns: list[Any], findings: Findings) -> Steps[None]:
    """Find the names of columns that are not texts."""
    for number, name in enumerate(columns):
        if not isinstance(name, str):
            text = b"null" if name is None else b""
            place = ("columns", number)
            yield from findings.add_row(*place, ([unfit(place, "unknown_field", text)], []))
        if number % NAMES == NAMES - 1:
            yield


def _not_lists(*parts: Member | None) -> dict[Loc, Bad]:
    """Return the errors of parts that are not arrays."""
    return {
        (part.name,): ([unfit((part.name,), "not_a_list", part.text)], [])
        for part in parts
        if part and not part.is_list
    }
