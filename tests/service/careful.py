"""The careful reader: what the body of a request means, row by row, in each of its forms.

Tests compare the service with it. It shares no code with the service: it is written to be easy to
read, with the standard library's JSON parser.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple, TypeAlias

from model.schema.features import Feature
from tests.service.samples import FEATURES

Form: TypeAlias = Literal["record", "batch", "table", "ndjson", "csv"]

FORMS: tuple[Form, ...] = ("record", "batch", "table", "ndjson", "csv")

MARK = b"\xef\xbb\xbf"
"""What a body in UTF-8 may begin with."""

ID = "id"
MAX_DIGITS = 1000
"""A number with more is no id."""
MAX_DEPTH = 200
"""A body of JSON that is nested deeper is refused as a whole."""
MAX_READ_DIGITS = 4300
"""A body of JSON with a whole number of more is refused as a whole, not for its value alone."""
SURROGATE = re.compile("[\ud800-\udfff]")
JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Row(NamedTuple):
    """A row of a request.

    Parameters
    ----------
    numbers : dict or None
        The value of each feature; None for a row that must be refused.
    id : str or None
        Its id as JSON; a number has the digits that were sent.
    """

    numbers: dict[str, float] | None
    id: str | None = None


BAD = Row(None)


class Whole(str):
    """The digits of a whole number in JSON."""

    __slots__ = ()


class Fraction(str):
    """The digits of any other number in JSON."""

    __slots__ = ()


class Constant:
    """NaN or an infinity, which is no value, but does not hide the other rows of a batch."""

    def __init__(self, text: str) -> None:
        self.text = text


class Pairs(list[tuple[str, Any]]):
    """A JSON object that keeps repeated names."""


def rows_of(form: Form, body: bytes) -> list[Row] | None:
    """Return the rows of a body; None if the whole body must be refused."""
    if form == "csv":
        return _csv_rows(lines_of(body))
    if form == "ndjson":
        return [_row(_json(line), may_have_id=True) for line in lines_of(body)]
    document = _json(body.removeprefix(MARK))
    if document is not None and not (_depth(body.decode()) <= MAX_DEPTH and _is_read(document)):
        return None
    if form == "record":
        row = _row(document, may_have_id=True)
        return None if row is BAD else [row]
    return _batch_rows(document)


def unseen(numbers: Mapping[str, float]) -> list[str]:
    """Return the names of the features whose values need a warning."""
    return [feature.name for feature in FEATURES if not _has_seen(feature, numbers[feature.name])]


def missing(numbers: Mapping[str, float]) -> list[str]:
    """Return the names of the features whose values are missing."""
    return [name for name in FEATURES.names if numbers and math.isnan(numbers[name])]


def _has_seen(feature: Feature, value: float) -> bool:
    """Tell whether a value needs no warning."""
    if math.isnan(value):
        return False
    if feature.is_coded:
        return value in feature.observed
    return min(feature.observed) <= value <= max(feature.observed)


def lines_of(body: bytes) -> list[bytes]:
    """Return the lines of a body that are not blank, without their line ends."""
    lines = [line.rstrip(b"\r") for line in body.removeprefix(MARK).split(b"\n")]
    return [line for line in lines if line.strip()]


def refuse(_: str) -> None:
    raise ValueError("no JSON")


def read_json(text: str, constant: Callable[[str], object] = refuse) -> Any:
    """Read JSON, its numbers as digits, its objects as pairs, and NaN or infinities as they may be.

    Raises
    ------
    ValueError, RecursionError
        When it is not JSON, or nested too deep.
    """
    return json.loads(
        text,
        object_pairs_hook=Pairs,
        parse_int=Whole,
        parse_float=Fraction,
        parse_constant=constant,
    )


def id_of(value: Any) -> str | None:
    """Return an id as JSON; None if the value is not a valid id."""
    if isinstance(value, Whole):
        return str(value) if len(value.lstrip("-")) <= MAX_DIGITS else None
    if type(value) is str and not SURROGATE.search(value):
        return json.dumps(value)
    return None


def cells_of(line: bytes) -> list[str] | None:
    """Return the cells of a line of CSV; None where its quotes or its bytes are wrong."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    cells = []
    while True:
        cell, text = _cell(text)
        if cell is None or text[:1] not in ("", ","):
            return None
        cells.append(cell)
        if not text:
            return cells
        text = text[1:]


def _json(body: bytes) -> Any:
    """Return the document, or None, which is valid nowhere, if it is not JSON."""
    try:
        return read_json(body.decode(), Constant)
    except (ValueError, RecursionError):
        return None


def _depth(text: str) -> int:
    """Return how deep a document is nested."""
    marks = JSON_STRING.sub("", text)
    return max(accumulate((mark in "[{") - (mark in "]}") for mark in marks), default=0)


def _is_read(value: Any) -> bool:
    """Return whether a document has no text and no number for which all of it is refused."""
    if isinstance(value, Pairs):
        return all(_is_read(name) and _is_read(member) for name, member in value)
    if isinstance(value, list):
        return all(map(_is_read, value))
    if isinstance(value, Whole):
        return len(value.lstrip("-")) <= MAX_READ_DIGITS
    return not isinstance(value, str) or not SURROGATE.search(value)


def _batch_rows(document: Any) -> list[Row] | None:
    """Return the rows of a list of records, or of a table."""
    if not isinstance(document, Pairs):
        return None
    names = [name for name, _ in document]
    parts = dict(document)
    if any(type(part) is not list for part in parts.values()):
        return None
    if names == ["instances"]:
        return [_row(record, may_have_id=True) for record in parts["instances"]]
    if sorted(names) != ["columns", "data"]:
        return None
    columns = parts["columns"]
    if not all(type(name) is str for name in columns) or columns.count(ID) > 1:
        return None
    if not _are_names([name for name in columns if name != ID]):
        return None
    return [_table_row(columns, row) for row in parts["data"]]


def _table_row(columns: Sequence[str], row: Any) -> Row:
    if type(row) is not list or len(row) != len(columns):
        return BAD
    return _row(Pairs(zip(columns, row, strict=True)), may_have_id=True)


def _csv_rows(lines: Sequence[bytes]) -> list[Row] | None:
    header = cells_of(lines[0]) if lines else None
    names = [name.strip(" \t") for name in header or []]
    if not _are_names([name for name in names if name != ID]) or names.count(ID) > 1:
        return None
    return [_csv_row(names, cells_of(line)) for line in lines[1:]]


def _csv_row(names: Sequence[str], cells: Sequence[str] | None) -> Row:
    if cells is None or len(cells) != len(names):
        return BAD
    known = FEATURES.by_accepted_name
    pairs = [
        (name, cell if name == ID else _csv_value(known[name], cell))
        for name, cell in zip(names, cells, strict=True)
    ]
    return _row(Pairs(pairs), may_have_id=True)


def _csv_value(feature: Feature, cell: str) -> Any:
    """Return what a cell is in JSON, where all texts have quotes."""
    text = cell.strip(" \t")
    if not text:
        return None
    if JSON_NUMBER.fullmatch(text):
        is_text = _has_names_only(feature) and float(text) not in feature.missing_cells
        return text if is_text else Fraction(text)
    is_name = text in [name for _, name in feature.codes]
    if feature.is_boolean and text in ("true", "false") and not is_name:
        return text == "true"
    return text


def _has_names_only(feature: Feature) -> bool:
    return feature.named_only or feature.texts_only


def _cell(text: str) -> tuple[str | None, str]:
    """Return the cell that a text begins with, and what follows it; no cell has a line end."""
    if text[:1] != '"':
        cell, comma, rest = text.partition(",")
        return (None if "\r" in cell else cell), comma + rest
    quoted = re.match(r'"((?:[^"\r]|"")*)"(?!")', text)
    if not quoted:
        return None, ""
    return quoted[1].replace('""', '"'), text[quoted.end() :]


def _row(document: Any, *, may_have_id: bool = False) -> Row:
    if not isinstance(document, Pairs):
        return BAD
    ids = [value for name, value in document if name == ID] if may_have_id else []
    fields = [(name, value) for name, value in document if not may_have_id or name != ID]
    own = id_of(ids[0]) if ids else None
    if len(ids) > 1 or (ids and own is None) or not _are_names([name for name, _ in fields]):
        return BAD
    known = FEATURES.by_accepted_name
    numbers = {known[name].name: _number(known[name], value) for name, value in fields}
    good = {name: number for name, number in numbers.items() if number is not None}
    return Row(good if len(good) == len(numbers) else None, own)


def _are_names(names: Sequence[str]) -> bool:
    """Tell whether names are those of every feature, each once."""
    known = FEATURES.by_accepted_name
    return all(name in known for name in names) and sorted(
        known[name].name for name in names
    ) == sorted(FEATURES.names)


def _number(feature: Feature, value: Any) -> float | None:
    """Return the number of a value, NaN for a missing one; None where it must be refused."""
    if isinstance(value, Whole | Fraction):
        value = float(value)
    if value is None or (type(value) in (str, float) and value in feature.missing_cells):
        return math.nan if feature.missing == "indicator" else None
    if isinstance(value, bool):
        return float(value) if feature.is_boolean else None
    if isinstance(value, float):
        return value if feature.accepts(value) and not _has_names_only(feature) else None
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        return None
    codes = {name: float(code) for code, name in feature.codes}
    return codes.get(value, feature.other if feature.other is None else float(feature.other))
