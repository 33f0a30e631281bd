"""Validation: what is wrong with a record, or the numbers in one that is good after all."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from model.arrays import Array
from model.schema.features import FeatureSet
from service.errors import InvalidInput
from service.faults import FaultFinder, Hints, kept_names
from service.observability.metrics.predicted_rows import PredictionMeter
from service.wire.schemas import Record, record_type


class Validator:
    """Checks records against the features of a model, and finds every fault of a bad one.

    Parameters
    ----------
    features : FeatureSet
        The fields of a record.

    Notes
    -----
    pydantic checks the values; it passes over unknown fields and takes the last of repeated ones.
    But no known name and no valid value holds a colon: where every field is given, and there are
    as many colons as fields, no name stands there that does not belong, and none twice.
    """

    def __init__(self, features: FeatureSet) -> None:
        self._features = features
        self._meter: PredictionMeter | None = None
        self._record: TypeAdapter[Record] = TypeAdapter(record_type(features))
        self._record_faults = FaultFinder(features, {})
        kept = kept_names(features)
        self._line: TypeAdapter[Record] = TypeAdapter(record_type(features, kept))
        self._line_faults = FaultFinder(features, {}, kept)

    def counting(self, meter: PredictionMeter | None) -> Validator:
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

    def line(self, body: bytes, hints: Hints | None = None) -> Array:
        """Return the values of a record that may have an id, of shape (1, n_features).

        Faults are not counted: other rows of the same request decide what it is answered.

        Raises
        ------
        InvalidInput
            With every fault of the record.
        """
        try:
            record = self._line.validate_json(body)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
            raise self._line_faults.refusal(errors, body, hints) from None
        X = self._matrix([record])
        # An id may hold colons, so that names are looked at wherever there is one.
        if X is None or body.count(b":") != X.size:
            refusal = self._line_faults.refusal([], body, hints)
            if X is None or refusal.faults:
                raise refusal
        return X

    def has_faults(self, body: bytes) -> bool:
        """Return whether `line` refuses a record, without a list of what is wrong with it."""
        try:
            X = self._matrix([self._line.validate_json(body)])
        except ValidationError:
            return True
        if X is None or body.count(b":") == X.size:
            return X is None
        return bool(self._line_faults.refusal([], body).faults)

    def check_columns(self, names: Sequence[str]) -> None:
        """Check the names of the columns that lines have.

        Raises
        ------
        InvalidInput
            When they are not those of the fields of a record, each once.
        """
        if faults := self._line_faults.name_faults(names):
            raise self._counted(InvalidInput("The first line does not name the columns.", faults))

    def _validated(self, adapter: TypeAdapter[Record], body: bytes, faults: FaultFinder) -> Record:
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
        raise self._refusal(faults, errors, body)

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
