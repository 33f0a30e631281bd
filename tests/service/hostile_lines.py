"""Hostile lines: random bodies of NDJSON and CSV, with ids."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from model.schema.features import Feature
from tests.service import hostile
from tests.service.hostile import MARKS, NUMBER, WORD, Pairs
from tests.service.samples import FEATURES, as_object

Lines = list[bytes]

ENDS = [b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"]

MAX_LINE = 30_000
"""Two of them are within the limit of a line."""

GOOD_IDS = [
    *('"p1"', '"p1 "', '" p1"', '""', '"0.10"', '"1e400"', '"null"', '"a:b"', '"a,b"', '"\\""'),
    *('"\\u0000"', '"\\u00e9"', '"\u2028"', '"\\ud83d\\udc94"', '"a\\nb"', '"a\\rb"', '"{}"'),
    *("0", "1", "-7", "7", "9007199254740993", "18446744073709551616", "12345678901234567890123"),
]
BAD_IDS = [
    *("0.10", "1e400", "-1e400", "1E2", "1.0", "1e-400", "true", "null", "NaN", "Infinity", "01"),
    *("[1]", "[1,2]", "{}", '{"a":1}', '{"a":{"b":[":"]}}', '"\\ud800"', "", "p1", '"p', "-", "+1"),
    *(depth * "[" + depth * "]" for depth in (20, 250, 2000, 14_000)),
    *(depth * '{"a":' + "1" + depth * "}" for depth in (20, 250, 2000, 4900)),
]
"""Values of the id in NDJSON that must be refused."""

CELL_IDS = [
    *(b"p1", b"p1 ", b" p1", b"\tp1", b"", b" ", b"0.10", b"1e400", b"007", b"1_0", b"null", b"-0"),
    *(b'"a,b"', b'"a""b"', b'"p1 "', b'""', b'5"', b"'a'", b"=1+1", b"{}", b"\xc3\xa9"),
    *(b"\xe2\x80\xa8", b"\xf0\x9f\x92\x94", b"9007199254740993", WORD.encode(), NUMBER.encode()),
]
BAD_CELL_IDS = [b"\xff", b'"a', b'"a"b', b'"', b"a,b", b'"a" ', b"\xed\xa0\x80", b"a\rb"]


def ndjson(rng: Random) -> bytes:
    """Return lines of JSON; about half the bodies are good."""
    names = hostile.some_names(rng)
    ways: list[Callable[[Random], Pairs]] = [
        hostile.plain_pairs,
        hostile.good_pairs,
        lambda rng: hostile.good_pairs(rng, names),
    ]
    pairs = rng.choice(ways)
    has_ids, is_good = rng.random() < 0.6, rng.random() < 0.5
    records = [pairs(rng) for _ in range(_rows(rng))]
    for record in records:
        if not is_good and rng.random() < 0.4:
            for alter in rng.choices(hostile.ALTERATIONS, k=rng.choice([1, 1, 2])):
                alter(rng, record)
        if has_ids:
            _add_id(rng, record, is_good=is_good)
    lines = [as_object(record).encode("utf-8", "surrogatepass") for record in records]
    return rng.choice([b"", b"", b"", b"\xef\xbb\xbf"]) + _joined(rng, lines)


def csv(rng: Random) -> bytes:
    """Return a line of names and lines of values; about half the bodies are good."""
    is_plain, is_good = rng.random() < 0.5, rng.random() < 0.5
    columns = rng.sample(range(len(FEATURES)), len(FEATURES))
    place = rng.choice([None, 0, len(columns), rng.randrange(len(columns))])
    names = FEATURES.names if is_plain else hostile.some_names(rng)
    lines = [_with_id([names[column].encode() for column in columns], place, b"id")]
    for _ in range(_rows(rng)):
        features = [FEATURES[column] for column in columns]
        cells = [_plain_cell(rng, f) if is_plain else _cell(rng, f) for f in features]
        own = rng.choice(CELL_IDS if is_good or rng.random() < 0.7 else BAD_CELL_IDS)
        lines.append(_with_id(cells, place, own))
        if not is_good and rng.random() < 0.4:
            lines[-1] = rng.choice(CELL_ALTERATIONS)(rng, lines[-1])
    if rng.random() < 0.05:
        lines[0] = rng.choice(CELL_ALTERATIONS)(rng, lines[0])
    return rng.choice([b"", b"", b"", b"\xef\xbb\xbf"]) + _joined(rng, lines)


def _rows(rng: Random) -> int:
    return rng.choice([0, 1, 1, 2, 2, 3, 5])


def _add_id(rng: Random, record: Pairs, *, is_good: bool) -> None:
    """Insert an id anywhere into a record; a bad record may get none, or two."""
    own = rng.choice(GOOD_IDS if is_good or rng.random() < 0.6 else BAD_IDS)
    for _ in range(1 if is_good else rng.choice([1, 1, 1, 1, 1, 0, 2])):
        record.insert(rng.randrange(len(record) + 1), ('"id"', own))


def _with_id(cells: list[bytes], place: int | None, own: bytes) -> bytes:
    return b",".join(cells if place is None else [*cells[:place], own, *cells[place:]])


def _plain_cell(rng: Random, feature: Feature) -> bytes:
    value = hostile.bare_value if feature.takes_names_only else hostile.plain_value
    return _bare_or_quoted(_special(rng, feature) or value(rng, feature)).encode()


def _special(rng: Random, feature: Feature) -> str:
    """Return a good value that is neither a number nor the name of a code; mostly "" for none."""
    special = [one for one in hostile.special_values(feature) if one != ""]
    if not special or rng.random() < 0.6:
        return ""
    one = rng.choice(special)
    if one is None:
        return rng.choice([" ", "\t"])
    return one if isinstance(one, str) else json.dumps(one)


def _cell(rng: Random, feature: Feature) -> bytes:
    """Return a good value, with or without quotes and white space."""
    if feature.is_optional and rng.random() < 0.1:
        return rng.choice([b"", b'""', b" "])
    bare = _special(rng, feature) or hostile.bare_value(rng, feature)
    if _bare_or_quoted(bare) != bare:
        return _bare_or_quoted(bare).encode()
    return rng.choice([bare, bare, bare, f'"{bare}"', f" {bare}", f"{bare}\t"]).encode()


def _bare_or_quoted(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if set(text) & set(',"') else text


def _replace_cell(rng: Random, line: bytes) -> bytes:
    cells = line.split(b",")
    cells[rng.randrange(len(cells))] = rng.choice(hostile.VALUES).encode("utf-8", "surrogatepass")
    return b",".join(cells)


def _take_cell(rng: Random, line: bytes) -> bytes:
    cells = line.split(b",")
    del cells[rng.randrange(len(cells))]
    return b",".join(cells)


def _add_cell(rng: Random, line: bytes) -> bytes:
    cells = line.split(b",")
    cells.insert(rng.randrange(len(cells) + 1), rng.choice([b"", b"1", MARKS[0].encode()]))
    return b",".join(cells)


def _insert(rng: Random, line: bytes) -> bytes:
    place = rng.randrange(len(line) + 1)
    return line[:place] + rng.choice([b'"', b"],[", b"\r", b"\x00", b"\xff"]) + line[place:]


CELL_ALTERATIONS = [_replace_cell, _take_cell, _add_cell, _insert]


def _split_line(rng: Random, lines: Lines) -> None:
    """Split a line in two at one of its commas, and drop the comma."""
    place = rng.randrange(len(lines))
    parts = lines[place].split(b",")
    end = rng.randrange(1, len(parts)) if len(parts) > 1 else 0
    lines[place : place + 1] = [b",".join(parts[:end]), b",".join(parts[end:])]


def _join_lines(rng: Random, lines: Lines) -> None:
    """Replace the end of a line by a comma."""
    place = rng.randrange(len(lines))
    lines[place : place + 2] = [b",".join(lines[place : place + 2])]


def _split_and_join(rng: Random, lines: Lines) -> None:
    """Keep the number of lines, and what they are when joined by commas."""
    _split_line(rng, lines)
    _join_lines(rng, lines)


def _end_in_the_middle(rng: Random, lines: Lines) -> None:
    place = rng.randrange(len(lines))
    end = rng.randrange(len(lines[place]) + 1)
    lines[place : place + 1] = [lines[place][:end], lines[place][end:]]


def _repeat_line(rng: Random, lines: Lines) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))


LINE_ALTERATIONS: list[Callable[[Random, Lines], None]] = [
    *(_split_line, _join_lines, _end_in_the_middle, _repeat_line),
    *[_split_and_join] * 4,
]


def _joined(rng: Random, lines: Lines) -> bytes:
    """Return a body of lines, some of them split or joined."""
    lines = [line[:MAX_LINE] for line in lines]
    if lines and rng.random() < 0.2:
        rng.choice(LINE_ALTERATIONS)(rng, lines)
    end = rng.choice(ENDS)
    body = end.join(lines) + rng.choice([b"", end, b"\n"])
    mangled = rng.choice(hostile.MANGLINGS)(rng, body) if rng.random() < 0.05 else body
    return b"\n".join(line[: 2 * MAX_LINE] for line in mangled.split(b"\n"))
