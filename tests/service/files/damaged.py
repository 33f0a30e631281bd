"""Files of rows with random damage, and what each row of them means to a careful reader.

The reader here is written for itself, with the standard library, to hold the service to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from random import Random
from typing import Any

import polars as pl

from model.schema.features import Feature
from tests.service import careful, hostile
from tests.service.hostile import WORD
from tests.service.samples import FEATURES, as_object

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,999})")
LINE_END = re.compile("\r\n|\r|\n")
OTHER_FORMATS = (b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
BLANK = " \t\v\f"

IDS = [
    *("", "p1 ", " p1", "p1", "0.10", "1e400", "007", "null", "nan", "#1", "x\x01", "\x00", "\x1f"),
    *("a b", "\u00e4\u00f6", "\u2028", "\u0085", "\ufeffp", "a:b", "\\", "'", WORD * 30, "-0"),
]
JSON_IDS = [
    *("7", "-0", "12345678901234567890123", "9" * 1000, "9" * 1001, '"p1 "', '""', '"a\\u0062"'),
    *('"\\ud83d\\udc94"', '"\\ud800"', "0.10", "1e400", "1.0", "null", "true", "NaN", "01", "-"),
    *('"a:b"', '"\u00e4"', "[]", '{"id": 1}', "[" * 20_000 + "]" * 20_000, "1E2", '"\n"'),
    *('"a\\rb"', '"a\\nb"', '"a\\r\\n"', '"\\u0000"'),
]
PIECES = [
    *(b'"', b'"', b'"', b'""', b'"\n', b'\n"', b'","', b"\n", b"\n\n", b"\r", b"\r\n", b"\n\r"),
    *(b",", b",,", b" ", b"\t", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc3", b"\xe2\x80\xa8", b";"),
    *(b"\x1f\x8b", b"x\x01", b"#", b"\\", b"'", b"\x0b", b"\x0c", b"\x85", b"0", b"-", b"e", b"{"),
]
"""What is put into a file at any place."""


@dataclass
class Due:
    """What a file must become: an error as a whole, or each of its rows answered or rejected."""

    scored: list[tuple[int, Any, dict[str, float]]] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)


def csv_file(rng: Random) -> bytes:
    names = [*FEATURES.names]
    if rng.random() < 0.2:
        names = [rng.choice(feature.accepted_names) for feature in FEATURES]
    has_id = rng.random() < 0.7
    lines = []
    for _ in range(rng.choice([0, 1, 2, 3, 8, 30])):
        cells = [_cell(rng, feature) for feature in FEATURES]
        lines.append([rng.choice(IDS), *cells] if has_id else cells)
    rows = [["id", *names] if has_id else names, *lines]
    order = rng.sample(range(len(rows[0])), len(rows[0])) if rng.random() < 0.3 else None
    if order:
        rows = [[row[place] for place in order] for row in rows]
    quoted = rng.choice([0.0, 0.0, 0.05, 1.0])
    end = rng.choice(["\n", "\n", "\n", "\r\n", "\r"])
    text = "".join(
        ",".join(_quoted(cell) if rng.random() < quoted else cell for cell in row)
        + (
            end
            if rng.random() < 0.97
            else rng.choice(["\n", "\r", "\r\n", "\n\n", end + " \t" + end])
        )
        for row in rows
    )
    return _damaged(rng, text.encode(), after=len(",".join(rows[0])))


def _cell(rng: Random, feature: Feature) -> str:
    text = hostile.bare_value(rng, feature)
    if rng.random() < 0.004:
        text = rng.choice(
            ["", " ", f" {text}", f"{text} ", f"+{text}", f"0{text}", f"{text}e0", WORD]
        )
    if rng.random() < 0.001:
        text = rng.choice(["nan", "inf", "1_0", "-0", "0x1", "1e999", "1.", ".5", "+ 1", "\u0661"])
    return text


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _damaged(rng: Random, content: bytes, after: int = 0) -> bytes:
    """Put up to four defects into a file, most of them after its header."""
    if rng.random() < 0.1:
        content = b"\xef\xbb\xbf" + content
    if rng.random() < 0.3:
        content = content.rstrip(b"\r\n")
    for _ in range(rng.choice([0, 0, 1, 1, 2, 4])):
        first = 0 if rng.random() < 0.05 else min(after, len(content))
        place = rng.randint(first, len(content))
        kind = rng.random()
        if kind < 0.7:
            content = content[:place] + rng.choice(PIECES) + content[place:]
        elif kind < 0.8:
            content = content[:place]
        elif kind < 0.9:
            content = content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
        else:
            content = content[:place] + content[place + rng.randint(1, 20) :]
    return content


def lines_of(content: bytes) -> list[bytes]:
    # Latin-1 gives every byte a character of its own.
    text = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    return [line.encode("latin-1") for line in LINE_END.split(text)]


def cells_of(line: str) -> list[str] | None:
    """Return the values of a line by RFC 4180; None where it is not one."""
    cells: list[str] = []
    rest: str | None = line
    while rest is not None:
        cell, after = _quoted_cell(rest[1:]) if rest[:1] == '"' else _bare_cell(rest)
        if cell is None or after[:1] not in ("", ","):
            return None
        cells.append(cell)
        rest = after[1:] if after else None
    return cells


def _quoted_cell(text: str) -> tuple[str | None, str]:
    inner, mark, after = text.partition('"')
    if not mark:
        return None, ""
    if after[:1] != '"':
        return inner, after
    cell, rest = _quoted_cell(after[1:])
    return (None, "") if cell is None else (f'{inner}"{cell}', rest)


def _bare_cell(text: str) -> tuple[str | None, str]:
    cell = text.partition(",")[0]
    return None if '"' in cell else cell, text[len(cell) :]


def csv_due(content: bytes) -> Due | None:
    if content.startswith(OTHER_FORMATS):
        return None
    rows = [line for line in lines_of(content) if line.strip(BLANK.encode())]
    names = [name.strip() for name in (_decoded_cells(rows[0]) if rows else None) or []]
    known = [FEATURES.by_accepted_name.get(name) for name in names]
    named = [feature.name for feature in known if feature]
    others = [name for name in names if name not in FEATURES.by_accepted_name]
    if sorted(named) != sorted(FEATURES.names) or others not in ([], ["id"]):
        return None
    due = Due()
    for number, line in enumerate(rows[1:], start=1):
        cells = _decoded_cells(line)
        row = None if cells is None or len(cells) != len(names) else _row(known, cells)
        if row is None:
            due.rejected.append(number)
        else:
            due.scored.append((number, *row))
    return due


def _row(
    known: Sequence[Feature | None], cells: Sequence[str]
) -> tuple[str | None, dict[str, float]] | None:
    record, own = {}, None
    for feature, cell in zip(known, cells, strict=True):
        if feature is None:
            own = cell or None
        elif (value := _number(feature, cell)) is None:
            return None
        else:
            record[feature.name] = value
    return own, record


def _decoded_cells(line: bytes) -> list[str] | None:
    try:
        return cells_of(line.decode())
    except UnicodeDecodeError:
        return None


def _number(feature: Feature, cell: str) -> float | None:
    text = cell.strip()
    for code, name in feature.codes:
        if text == name:
            return float(code)
    if not NUMBER.fullmatch(text):
        return None
    return float(text) if feature.accepts(float(text)) else None


def ndjson_file(rng: Random) -> bytes:
    lines = []
    for _ in range(rng.choice([0, 1, 2, 3, 8, 20])):
        record = as_object(hostile.good_pairs(rng)) if rng.random() < 0.7 else hostile.record(rng)
        if rng.random() < 0.6 and record.endswith("}"):
            pair = f', {rng.choice(["", "", "", " "])}"id": {rng.choice(JSON_IDS)}'
            record = record[:-1] + pair * rng.choice([1, 1, 1, 1, 2]) + "}"
        lines.append(record + rng.choice(["\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n \t\n"]))
    content = "".join(lines).encode("utf-8", "surrogatepass")
    return _damaged(rng, content)


def ndjson_due(content: bytes) -> Due | None:
    if content.startswith(OTHER_FORMATS):
        return None
    due = Due()
    for number, line in enumerate(lines_of(content), start=1):
        if not line.strip(BLANK.encode()):
            continue
        (row,) = careful.rows_of("ndjson", line) or [careful.BAD]
        if row.numbers is None:
            due.rejected.append(number)
        else:
            due.scored.append((number, row.id, row.numbers))
    return due


def parquet_file(rng: Random) -> bytes:
    height = rng.choice([0, 1, 2, 30])
    table = pl.DataFrame(
        {
            rng.choice(feature.accepted_names): _column(rng, feature, height)
            for feature in rng.sample(list(FEATURES), len(FEATURES))
        }
    )
    if rng.random() < 0.6:
        kind = rng.choice([pl.Int64(), pl.UInt8(), pl.String(), pl.Categorical()])
        ids = pl.arange(height, eager=True)
        table = table.with_columns(ids.cast(pl.String).cast(kind).alias("id"))
    file = BytesIO()
    table.write_parquet(file, row_group_size=rng.choice([None, 1, 7]))
    return file.getvalue()


def _column(rng: Random, feature: Feature, height: int) -> pl.Series:
    values: list[Any] = [_value(rng, feature) for _ in range(height)]
    column = pl.Series(values, dtype=pl.Float64)
    if rng.random() < 0.05:
        strange = rng.choice(
            [pl.Boolean(), pl.Date(), pl.List(pl.Int8()), pl.Struct({"a": pl.Int8()}), pl.Null()]
        )
        return pl.Series([None] * height, dtype=strange)
    if feature.is_coded and rng.random() < 0.3:
        names = dict(feature.codes)
        return pl.Series([names.get(value) for value in values], dtype=pl.Categorical())
    kinds = [pl.Float64(), pl.Float64(), pl.Float32(), pl.Decimal(12, 3), pl.String()]
    kinds += [pl.Int16()] if feature.kind != "continuous" else []
    return column.cast(rng.choice(kinds), strict=False)


def _value(rng: Random, feature: Feature) -> float | None:
    if rng.random() < 0.01:
        return rng.choice([None, -1.0, 2.5, 3e4])
    if feature.is_coded:
        return float(rng.choice(feature.codes)[0])
    return float(rng.randint(int(feature.minimum) + 1, int(feature.maximum)))


def parquet_due(content: bytes) -> Due:
    due = Due()
    for number, row in enumerate(pl.read_parquet(BytesIO(content)).to_dicts(), start=1):
        own = row.pop("id", None)
        read = [(FEATURES.by_accepted_name[name], value) for name, value in row.items()]
        record = {feature.name: _of_parquet(feature, value) for feature, value in read}
        if None in record.values():
            due.rejected.append(number)
        else:
            due.scored.append((number, own, record))  # type: ignore[arg-type]
    return due


def _of_parquet(feature: Feature, value: Any) -> float | None:
    if isinstance(value, str):
        return next((float(code) for code, name in feature.codes if name == value), None)
    if value is None or isinstance(value, bool | list | dict):
        return None
    return float(value) if feature.accepts(float(value)) else None


FORMATS: dict[str, tuple[Callable[[Random], bytes], Callable[[bytes], Due | None]]] = {
    ".csv": (csv_file, csv_due),
    ".ndjson": (ndjson_file, ndjson_due),
    ".parquet": (parquet_file, parquet_due),
}
SUFFIXES: Sequence[str] = [".csv"] * 5 + [".ndjson"] * 3 + [".parquet"]
