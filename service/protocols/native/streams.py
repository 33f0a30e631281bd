"""Streams: rows that come as lines of CSV or NDJSON, and are answered as such lines."""

from __future__ import annotations

import csv
import json
import re
from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any, TypeAlias

import msgspec

from model.arrays import Array
from model.schema.classes import probability_names
from service.errors import InvalidInput
from service.faults import MAX_BAD_ROWS, Hints, as_text, bad_rows_detail, fault, kept_names
from service.protocols.native.scoring import Scored, Scorer
from service.wire.ids import ID, MAX_DIGITS, id_fault, id_of, is_id, is_text_id

Answer: TypeAlias = dict[str, Any]
"""The answer to a row; or the ``errors`` of one that has any. Either with its id."""

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

BLANKS = " \t"
"""What may stand around a value or a name of CSV: line ends and other white space may not."""

TOLD = ("predicted_class", "label", "threshold", "model_version", "warnings", "errors")
"""What a row of CSV says after its probability."""

MAX_REPORTED_FAULTS = 32
"""Of a row whose faults are reported, so many are listed."""

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
        So many have been answered.
    bad_rows : int
        So many of them have faults.
    is_cut_short : bool
        Whether a row with faults has come after the last that is reported.
    """

    media_type: str
    expected_id: str

    def __init__(self, scorer: Scorer, max_bad_rows: int | None = None) -> None:
        self.rows = self.bad_rows = 0
        self.is_cut_short = False
        self._max_bad_rows = max_bad_rows
        self._max_faults = None if max_bad_rows is None else MAX_REPORTED_FAULTS
        self._scorer = scorer
        self._takes_ids = ID in kept_names(scorer.predictor.artifact.features)
        self._hints = Hints()
        self._uncounted: list[Scored] = []

    def without_header(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Return lines without the one that is no row."""
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
        """Answer any lines, one by one, up to the last row with faults that is reported."""
        answers = []
        for line in lines:
            answer = self._answer(line)
            if "errors" in answer:
                if self.bad_rows == self._max_bad_rows:
                    self.is_cut_short = True
                    break
                self.bad_rows += 1
            answers.append(answer)
            self.rows += 1
        return answers

    def count(self, answers: Iterable[Answer]) -> None:
        """Count the rows and faults of answers that are about to be sent."""
        for scored in self._uncounted:
            self._scorer.count(scored)
        self._uncounted.clear()
        self._scorer.count_faults(one for row in answers for one in row.get("errors", ()))

    def refusal(self, answers: Iterable[Answer]) -> InvalidInput:
        """Return the exception that lists the faults of these rows, and count them."""
        faults = [one for row in answers for one in row["errors"]]
        self._scorer.count_faults(faults)
        return InvalidInput(bad_rows_detail(self.bad_rows), faults)

    def end(self, reason: str) -> Answer:
        """Return the last row of answers that end before the rows do."""
        return {"errors": [fault((self.rows,), reason, "cut_short")]}

    def _scored(self, X: Array) -> list[Answer]:
        answers, scored = self._scorer.rows(X)
        self._uncounted.append(scored)
        return answers

    def _answer(self, line: bytes) -> Answer:
        own, record = self._record(line)
        if self._max_bad_rows is None and self.bad_rows >= MAX_BAD_ROWS:
            # Refused with the batch, which lists no more faults: to find them all takes seconds.
            is_bad = own is None or self._scorer.validator.has_faults(record)
            return {"errors": []} if is_bad else {}
        faults: list[dict[str, Any]] = []
        try:
            X = self._scorer.validator.line(record, self._hints)
        except InvalidInput as refusal:
            faults += refusal.faults
        if own is None:
            faults.append(id_fault(self.expected_id))
        if not faults:
            return (own or {}) | self._scored(X)[0]
        if any(one["loc"][1:] == [ID] for one in faults):
            own = None  # not valid, or one of several
        numbered = [{**one, "loc": ["body", self.rows, *one["loc"][1:]]} for one in faults]
        return (own or {}) | {"errors": numbered[: self._max_faults]}

    @abstractmethod
    def _plain(self, lines: Sequence[bytes]) -> tuple[Iterable[Answer], Array] | None:
        """Return ids and values of lines that are plainly good; None for any others."""

    @abstractmethod
    def _record(self, line: bytes) -> tuple[Answer | None, bytes]:
        """Return the id of a line, None where it is not valid, and its record as JSON."""

    def header(self) -> bytes:
        """Return what the answers begin with."""
        return b""

    @abstractmethod
    def written(self, answers: Iterable[Answer]) -> bytes:
        """Return answers as lines."""


class NdjsonStream(Stream):
    """A JSON object a line."""

    media_type = "application/x-ndjson"
    expected_id = f"a string or a whole number of at most {MAX_DIGITS} digits"

    def _plain(self, lines: Sequence[bytes]) -> tuple[Iterable[Answer], Array] | None:
        read = self._scorer.decoder.lines(lines)
        if read is None:
            return None
        ids, X = read
        if not all(own is msgspec.UNSET or is_id(bytes(own)) for own in ids):
            return None
        return [{} if own is msgspec.UNSET else {ID: own} for own in ids], X

    def _record(self, line: bytes) -> tuple[Answer | None, bytes]:
        own = id_of(line) if self._takes_ids else msgspec.UNSET
        if isinstance(own, msgspec.UnsetType):
            return {}, line
        return None if own is None else {ID: msgspec.Raw(own)}, line

    def written(self, answers: Iterable[Answer]) -> bytes:
        return encoder.encode_lines(answers)


class CsvStream(Stream):
    """Comma-separated values under a line of the columns' names.

    A number is written as in JSON. No value goes over more than one line.
    """

    media_type = "text/csv"
    expected_id = "UTF-8 text without a carriage return"

    def __init__(self, scorer: Scorer, max_bad_rows: int | None = None) -> None:
        super().__init__(scorer, max_bad_rows)
        artifact = scorer.predictor.artifact
        labels = artifact.labels
        by_name = artifact.features.by_accepted_name
        self._texts = {name for name, feature in by_name.items() if feature.named_only}
        self._names: list[str] = []
        self._place_of_id: int | None = None
        ids = [ID] if self._takes_ids else []
        self._told = [*ids, *probability_names(labels), *TOLD]

    def without_header(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Take the names of the columns from the first line.

        Raises
        ------
        InvalidInput
            When they are not those of the model.
        """
        if self._names:
            return lines
        text = lines[0].removeprefix(BOM_UTF8).decode("utf-8", "replace")
        names = [name.strip(BLANKS) for name in _cells(text) or [text]]
        self._scorer.validator.check_columns(names)
        if self._takes_ids and ID in names:
            self._place_of_id = names.index(ID)
        self._names = names
        self._columns = [name for place, name in enumerate(names) if place != self._place_of_id]
        return lines[1:]

    def _plain(self, lines: Sequence[bytes]) -> tuple[Iterable[Answer], Array] | None:
        if not all(map(_is_plain, lines)):
            return None
        rows = [line.split(b",") for line in lines]
        if any(len(row) != len(self._names) for row in rows):
            return None
        ids: list[Answer] = [{}] * len(rows)
        if self._place_of_id is not None:
            try:
                ids = [{ID: row.pop(self._place_of_id).decode()} for row in rows]
            except UnicodeDecodeError:
                return None
        X = self._scorer.decoder.cells(self._columns, rows)
        return None if X is None else (ids, X)

    def _record(self, line: bytes) -> tuple[Answer | None, bytes]:
        # A byte that is not UTF-8 becomes a surrogate, which valid UTF-8 never does.
        text = line.decode("utf-8", "surrogateescape")
        cells = _cells(text)
        own: Answer | None = {}
        if cells is None:
            cells = [text]  # which is the value of no column
        else:
            own = self._id(cells)
        if self._place_of_id is not None:
            del cells[self._place_of_id : self._place_of_id + 1]
        padded = [*cells, *[""] * len(self._columns)]
        members = [
            f"{json.dumps(name)}:{_as_json(cell.strip(BLANKS), is_text=name in self._texts)}"
            for name, cell in zip(self._columns, padded, strict=False)
        ]
        if len(cells) > len(self._columns):
            members.append('"":null')
        return own, f"{{{','.join(members)}}}".encode()

    def _id(self, cells: Sequence[str]) -> Answer | None:
        if self._place_of_id is None:
            return {}
        if self._place_of_id >= len(cells):
            return None
        own = cells[self._place_of_id]
        return {ID: own} if is_text_id(own) else None

    def header(self) -> bytes:
        return self._lines([dict(zip(self._told, self._told, strict=True))])

    def written(self, answers: Iterable[Answer]) -> bytes:
        return self._lines(map(self._flat, answers))

    def _lines(self, rows: Iterable[Answer]) -> bytes:
        text = StringIO()
        csv.DictWriter(text, self._told, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()

    def _flat(self, answer: Answer) -> Answer:
        """Return an answer as cells."""
        flat = {**answer}
        for label, probability in flat.pop("probabilities", {}).items():
            flat[f"probability_{label}"] = probability
        flat["warnings"] = " ".join(map(as_text, answer.get("warnings", ())))
        return flat | {"errors": " ".join(map(_error_text, answer.get("errors", ())))}


STREAMS: Mapping[str, type[Stream]] = {
    stream.media_type: stream for stream in (NdjsonStream, CsvStream)
}


def _is_plain(line: bytes) -> bool:
    """Return whether each comma of a line ends a cell, and no cell is too long for `_cells`."""
    return b'"' not in line and b"\r" not in line and len(line) <= csv.field_size_limit()


def _error_text(error: Mapping[str, Any]) -> str:
    """Return a fault as a sentence, without the number of its row."""
    text = as_text({**error, "loc": ["body", *error["loc"][2:]]})
    return text if error["loc"][2:] else f"{text} ({error['type']})"


def _cells(text: str) -> list[str] | None:
    """Return the cells of a line as they stand there; None where it is not CSV."""
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        return None


def _as_json(cell: str, *, is_text: bool) -> str:
    if JSON_NUMBER.fullmatch(cell) and not is_text:
        return cell
    text = cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return json.dumps(text) if text else "null"
