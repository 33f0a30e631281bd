"""Scoring: the bytes of a request in, the bytes of the answer out."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from model.inference.predictor import Predictor
from service.errors import InvalidInput
from service.faults import Faults
from service.inference.outcome import Outcome, Outcomes, RowOutcome
from service.protocols.native.answers import Answers
from service.protocols.native.misplaced import as_batch, as_record
from service.validation.batch_validation import BatchRows, BatchValidator
from service.validation.record_validation import Validator
from service.wire.decoding import Decoder
from service.wire.record_reader import RecordReader
from service.wire.steps import Steps, finish

SHORT_BYTES = 2**19
"""A batch of no more is read and answered in one step: all of it takes about as long as one step of
a longer one, and each turn of the event loop costs."""


class Answered(NamedTuple):
    """The answer to a record, and what is counted once it is accepted."""

    body: bytes
    outcome: RowOutcome


class AnsweredBatch(NamedTuple):
    """The answer to a batch, and what is counted once it is accepted."""

    body: bytes
    outcome: Outcome
    rows: int
    """So many are answered, those with faults included."""
    faults: Faults
    """Those that are reported."""


class Scorer:
    """Reads requests, predicts, and writes the answers.

    Parameters
    ----------
    predictor : Predictor
        The model.
    max_rows : int
        Most records in a batch.

    Notes
    -----
    A valid request is read in one step; only where that fails are faults looked for, which takes
    many times as long.
    """

    def __init__(self, predictor: Predictor, max_rows: int) -> None:
        self._features = features = predictor.features
        self.predictor = predictor
        self.outcomes = Outcomes(predictor)
        self.answers = Answers(predictor)
        self.reader = RecordReader(features)
        self.decoder = Decoder(features, max_rows)
        self.validator = Validator(features)
        self._batch_validator = BatchValidator(features, max_rows)

    def predict(self, body: bytes) -> Answered:
        """Answer one record.

        Raises
        ------
        InvalidInput
            With every fault of the record.
        """
        answered = self.predict_valid(body)
        if answered is None:
            raise as_record(self.validator.refusal(body), body, self._features)
        return answered

    def predict_valid(self, body: bytes) -> Answered | None:
        """Answer one record; None where it has a fault."""
        row, own = self.reader.record(body), None
        if row is None:
            read = self.reader.line(body)
            if read is None:
                return None
            own, row = read
        outcome = self.outcomes.of_row(row)
        return Answered(self.answers.record(outcome, own), outcome)

    def predict_batch(self, body: bytes, max_bad_rows: int | None = None) -> AnsweredBatch:
        """Answer a batch of records or a table, each row as in a request of its own.

        Parameters
        ----------
        body : bytes
            The batch.
        max_bad_rows : int, optional
            So many rows with faults are reported in their places. Without it the batch is
            rejected for one.

        Raises
        ------
        InvalidInput
            With every fault of the first bad records, unless they are reported.
        ContentTooLarge
            When there are more than `max_rows`, or far more values than they can have.
        """
        return finish(self.batch(body, max_bad_rows))

    def predict_row_by_row(self, body: bytes, max_bad_rows: int | None = None) -> AnsweredBatch:
        """Do what `predict_batch` does, without an attempt to read all rows in one step."""
        return finish(self._row_by_row(body, max_bad_rows))

    def batch(self, body: bytes, max_bad_rows: int | None = None) -> Steps[AnsweredBatch]:
        """Do what `predict_batch` does, in steps of a few milliseconds."""
        is_short = len(body) <= SHORT_BYTES
        valid = self._batch(body)
        if valid is None:
            if not is_short:
                yield
            valid = self._table(body)
        if valid is None:
            yield
            return (yield from self._row_by_row(body, max_bad_rows))
        if max_bad_rows is not None:
            valid = valid._replace(faults={})
        if is_short:
            return finish(self._answered(valid))
        yield
        return (yield from self._answered(valid))

    def _batch(self, body: bytes) -> BatchRows | None:
        read = self.decoder.batch(body)
        return BatchRows(read[0], is_table=False, ids=read[1]) if read else None

    def _table(self, body: bytes) -> BatchRows | None:
        X = self.decoder.table(body)
        read = (X, None) if X is not None else self.decoder.table_with_ids(body)
        return BatchRows(read[0], is_table=True, ids=read[1]) if read else None

    def _row_by_row(self, body: bytes, max_bad_rows: int | None) -> Steps[AnsweredBatch]:
        try:
            rows = yield from self._batch_validator.rows(body, max_bad_rows)
        except InvalidInput as refusal:
            raise as_batch(refusal, body, self._features) from None
        yield
        return (yield from self._answered(rows))

    def _answered(self, rows: BatchRows) -> Steps[AnsweredBatch]:
        outcome = self.outcomes.of_rows(rows.X)
        yield
        if rows.is_table:
            body = self.answers.table(outcome, rows.ids, rows.faults)
        else:
            body = self.answers.batch(outcome, rows.ids or (), rows.faults or {})
        faults = [*chain.from_iterable((rows.faults or {}).values())]
        return AnsweredBatch(body, outcome, len(rows.X) + rows.reported, faults)
