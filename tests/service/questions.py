"""Questions: request bodies in every form, and the check of their answers."""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any, Literal

from model.inference.predictor import Predictor
from model.schema.features import Feature
from tests.service import careful, hostile, hostile_lines
from tests.service.asking import Answer
from tests.service.careful import FORMS, ID, Form, Pairs, Row
from tests.service.samples import FEATURES, PROBLEM

MAX_LISTED = 100
"""A refusal lists the faults of the first so many bad rows."""

MAX_REPORTED = 1000
"""So many bad rows are reported; the answer ends before the next."""

MAX_BYTES = 30_000
"""Twice as many are within the limits of every form."""

MEDIA_TYPES: Mapping[Form, str] = {
    "record": "application/json",
    "batch": "application/json",
    "table": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
}
CODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}
LINES = ("ndjson", "csv")
IDS = [*3 * hostile_lines.GOOD_IDS, *hostile_lines.BAD_IDS]

Way = Literal["refuse", "report"]
RowAnswer = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A body that asks for predictions.

    Parameters
    ----------
    form : Form
        The form that it is sent as.
    body : bytes
        Its bytes before compression, valid or not.
    on_error : {"refuse", "report"}
        How bad rows are treated.
    coding : {"", "gzip", "deflate"}
        How it is compressed.
    """

    form: Form
    body: bytes
    on_error: Way = "refuse"
    coding: str = ""

    @property
    def path(self) -> str:
        query = "?on_error=report" if self.on_error == "report" else ""
        return "/predict" if self.form == "record" else f"/predict/batch{query}"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        kind = [(b"content-type", MEDIA_TYPES[self.form].encode())]
        return [*kind, *([(b"content-encoding", self.coding.encode())] if self.coding else [])]

    @property
    def sent(self) -> bytes:
        return CODINGS[self.coding](self.body)

    @property
    def is_lines(self) -> bool:
        return self.form in LINES

    @cached_property
    def rows(self) -> list[Row] | None:
        """The rows that the careful reader finds in the body."""
        return careful.rows_of(self.form, self.body)


def question(rng: Random, form: Form | None = None) -> Question:
    """Return a question; about half of those of each form are good as a whole."""
    form = form or rng.choices(FORMS, [40, 15, 10, 20, 20])[0]
    coding = rng.choices([*CODINGS], [8, 1, 1])[0]
    way: Way = "refuse" if form == "record" else rng.choice(["refuse", "report"])
    return Question(form, body(rng, form), way, coding)


def body(rng: Random, form: Form) -> bytes:
    if form in LINES:
        return hostile_lines.ndjson(rng) if form == "ndjson" else hostile_lines.csv(rng)
    text = {
        "record": lambda: hostile.record(rng, ids=IDS),
        "batch": lambda: hostile.batch(rng, IDS),
        "table": lambda: hostile.table(rng, IDS),
    }[form]()
    whole = text.encode("utf-8", "surrogatepass")[:MAX_BYTES]
    mangled = rng.choice(hostile.MANGLINGS)(rng, whole) if rng.random() < 0.25 else whole
    return mangled[: 2 * MAX_BYTES]


def check(asked: Question, answer: Answer, predictor: Predictor) -> int:
    """Compare an answer with what the careful reader expects; return how many rows it predicts."""
    rows = asked.rows
    bad = [number for number, row in enumerate(rows or ()) if row.numbers is None]
    if rows is None or (bad and asked.on_error == "refuse"):
        check_refusal(answer, 422)
        assert rows is None or _bad_places(answer) in ([], bad[:MAX_LISTED]), answer
        return 0
    assert answer.status == 200, answer
    assert answer.headers["content-type"].partition(";")[0] == MEDIA_TYPES[asked.form]
    given = row_answers(asked, answer)
    if len(bad) > MAX_REPORTED:
        rows = rows[: bad[MAX_REPORTED]]
        _check_faults(given.pop())  # which says that the answers end here
    assert len(given) == len(rows), answer
    good = [row.numbers for row in rows if row.numbers is not None]
    expected = predictor.predict_records(good).tolist() if good else []
    for row, one in zip(rows, given, strict=True):
        if row.numbers is None:
            _check_faults(one)
        else:
            _check_prediction(asked, row, one, expected.pop(0), predictor)
    return len(good)


def _check_faults(given: RowAnswer) -> None:
    assert given.get("probability") in (None, ""), given
    assert given["errors"], given
    assert not marks_in(_without_loc(given["errors"])), given


def _check_prediction(
    asked: Question, row: Row, given: RowAnswer, probability: float, predictor: Predictor
) -> None:
    number = int(probability > (predictor.threshold or 0))
    assert not given.get("errors"), given
    assert float(given["probability"]) == probability, given
    assert int(given["predicted_class"]) == number, given
    assert given["label"] == predictor.labels[number], given
    assert _warned(given["warnings"]) == careful.unseen(row.numbers or {}), given
    assert _missing(given["warnings"]) == careful.missing(row.numbers or {}), given
    assert given.get(ID) == _id_in(asked.form, row), given


def _warned(warnings: Any) -> list[str]:
    """Return the features with a warning; CSV has sentences, which begin with the name."""
    if isinstance(warnings, str):
        return re.findall(r"(\w+): (?:Outside|This code|The value) ", warnings)
    return [warning["loc"][-1] for warning in warnings]


def _missing(warnings: Any) -> list[str]:
    if isinstance(warnings, str):
        return re.findall(r"(\w+): The value is missing", warnings)
    return [warning["loc"][-1] for warning in warnings if warning["type"] == "missing_value"]


def _without_loc(errors: Any) -> str:
    return hostile.without_loc({"errors": errors}) if isinstance(errors, list) else str(errors)


def _id_in(form: Form, row: Row) -> str | None:
    """Return an id as an answer in this form has it."""
    if form == "csv":
        return str(json.loads(row.id)) if row.id else ""
    return row.id


def check_refusal(answer: Answer, status: int) -> None:
    assert (answer.status, answer.headers["content-type"]) == (status, PROBLEM), answer
    assert not marks_in(hostile.without_loc(json.loads(answer.body))), answer


def marks_in(text: str) -> list[str]:
    return [mark for mark in hostile.MARKS if mark in text]


def _bad_places(answer: Answer) -> list[int]:
    """Return the rows whose faults a refusal lists."""
    faults = json.loads(answer.body)["errors"]
    places = {part for fault in faults for part in fault["loc"][1:3] if isinstance(part, int)}
    return sorted(places)


def row_answers(asked: Question, answer: Answer) -> list[RowAnswer]:
    """Return the answer to each row: ids of NDJSON as they are written, cells of CSV as texts."""
    if asked.form == "csv":
        return _cells(answer.body)
    if asked.form == "ndjson":
        return [_members(line) for line in answer.body.decode().split("\n") if line]
    if asked.form == "record":
        return [_members(answer.body.decode())]
    document, kept = json.loads(answer.body), dict(careful.read_json(answer.body.decode()))
    if "predictions" in document:
        pairs = zip(document["predictions"], kept["predictions"], strict=True)
        return [row | _ids(own) for row, own in pairs]
    assert ("errors" in document) == (asked.on_error == "report"), answer
    return _table_rows(document, kept["data"])


def _table_rows(document: RowAnswer, kept: list[list[Any]]) -> list[RowAnswer]:
    names = document["columns"]
    rows = []
    for cells, written in zip(document["data"], kept, strict=True):
        own = _ids(Pairs(zip(names, written, strict=True)))
        row = {**dict(zip(names, cells, strict=True)), **own, "warnings": [], "errors": []}
        rows.append(row)
    for fault in document.get("errors", ()):
        rows[fault["loc"][2]]["errors"].append(fault)
    for warning in document["warnings"]:
        rows[warning["loc"][2]]["warnings"].append(warning)
    return rows


def _ids(given: Pairs) -> dict[str, str | None]:
    return {name: careful.id_of(value) for name, value in given if name == ID}


def _members(line: str) -> RowAnswer:
    """Return an answer of NDJSON; an id keeps its digits."""
    given = careful.read_json(line)
    assert isinstance(given, Pairs)
    own = _ids(given)
    return {**json.loads(line), **own}


def _cells(body: bytes) -> list[RowAnswer]:
    lines = body.decode().removesuffix("\n").split("\n")
    names, *rows = [careful.cells_of(line.encode()) or [] for line in lines]
    assert all(len(row) == len(names) for row in rows), body
    return [dict(zip(names, row, strict=True)) for row in rows]


def plainly(asked: Question) -> Question:
    """Return the good rows of a question under the features' own names, written alike."""
    rows = [row for row in asked.rows or () if row.numbers is not None]
    records: list[dict[str, str | float]] = [
        {**({ID: row.id} if row.id else {}), **_written(row.numbers or {})} for row in rows
    ]
    if asked.form == "csv":
        names = [*([ID] if rows and rows[0].id else []), *FEATURES.names]
        lines = [",".join(names)]
        lines += [",".join(_as_cell(record.get(name)) for name in names) for record in records]
        return replace(asked, body="\n".join(lines).encode())
    return replace(asked, body="\n".join(map(_as_object, records)).encode())


def as_record(row: Row) -> Question:
    """Return a good row as a record alone."""
    return Question("record", _as_object(_written(row.numbers or {})).encode())


def _written(numbers: Mapping[str, float]) -> dict[str, str | float]:
    """Return the numbers of a row, or names of codes as JSON where these alone are accepted."""
    return {
        feature.name: _written_value(feature, numbers[feature.name])
        for feature in FEATURES
        if numbers
    }


def _written_value(feature: Feature, number: float) -> str | float:
    if math.isnan(number):
        return "null"
    if feature.takes_names_only:
        return json.dumps(dict(feature.codes)[int(number)])
    return number


def _as_object(record: Mapping[str, str | float]) -> str:
    members = [f"{json.dumps(name)}:{value}" for name, value in record.items()]
    return f"{{{','.join(members)}}}"


def _as_cell(value: str | float | None) -> str:
    if value is None or value == "null":
        return ""
    if isinstance(value, str):
        return '"{}"'.format(json.loads(value).replace('"', '""'))
    return str(value)
