"""Streams: rows that come as lines of CSV or NDJSON, and are answered as such lines."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any, TypeAlias

import msgspec
import numpy as np

from model.arrays import Array
from model.schema.classes import probability_names
from service.errors import InvalidInput
from service.faults import (
    MAX_BAD_ROWS,
    MAX_REPORTED_FAULTS,
    PARTS,
    as_text,
    bad_rows_detail,
    fault,
    kept_names,
    missing_warning,
    unseen_warning,
    value_fault,
)
from service.inference.outcome import Outcome
from service.protocols.native.scoring import Scorer
from service.validation.fault_finder import Hints
from service.wire.csv_cells import BLANKS, as_cell, cells_of, rows_of
from service.wire.ids import EXPECTED_TEXT, ID, id_fault, id_of, is_text

Answer: TypeAlias = dict[str, Any]
"""The result of a row, or its ``errors`` if it has any; either with its id."""

SHARED_COLUMNS = ("predicted_class", "label", "threshold", "model_version", "warnings", "errors")
"""Columns of a row of CSV after its probabilities; the last two are lists."""

encoder = msgspec.json.Encoder()


class Stream(ABC):
    """Rows of one body, answered block by block.

    Parameters
    ----------
    scorer : Scorer
        Answers the whole stream, whichever model is served meanwhile.
    max_bad_rows : int, optional
        So many rows with faults are reported. Without it the batch is refused for one, and the
        first `MAX_BAD_ROWS` are answered with all their faults.

    Attributes
    ----------
    rows : int
        So many have been read.
    answered : int
        The answers to so many have been accepted.
    bad_rows : int
        So many of them have faults.
    is_cut_short : bool
        Whether a row with faults has come after the last that is reported.
    """

    media_type: str

    def __init__(self, scorer: Scorer, max_bad_rows: int | None = None) -> None:
        self.rows = self.bad_rows = self.answered = 0
        self.is_cut_short = False
        self._max_bad_rows = max_bad_rows
        self._max_faults = None if max_bad_rows is None else MAX_REPORTED_FAULTS
        self._scorer = scorer
        self._features = scorer.predictor.features
        self._takes_ids = ID in kept_names(self._features)
        self._hints = Hints()
        self._uncounted: list[Outcome] = []

    def without_header(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Return lines without the header."""
        return lines

    def plain_answers(self, lines: Sequence[bytes]) -> list[Answer] | None:
        """Answer lines that are plainly good; None for any others."""
        plain = self._plain(lines)
        if plain is None:
            return None
        ids, X = plain
        self.rows += len(lines)
        return [own | row for own, row in zip(ids, self._scored(X), strict=True)]

    def other_answers(self, lines: Sequence[bytes]) -> list[Answer]:
        """Answer any lines, up to the last row with faults that is reported."""
        answers: list[Answer] = []
        good: list[list[float]] = []
        for line in lines:
            read = self._read(line)
            if read is None:
                if self.bad_rows == self._max_bad_rows:
                    self.is_cut_short = True
                    break
                answers.append(self._reported(line))
                self.bad_rows += 1
            else:
                own, row = read
                answers.append(own)
                good.append(row)
            self.rows += 1
        return self._with_predictions(answers, good)

    def _with_predictions(self, answers: list[Answer], rows: list[list[float]]) -> list[Answer]:
        """Return answers, those without errors with the predictions for some rows."""
        X = np.array(rows, np.float64).reshape(len(rows), len(self._features))
        predicted = iter(self._scored(X) if rows else ())
        return [one if "errors" in one else one | next(predicted) for one in answers]

    def _reported(self, line: bytes) -> Answer:
        """Return the faults of a line, as far as they are listed, with its id if that is valid."""
        if self._max_bad_rows is None and self.bad_rows >= MAX_BAD_ROWS:
            # Refused with the batch, which lists no more faults: to find them all takes seconds.
            return {"errors": []}
        own, faults = self._searched(line)
        if any(one["loc"][1:] == [ID] for one in faults):
            own = {}  # not valid, or one of several
        numbered = [{**one, "loc": ["body", self.rows, *one["loc"][1:]]} for one in faults]
        return own | {"errors": numbered[: self._max_faults]}

    def uncounted(self) -> list[Outcome]:
        """Return the outcomes of the rows that were answered since this was last asked."""
        outcomes, self._uncounted = self._uncounted, []
        return outcomes

    def refusal(self, answers: Iterable[Answer]) -> InvalidInput:
        """Return the exception that lists the faults of these rows."""
        return InvalidInput(bad_rows_detail(self.bad_rows), faults_of(answers))

    def end(self, reason: str) -> Answer:
        """Return the last row of answers that end before the rows do."""
        return {"errors": [fault((self.rows,), reason, "cut_short")]}

    def _scored(self, X: Array) -> list[Answer]:
        outcome = self._scorer.outcomes.of_rows(X)
        self._uncounted.append(outcome)
        return self._scorer.answers.rows(outcome)

    @abstractmethod
    def _plain(self, lines: Sequence[bytes]) -> tuple[Iterable[Answer], Array] | None:
        """Return ids and values of lines that use the same names and have no fault."""

    @abstractmethod
    def _read(self, line: bytes) -> tuple[Answer, list[float]] | None:
        """Return the id and the values of a line; None where it has a fault."""

    @abstractmethod
    def _searched(self, line: bytes) -> tuple[Answer, list[dict[str, Any]]]:
        """Return the id of a line, if it is valid, and all faults."""

    def header(self) -> bytes:
        """Return what the answers begin with."""
        return b""

    @abstractmethod
    def written(self, answers: Iterable[Answer]) -> bytes:
        """Return answers as lines."""


class NdjsonStream(Stream):
    """A JSON object a line."""

    media_type = "application/x-ndjson"

    def _plain(self, lines: Sequence[bytes]) -> tuple[Iterable[Answer], Array] | None:
        read = self._scorer.decoder.lines(lines)
        if read is None:
            return None
        X, ids = read
        return [{} if own is msgspec.UNSET else {ID: own} for own in ids], X

    def _read(self, line: bytes) -> tuple[Answer, list[float]] | None:
        read = self._scorer.reader.line(line)
        if read is None:
            return None
        own, row = read
        return ({} if isinstance(own, msgspec.UnsetType) else {ID: own}), row

    def _searched(self, line: bytes) -> tuple[Answer, list[dict[str, Any]]]:
        faults = self._scorer.validator.refusal(line, self._hints).faults
        own = id_of(line) if self._takes_ids else None
        return {ID: msgspec.Raw(own)} if isinstance(own, bytes) else {}, faults

    def written(self, answers: Iterable[Answer]) -> bytes:
        return encoder.encode_lines(answers)


UNREADABLE = object()
"""Replaces a cell that is not UTF-8; no column accepts it."""


class CsvStream(Stream):
    """Comma-separated values under a line of the columns' names.

    A number is written as in JSON. No value goes over more than one line.
    """

    media_type = "text/csv"

    def __init__(self, scorer: Scorer, max_bad_rows: int | None = None) -> None:
        super().__init__(scorer, max_bad_rows)
        labels = scorer.predictor.labels
        self._names: list[str] = []
        self._place_of_id: int | None = None
        self._warnings = {
            (warning["loc"][-1], warning["type"]): as_text(warning)
            for describe in (unseen_warning, missing_warning)
            for warning in map(describe, self._features)
        }
        ids = [ID] if self._takes_ids else []
        self._header = [*ids, *probability_names(labels), *SHARED_COLUMNS]

    def without_header(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Take the names of the columns from the first line.

        Raises
        ------
        InvalidInput
            When they are not those of the model.
        """
        if self._names:
            return lines
        text = lines[0].decode("utf-8", "replace")
        names = [name.strip(BLANKS) for name in cells_of(text) or [text]]
        self._scorer.validator.check_columns(names)
        if self._takes_ids and ID in names:
            self._place_of_id = names.index(ID)
        self._names = names
        self._columns = [name for place, name in enumerate(names) if place != self._place_of_id]
        self._rules = [self._features.by_accepted_name[name].rule for name in self._columns]
        return lines[1:]

    def _plain(self, lines: Sequence[bytes]) -> tuple[Iterable[Answer], Array] | None:
        rows = rows_of(lines, len(self._names))
        if rows is None:
            return None
        ids: list[Answer] = [{}] * len(rows)
        if self._place_of_id is not None:
            own = [row.pop(self._place_of_id) for row in rows]
            if not all(map(is_text, own)):
                return None
            ids = [{ID: text} for text in own]
        X = self._scorer.decoder.cells(self._columns, rows)
        return None if X is None else (ids, X)

    def _read(self, line: bytes) -> tuple[Answer, list[float]] | None:
        rows = rows_of([line], len(self._names))
        own = self._id(rows[0]) if rows else None
        if rows is None or own is None:
            return None
        cells = map(as_cell, self._without_id(rows[0]), self._rules)
        row = self._features.rules.row(dict(zip(self._columns, cells, strict=True)))
        return None if row is None else (own, row)

    def _searched(self, line: bytes) -> tuple[Answer, list[dict[str, Any]]]:
        # A byte that is not UTF-8 becomes a surrogate, which valid UTF-8 never does.
        text = line.decode("utf-8", "surrogateescape")
        cells = cells_of(text)
        own = {} if cells is None else self._id(cells)
        if cells is not None and len(cells) != len(self._names):
            return own or {}, [value_fault((), PARTS["data"], "wrong_length")]
        # Where it is not CSV, the line is the value of no column.
        values = [text] if cells is None else self._without_id(cells)
        padded = [*values, *[""] * len(self._columns)]
        given = zip(self._columns, padded, self._rules, strict=False)
        record: dict[str, object] = {
            name: as_cell(cell, rule) if is_text(cell) else UNREADABLE for name, cell, rule in given
        }
        if cells is None:
            record[self._columns[0]] = UNREADABLE
        faults = self._scorer.validator.cell_faults(record)
        if own is None:
            faults.append(id_fault(EXPECTED_TEXT))
        return own or {}, faults

    def _without_id(self, cells: list[str]) -> list[str]:
        if self._place_of_id is None:
            return cells
        return [*cells[: self._place_of_id], *cells[self._place_of_id + 1 :]]

    def _id(self, cells: Sequence[str]) -> Answer | None:
        if self._place_of_id is None:
            return {}
        if self._place_of_id >= len(cells):
            return None
        own = cells[self._place_of_id]
        return {ID: own} if is_text(own) else None

    def header(self) -> bytes:
        return _lines([self._header])

    def written(self, answers: Iterable[Answer]) -> bytes:
        return _lines(map(self._cells, answers))

    def _cells(self, answer: Answer) -> list[object]:
        """Return what an answer says in each column."""
        flat = answer
        if "probabilities" in answer:
            by_name = {f"probability_{k}": value for k, value in answer["probabilities"].items()}
            flat = answer | by_name
        *others, _, _ = map(flat.get, self._header)
        warnings = [
            self._warnings[warning["loc"][-1], warning["type"]]
            for warning in answer.get("warnings", ())
        ]
        errors = map(_error_text, answer.get("errors", ()))
        return [*others, " ".join(warnings), " ".join(errors)]


STREAMS: Mapping[str, type[Stream]] = {
    stream.media_type: stream for stream in (NdjsonStream, CsvStream)
}


def faults_of(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Return the faults that the answers to rows list."""
    return [one for row in answers for one in row.get("errors", ())]


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _error_text(error: Mapping[str, Any]) -> str:
    """Return a fault as a sentence, without the number of its row."""
    text = as_text({**error, "loc": ["body", *error["loc"][2:]]})
    return text if error["loc"][2:] else f"{text} ({error['type']})"
