"""Hostile bodies, headers and paths, made by chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor
from random import Random
from typing import Any

from model.schema.features import Feature
from tests.service.samples import FEATURES, as_object

WORD, NUMBER, FRACTION = "zq7marked", "73918465203", ".591846203"
MARKS = (WORD, NUMBER, FRACTION)
"""One of them is in all that is sent; no error may repeat it but in `loc`."""

VALUES = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-0", "0", "1", "2", "1.0"),
    *("true", "false", "null", '""', '"54"', '"male"', "[]", "{}", "4.0000000000000001"),
    *("9" * 400, "9" * 5000, f"0.{'3' * 5000}", f"-{NUMBER}", NUMBER, f"{NUMBER}e{NUMBER}"),
    *(f'"{WORD}"', f'["{WORD}", {NUMBER}]', f'{{"{WORD}": {NUMBER}}}', f"1{FRACTION}", "01", "+1"),
    *("1.", ".5", "0x10", "1e", "--1", "1_0", "'1'", "undefined", "", " ", "1 2", "/**/1", "\x00"),
    *(f'"{WORD}\\ud800"', '"\\udc00"', '"\\ud83d\\udc94"', '"\\u0000"', '"\\x41"', '"\n"'),
    *('"\ud800"', '"\u2028"', '"a:b"', f'"{WORD * 100}"', f"[{'1,' * 300}1]"),
    *(depth * "[" + depth * "]" for depth in (10, 150, 250, 5000)),
    *(depth * '{"a":' + "1" + depth * "}" for depth in (10, 150, 250, 5000)),
]
"""What stands where a value belongs; not all of it is JSON."""

NAMES = [
    *('""', '"\\u0061ge"', '"Age"', '" age"', '"age\\u0000"', '"__proto__"', '"instances"'),
    *(f'"{WORD}"', f'"{WORD * 20}"', '"a:b"', '"\\ud800"', '"\ud800"', "age", "1", "null"),
    *(f'"{feature.name[:-1]}"' for feature in FEATURES),
    *(f'"{name}"' for feature in FEATURES for name in feature.accepted_names),
]

JUNK = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"\xef\xbb\xbf", b"\\"]
JUNK += [b":", b",", b"{", b"}", b"[", b"]", b'"', b"\r\n", b"//", b"e", b"-", b"\xe2\x80\xa8"]

Pairs = list[tuple[str, str]]
"""An object's names and values, as they stand in JSON."""


def special_values(feature: Feature) -> list[Any]:
    """Return good values that are neither a number nor the name of a code, as Python has them."""
    return [
        *((None, *feature.missing_cells) if feature.is_optional else ()),
        *((True, False) if feature.is_boolean else ()),
        *((WORD, "", f"{WORD}: {NUMBER}", "null") if feature.other is not None else ()),
    ]


def value(rng: Random, feature: Feature) -> str:
    """Return a good value as JSON."""
    special = special_values(feature)
    if special and rng.random() < 0.4:
        one = rng.choice(special)
        return spelled(rng, one) if isinstance(one, str) else json.dumps(one)
    text = bare_value(rng, feature)
    return spelled(rng, text) if text in dict(feature.codes).values() else text


def bare_value(rng: Random, feature: Feature) -> str:
    """Return a good value: a number, or the name of a code."""
    if feature.is_coded and (feature.takes_names_only or rng.random() < 0.3):
        code, name = rng.choice(feature.codes)
        return name if feature.takes_names_only else rng.choice([f"{code}.0", name])
    return plain_value(rng, feature)


def plain_value(rng: Random, feature: Feature) -> str:
    """Return a good value as a plain number."""
    if feature.is_coded:
        return str(rng.choice(feature.codes)[0])
    if feature.kind == "count":
        return str(rng.randint(int(feature.minimum), int(feature.maximum)))
    return f"{rng.randint(ceil(feature.minimum), floor(feature.maximum) - 1)}{FRACTION}"


def spelled(rng: Random, text: str) -> str:
    """Return a text as JSON, at times with escapes that are not needed."""
    if rng.random() < 0.95:
        return json.dumps(text, ensure_ascii=rng.random() < 0.5)
    letters = [f"\\u{ord(letter):04x}" if rng.random() < 0.2 else letter for letter in text]
    return f'"{"".join(x if len(x) > 1 else json.dumps(x)[1:-1] for x in letters)}"'


def good_pairs(rng: Random, names: Sequence[str] = ()) -> Pairs:
    """Return a good record, written plainly or in any other way, or under certain names."""
    if not names and rng.random() < 0.5:
        return plain_pairs(rng)
    return [
        (spelled(rng, name), value(rng, feature))
        for name, feature in zip(names or some_names(rng), FEATURES, strict=True)
    ]


def some_names(rng: Random) -> list[str]:
    """Return any of the names of each feature."""
    return [rng.choice(feature.accepted_names) for feature in FEATURES]


def plain_pairs(rng: Random) -> Pairs:
    """Return a good record under the features' own names, with numbers where they are accepted."""
    return [
        (f'"{f.name}"', value(rng, f) if f.takes_names_only else plain_value(rng, f))
        for f in FEATURES
    ]


def _replace_value(rng: Random, pairs: Pairs) -> None:
    place = rng.randrange(len(pairs))
    pairs[place] = (pairs[place][0], rng.choice(VALUES))


def _replace_name(rng: Random, pairs: Pairs) -> None:
    place = rng.randrange(len(pairs))
    pairs[place] = (rng.choice(NAMES), pairs[place][1])


def _remove(rng: Random, pairs: Pairs) -> None:
    if len(pairs) > 1:
        del pairs[rng.randrange(len(pairs))]


def _add(rng: Random, pairs: Pairs) -> None:
    pairs.append((rng.choice(NAMES), rng.choice(VALUES)))


def _repeat(rng: Random, pairs: Pairs) -> None:
    name, text = rng.choice(pairs)
    pairs.append((name, rng.choice([text, rng.choice(VALUES)])))


def _repeat_by_alias(rng: Random, pairs: Pairs) -> None:
    feature = rng.choice(FEATURES)
    pairs.append((f'"{rng.choice(feature.accepted_names)}"', value(rng, feature)))


def _shuffle(rng: Random, pairs: Pairs) -> None:
    rng.shuffle(pairs)


ALTERATIONS: list[Callable[[Random, Pairs], None]] = [
    *(_replace_value, _replace_name, _remove, _add, _repeat, _repeat_by_alias, _shuffle),
]


def record(rng: Random, names: Sequence[str] = (), ids: Sequence[str] = ()) -> str:
    """Return a record: a good one, or one with up to three things wrong, or none at all."""
    if rng.random() < 0.05:
        return rng.choice(VALUES)
    pairs = good_pairs(rng, names)
    _insert_id(rng, pairs, ids)
    for alter in rng.choices(ALTERATIONS, k=rng.choice([0, 0, 1, 1, 2, 3])):
        alter(rng, pairs)
    return as_object(pairs)


def _insert_id(rng: Random, pairs: Pairs, ids: Sequence[str]) -> None:
    if ids and rng.random() < 0.5:
        pairs.insert(rng.randrange(len(pairs) + 1), ('"id"', rng.choice(ids)))


def _good_record(rng: Random, names: Sequence[str], ids: Sequence[str]) -> str:
    pairs = good_pairs(rng, names)
    _insert_id(rng, pairs, ids)
    rng.shuffle(pairs)
    return as_object(pairs)


def table(rng: Random, ids: Sequence[str] = ()) -> str:
    """Return a table: a good one, or one with up to three things wrong."""
    columns = [name for name, _ in good_pairs(rng)]
    rows = [[text for _, text in good_pairs(rng)] for _ in range(rng.choice([0, 1, 2, 3, 5]))]
    if ids and rng.random() < 0.5:
        columns.append('"id"')
        for row in rows:
            row.append(rng.choice(ids))
    for _ in range(rng.choice([0, 0, 1, 2, 3])):
        cells = rng.choice([columns, *rows])
        place = rng.randrange(len(cells) + 1)
        text = rng.choice([*(NAMES if cells is columns else VALUES), *columns])
        cells[place : place + rng.choice([0, 1, 1])] = rng.choice([[text], [text], []])
    order = rng.sample(range(len(columns)), len(columns))
    if all(len(cells) == len(columns) for cells in rows):
        columns, *rows = ([cells[place] for place in order] for cells in (columns, *rows))
    data = ", ".join(f"[{', '.join(cells)}]" for cells in rows)
    pairs = [('"columns"', f"[{', '.join(columns)}]"), ('"data"', f"[{data}]")]
    if rng.random() < 0.1:
        rng.choice(ALTERATIONS[:5])(rng, pairs)
    return as_object(pairs)


def batch(rng: Random, ids: Sequence[str] = ()) -> str:
    if rng.random() < 0.3:
        return table(rng, ids)
    names = rng.choice([(), some_names(rng)])
    write = rng.choice([record, _good_record])
    rows = ", ".join(write(rng, names, ids) for _ in range(rng.choice([0, 1, 1, 2, 3, 5])))
    pairs = [('"instances"', f"[{rows}]")]
    if rng.random() < 0.1:
        rng.choice(ALTERATIONS[:5])(rng, pairs)
    return as_object(pairs)


def _cut(rng: Random, body: bytes) -> bytes:
    return body[: rng.randrange(len(body) + 1)]


def _insert(rng: Random, body: bytes) -> bytes:
    place = rng.randrange(len(body) + 1)
    return body[:place] + rng.choice(JUNK) + body[place:]


def _change(rng: Random, body: bytes) -> bytes:
    place = rng.randrange(len(body) + 1)
    return body[:place] + bytes([rng.randrange(256)]) + body[place + 1 :]


def _prefix(rng: Random, body: bytes) -> bytes:
    return rng.choice([*JUNK, b" ", b"\n\t\r ", b"null "]) + body


def _append(rng: Random, body: bytes) -> bytes:
    return body + rng.choice([*JUNK, b" ", b"{}", body])


def _encode_otherwise(rng: Random, body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-32-le", "utf-7"]))


MANGLINGS = [_cut, _insert, _change, _prefix, _append, _encode_otherwise]


def body(rng: Random, *, is_batch: bool) -> bytes:
    """Return the body of a request; about a quarter of them mean something."""
    text = batch(rng) if is_batch else record(rng)
    whole = text.encode("utf-8", "surrogatepass")
    return rng.choice(MANGLINGS)(rng, whole) if rng.random() < 0.25 else whole


def without_loc(problem: dict[str, Any]) -> str:
    """Return a problem's text without the one member that repeats a sender's word."""
    errors = [{**error, "loc": None} for error in problem["errors"]]
    return json.dumps({**problem, "errors": errors})


HEADER_VALUES: dict[bytes, list[bytes]] = {
    b"content-type": [
        *(b"application/json", b"APPLICATION/JSON", b"application/json;charset=utf-8"),
        *(b"application/json; charset=latin-1", b"application/json; charset", b"text/plain"),
        *(b"application/json; charset=utf-8; charset=utf-7", b"application/", b"/", b";;;", b""),
        *(b"application/json, text/plain", b"multipart/form-data", b"application/x-ndjson"),
    ],
    b"content-encoding": [b"identity", b"gzip", b"deflate", b"br", b"gzip, gzip", b"", b"zstd"],
    b"x-request-id": [b"mine", b"a" * 64, b"a" * 65, b"../..", b"{}", b'"', b"\xff", b""],
    b"traceparent": [
        *(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"00-0-0-0", b"-", b""),
        *(b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"ff-" + b"a" * 60, b"00-\xff"),
    ],
    b"tracestate": [b"a=b", b"=", b"a" * 600, b"\xff"],
    b"authorization": [b"Bearer", b"Bearer ", b"Basic YTpi", b"bearer \xff", b"Bearer " * 9, b""],
    b"accept": [b"*/*", b"text/html;q=x", b"\xff", b""],
    b"accept-encoding": [b"gzip", b"gzip;q=0", b"*;q=nan", b"\xff"],
    b"origin": [b"null", b"https://app.example", b"\xff", b""],
    b"range": [b"bytes=0-", b"bytes=-1", b"bytes=9-1,0-0", b"bytes=99999999999-", b"x", b"bytes="],
    b"if-none-match": [b"*", b'"', b'W/"a"', b"\xff"],
    b"if-modified-since": [b"x", b"Thu, 01 Jan 1970 00:00:00 GMT", b"Thu, 99 Jan", b"\xff"],
    b"x-forwarded-for": [b"::1", b"x" * 300, b"1.2.3.4, , ", b"\xff"],
    b"cookie": [b"=", b"a=b; c", b"\xff"],
    b"expect": [b"100-continue", b"x"],
}
METHODS = ["GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]
PATHS = [
    *("/", "/docs", "/openapi.json", "/livez", "/readyz", "/metrics", "/model", "/predict"),
    *("/predict/batch", "/static/docs.js", "/static/swagger-ui/favicon-32x32.png"),
]
PATH_PARTS = [
    *("/", "//", ".", "..", "%2e%2e", "%2f", "%5c", "%00", "%0d%0a", "%ff", "%", "%zz", ";a=b"),
    *(WORD, NUMBER, "static", "predict", "batch", "a" * 300, "~", "*", "%ed%a0%80", "%e2%80%a8"),
]
QUERIES = ["", "?", f"?{WORD}={NUMBER}", "?%ff=%00", "?&&=&", "?a=" + "b" * 2000, "?a[]=1"]


def headers(rng: Random) -> Iterator[tuple[bytes, bytes]]:
    """Return headers of which each may stand there once, twice or with junk in it."""
    for name in rng.sample(list(HEADER_VALUES), rng.choice([0, 1, 2, 4])):
        for _ in range(rng.choice([1, 1, 1, 2])):
            given = rng.choice(HEADER_VALUES[name])
            yield name, given + rng.choice([b"", b"", b"", b" ", b"\xe9", WORD.encode()])


def path(rng: Random) -> str:
    """Return a path with a query, as it stands in a request's first line."""
    parts: Sequence[str] = rng.choices(PATH_PARTS, k=rng.choice([0, 0, 1, 2, 4]))
    return rng.choice([*PATHS, "/", "/static/"]) + "".join(parts) + rng.choice(QUERIES)
