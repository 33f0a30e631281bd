"""Streams: rows that come as lines of CSV or NDJSON, and are answered as such lines."""

from __future__ import annotations

import csv
import json
import re
from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from io import StringIO
from typing import Any, TypeAlias

import msgspec
from pydantic_core import from_json

from model.arrays import Array
from model.classes import probability_names
from service.errors import InvalidInput
from service.faults import as_text, kept_names
from service.scoring import Scorer

Answer: TypeAlias = dict[str, Any]
"""The answer to a row; or the ``errors`` of one that has any. Either with its id."""

JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

TOLD = ("predicted_class", "label", "threshold", "model_version", "warnings", "errors")
"""What a row of CSV says after its probability."""

encoder = msgspec.json.Encoder()


class Stream(ABC):
    """Rows of one body, answered block by block.

    Parameters
    ----------
    scorer : Scorer
        Answers the whole stream, whichever model is served meanwhile.

    Attributes
    ----------
    rows : int
        So many have been answered.
    """

    media_type: str

    def __init__(self, scorer: Scorer) -> None:
        self.rows = 0
        self._scorer = scorer
        self._kept = kept_names(scorer.predictor.artifact.features)

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
        return [own | row for own, row in zip(ids, self._scorer.rows(X), strict=True)]

    def other_answers(self, lines: Sequence[bytes]) -> list[Answer]:
        """Answer any lines, one by one."""
        return [self._answer(line) for line in lines]

    def _answer(self, line: bytes) -> Answer:
        number, self.rows = self.rows, self.rows + 1
        own, record = self._record(line)
        try:
            (row,) = self._scorer.rows(self._scorer.validator.line(record))
        except InvalidInput as refusal:
            told = [{**one, "loc": ["body", number, *one["loc"][1:]]} for one in refusal.faults]
            return own | {"errors": told}
        return own | row

    @abstractmethod
    def _plain(self, lines: Sequence[bytes]) -> tuple[Iterable[Answer], Array] | None:
        """Return ids and values of lines that are plainly good; None for any others."""

    @abstractmethod
    def _record(self, line: bytes) -> tuple[Answer, bytes]:
        """Return the id of a line, where there is one, and its record as JSON."""

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
        ids, X = read
        return [{} if own is msgspec.UNSET else {"id": own} for own in ids], X

    def _record(self, line: bytes) -> tuple[Answer, bytes]:
        with suppress(ValueError):
            document = from_json(line, allow_inf_nan=False)
            if isinstance(document, dict):
                return {name: document[name] for name in self._kept & document.keys()}, line
        return {}, line

    def written(self, answers: Iterable[Answer]) -> bytes:
        return encoder.encode_lines(answers)


class CsvStream(Stream):
    """Comma-separated values under a line of the columns' names.

    A number is written as in JSON. No value goes over more than one line.
    """

    media_type = "text/csv"

    def __init__(self, scorer: Scorer) -> None:
        super().__init__(scorer)
        artifact = scorer.predictor.artifact
        labels = artifact.labels
        by_name = artifact.features.by_accepted_name
        self._texts = {name for name, feature in by_name.items() if feature.named_only}
        self._names: list[str] = []
        self._told = [*self._kept, *probability_names(labels), *TOLD]

    def without_header(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """Take the names of the columns from the first line.

        Raises
        ------
        InvalidInput
            When they are not those of the model.
        """
        if self._names:
            return lines
        self._names = _cells(lines[0].removeprefix(BOM_UTF8))
        self._scorer.validator.check_columns(self._names)
        self._places_of_ids = [i for i, name in enumerate(self._names) if name in self._kept]
        self._columns = encoder.encode([name for name in self._names if name not in self._kept])
        return lines[1:]

    def _plain(self, lines: Sequence[bytes]) -> tuple[Iterable[Answer], Array] | None:
        # Where nothing is quoted, each comma ends a cell, and a row is an array of JSON.
        if any(b'"' in line for line in lines):
            return None
        rows = [line.split(b",") for line in lines]
        if any(len(row) != len(self._names) for row in rows):
            return None
        ids = [{self._names[i]: _text(row.pop(i)) for i in self._places_of_ids} for row in rows]
        arrays = b"],[".join([b",".join(row) for row in rows])
        X = self._scorer.decoder.table(b'{"columns":%b,"data":[[%b]]}' % (self._columns, arrays))
        return None if X is None or len(X) != len(lines) else (ids, X)

    def _record(self, line: bytes) -> tuple[Answer, bytes]:
        cells = dict(zip(self._names, [*_cells(line), *[""] * len(self._names)], strict=False))
        own = {name: cells.pop(name) for name in self._kept & cells.keys()}
        members = [
            f"{json.dumps(name)}:{_as_json(cell, is_text=name in self._texts)}"
            for name, cell in cells.items()
        ]
        if len(_cells(line)) > len(self._names):
            members.append('"":null')
        return own, f"{{{','.join(members)}}}".encode()

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
        # Of the place, the number of the row goes without saying.
        errors = [{**one, "loc": ["body", *one["loc"][2:]]} for one in answer.get("errors", ())]
        return flat | {"errors": " ".join(map(as_text, errors))}


STREAMS: Mapping[str, type[Stream]] = {
    stream.media_type: stream for stream in (NdjsonStream, CsvStream)
}


def _cells(line: bytes) -> list[str]:
    text = _text(line)
    try:
        return [cell.strip() for cells in csv.reader([text]) for cell in cells]
    except csv.Error:
        return [text]  # which is the value of no column


def _as_json(cell: str, *, is_text: bool) -> str:
    if JSON_NUMBER.fullmatch(cell) and not is_text:
        return cell
    return json.dumps(cell) if cell else "null"


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
