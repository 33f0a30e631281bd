"""The id of a row: what it may be, and that it comes back as it was sent."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import httpx
import msgspec
import pytest

from model.artifact.artifact import Artifact
from service.protocols.native.scoring import Scorer
from service.protocols.native.streams import CsvStream, NdjsonStream, Stream
from service.wire.ids import id_of
from tests.service.samples import FEATURES, JSON, example, raw
from tests.variants import with_feature

pytestmark = pytest.mark.anyio

PATH = "/predict/batch"
CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}
NAMES = ",".join(FEATURES.names)
VALUES = ",".join(str(value) for value in example().values())

GOOD = [
    '"p1"', '" p1 "', '""', '"a:b"', '"\\u00e9"', '"é"', '"\\ud83d\\ude00"', '"\\/"', '"a\\nb"',
    "0", "-0", "-7", str(10**30), "9" * 1000, '"\u2028"', '"' + "x" * 60_000 + '"',
]  # fmt: skip
BAD = [
    "0.10", "1.0", "1e400", "1e2", "-0.0", "null", "true", "[]", "{}", '["p1"]', '{"of": 1}',
    "NaN", "Infinity", "9" * 1001, "9" * 5000, f"{'[' * 150}{']' * 150}",
]  # fmt: skip
NOT_JSON = [
    '"\\ud800"', '"\\udc00\\ud800"', '"a\tb"', '"\\x"', "01", "+1", "1.", "p1", '"p1', "",
    f"{'[' * 20_000}{']' * 20_000}", f"{'[' * 20_000}",
]  # fmt: skip


def line(own: str, **changes: Any) -> str:
    return f'{{"id":{own},{json.dumps(example(**changes))[1:]}'


async def reported(client: httpx.AsyncClient, kind: dict[str, str], *lines: str | bytes) -> bytes:
    encoded = [one.encode() if isinstance(one, str) else one for one in lines]
    body = b"".join(one + b"\n" for one in encoded)  # all in one block
    answer = await client.post(f"{PATH}?on_error=report", content=body, headers=kind)
    assert answer.status_code == 200
    return answer.content


@pytest.mark.parametrize("own", GOOD, ids=lambda own: own[:20])
async def test_an_id_of_json_comes_back_as_it_was_sent_whatever_is_beside_it(
    client: httpx.AsyncClient, own: str
) -> None:
    for beside in ([], [line("1.5")], ["{"], [line('"a:b"')]):
        first, *_ = (await reported(client, NDJSON, line(own), *beside)).split(b"\n")
        assert first.startswith(b'{"id":%b,"probability":' % own.encode())


@pytest.mark.parametrize("own", GOOD, ids=lambda own: own[:20])
async def test_a_row_with_faults_keeps_its_id(client: httpx.AsyncClient, own: str) -> None:
    for row in (line(own, age=5), line(own, age=float("nan"))):
        (answer, _) = (await reported(client, NDJSON, row)).split(b"\n")
        assert json.loads(answer)["id"] == json.loads(own)
        assert [fault["loc"] for fault in json.loads(answer)["errors"]] == [["body", 0, "age"]]


@pytest.mark.parametrize("own", BAD, ids=lambda own: own[:20])
@pytest.mark.parametrize("beside", [[], ["{"]], ids=range(2))
async def test_anything_else_is_a_fault_of_the_row(
    client: httpx.AsyncClient, own: str, beside: list[str]
) -> None:
    first, *_ = (await reported(client, NDJSON, line(own), *beside)).split(b"\n")
    answer = json.loads(first)
    kinds = {(tuple(fault["loc"]), fault["type"]) for fault in answer["errors"]}
    assert (("body", 0, "id"), "invalid_id") in kinds
    assert len(kinds) == 1 + (own == "9" * 5000)  # which pydantic does not read at all
    assert list(answer) == ["errors"]
    refused = await client.post(PATH, content="\n".join([line(own), *beside]), headers=NDJSON)
    assert refused.status_code == 422


@pytest.mark.parametrize("own", NOT_JSON, ids=lambda own: own[:20])
@pytest.mark.parametrize("on_error", ["refuse", "report"])
async def test_an_id_that_is_not_json_is_a_fault_of_the_row(
    client: httpx.AsyncClient, own: str, on_error: str
) -> None:
    body = "\n".join([line(own), json.dumps(example())])
    answer = await client.post(PATH, content=body, headers=NDJSON, params={"on_error": on_error})
    if on_error == "refuse":
        assert answer.status_code == 422
        faults = answer.json()["errors"]
    else:
        bad, good = map(json.loads, answer.content.splitlines())
        assert good["label"]
        faults = bad["errors"]
    assert [(fault["loc"], fault["type"]) for fault in faults] == [(["body", 0], "json_invalid")]


async def test_bytes_that_are_not_utf8_are_no_id(client: httpx.AsyncClient) -> None:
    row = line('"x"').encode().replace(b'"x"', b'"\xff"')
    (answer, _) = (await reported(client, NDJSON, row)).split(b"\n")
    assert list(json.loads(answer)) == ["errors"]


@pytest.mark.parametrize("second", ["id", "\\u0069d"])
async def test_an_id_given_twice_is_none(client: httpx.AsyncClient, second: str) -> None:
    row = f'{line("1")[:-1]},"{second}":2}}'
    (answer, _) = (await reported(client, NDJSON, row)).split(b"\n")
    assert list(json.loads(answer)) == ["errors"]
    assert json.loads(answer)["errors"][0]["type"] == "duplicate_field"


def test_an_id_is_found_under_an_escaped_name() -> None:
    assert id_of(b'{"\\u0069d": 7 }') == b"7"
    assert id_of(b'{"age": 7}') is msgspec.UNSET
    assert id_of(b"7") is msgspec.UNSET


def first_row(answer: bytes) -> dict[str, str]:
    return next(csv.DictReader(StringIO(answer.decode(), newline="")))


CELLS = [
    ("p1", "p1"), ("p1 ", "p1 "), (" p1", " p1"), ("  ", "  "), ("", ""), ("\tp1\x0b", "\tp1\x0b"),
    ("1e400", "1e400"), ("0.10", "0.10"), ('p"1', 'p"1'), ('"p1"', "p1"), ('" p1 "', " p1 "),
    ('"p""1"', 'p"1'), ('"p,1"', "p,1"), (' "p1"', ' "p1"'), ("é\u2028", "é\u2028"),
    ("\ufffd", "\ufffd"),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "text"), CELLS)
@pytest.mark.parametrize("place", ["first", "last", "within"])
@pytest.mark.parametrize("beside", ["none", "quoted", "bad"])
async def test_an_id_of_csv_is_the_text_of_its_cell_whatever_is_beside_it(
    client: httpx.AsyncClient, cell: str, text: str, place: str, beside: str
) -> None:
    def at_place(own: str, others: str) -> str:
        start, _, end = others.partition(",")
        return {
            "first": f"{own},{others}", "last": f"{others},{own}", "within": f"{start},{own},{end}"
        }[place]  # fmt: skip

    others = {"none": [], "quoted": [at_place('"q"', VALUES)], "bad": [at_place("q", "x,y")]}
    lines = [at_place("id", NAMES), at_place(cell, VALUES), *others[beside]]
    answer = await reported(client, CSV, *lines)
    assert first_row(answer)["id"] == text
    assert first_row(answer)["probability"]
    with_faults = [at_place("id", NAMES), at_place(cell, "5" + VALUES), *others[beside]]
    answer = await reported(client, CSV, *with_faults)
    assert first_row(answer)["id"] == text


@pytest.mark.parametrize(
    ("cell", "is_fault_of_id"),
    [(b"p\xff", True), (b'"p\r1"', True), (b"p\r1", False), (b'"p1', False), (b'"p"1', False)],
)
@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("beside", [[], [b'"q",1']], ids=range(2))
async def test_a_cell_that_is_no_id_is_a_fault_of_the_row(
    client: httpx.AsyncClient, cell: bytes, is_fault_of_id: bool, place: str, beside: list[bytes]
) -> None:
    lines = [b"%b,%b", b"%b,%b"]
    pairs = [(b"id", NAMES.encode()), (cell, VALUES.encode())]
    lines = [b",".join(pair if place == "first" else pair[::-1]) for pair in pairs]
    row = first_row(await reported(client, CSV, *lines, *beside))
    assert (row["id"], row["probability"]) == ("", "")
    assert row["errors"]
    assert ("invalid_id" in row["errors"]) == is_fault_of_id


@pytest.mark.parametrize("on_error", ["refuse", "report"])
async def test_a_row_that_ends_before_its_id_is_refused(
    client: httpx.AsyncClient, on_error: str
) -> None:
    body = f"{NAMES},id\n{VALUES}\n{VALUES},p1\n"
    answer = await client.post(f"/predict/batch?on_error={on_error}", content=body, headers=CSV)
    assert "wrong_length" in answer.text
    assert answer.status_code == (422 if on_error == "refuse" else 200)
    if on_error == "report":
        short, whole = csv.DictReader(StringIO(answer.text))
        assert (short["probability"], whole["id"]) == ("", "p1")


@pytest.mark.parametrize("white", ["\r", "\u2028", "\u00a0", "\x0b", "\x1f"])
async def test_white_space_other_than_blanks_and_tabs_is_part_of_a_cell(
    client: httpx.AsyncClient, white: str
) -> None:
    for changed in range(2):
        lines = [NAMES, VALUES]
        lines[changed] = '"' + lines[changed].replace(",", f'{white}",', 1)
        answer = await client.post("/predict/batch", content="\n".join(lines), headers=CSV)
        assert answer.status_code == 422


async def test_the_id_of_a_row_that_is_no_json_but_for_nan_comes_back_as_sent(
    client: httpx.AsyncClient,
) -> None:
    own = '"\u00e9\\u00e9 1.0"'
    line = raw({"age": "NaN"})[:-1] + f', "id" : {own}}}'
    answer = await client.post(
        "/predict/batch?on_error=report", content=line.encode(), headers=NDJSON
    )
    assert answer.text.startswith(f'{{"id":{own},"errors":[{{')


@pytest.mark.parametrize("make", [NdjsonStream, CsvStream])
def test_a_feature_named_id_is_a_value(artifact: Artifact, make: type[Stream]) -> None:
    scorer = Scorer(with_feature(artifact, "age", name="id", aliases=()).predictor(), 10)
    record = {"id" if name == "age" else name: value for name, value in example().items()}
    row = ",".join(map(str, record.values())) if make is CsvStream else json.dumps(record)
    quick, careful = make(scorer), make(scorer)
    for stream in (quick, careful):
        if make is CsvStream:
            stream.without_header([",".join(record).encode()])
    answers = quick.plain_answers([row.encode()])
    assert answers is not None
    assert careful.other_answers([row.encode()]) == answers
    assert "id" not in answers[0]


@pytest.mark.parametrize("own", GOOD)
async def test_a_record_of_json_may_have_an_id(client: httpx.AsyncClient, own: str) -> None:
    line = f'{json.dumps(example())[:-1]}, "id": {own}}}'.encode()
    plain = (await client.post("/predict", json=example())).content
    answer = await client.post("/predict", content=line, headers=JSON)
    assert answer.content == b'{"id":%b,%b' % (own.encode(), plain[1:])
    body = b'{"instances": [%b, %b]}' % (json.dumps(example()).encode(), line)
    for batch in (body, b'{"instances": [%b, %b]}' % (line, line)):
        rows = (await client.post(PATH, content=batch, headers=JSON)).json()["predictions"]
        alone = {name: rows[1].pop(name) for name in ["id"]}
        assert alone == {"id": json.loads(own)}
        assert rows[0].pop("id", None) in (None, json.loads(own))
        assert rows[0] == rows[1]


@pytest.mark.parametrize("own", BAD)
async def test_any_other_id_of_a_record_of_json_is_refused(
    client: httpx.AsyncClient, own: str
) -> None:
    line = f'{json.dumps(example())[:-1]}, "id": {own}}}'
    for path, body in (("/predict", line), (PATH, f'{{"instances": [{line}]}}')):
        answer = await client.post(path, content=body.encode(), headers=JSON)
        assert answer.status_code == 422
        fault = answer.json()["errors"][-1]
        assert fault["type"] in ("invalid_id", "json_invalid")
        assert fault["loc"][-1] == "id" or fault["type"] == "json_invalid"


def table(*ids: str, place: int = 0, name: str = "id") -> bytes:
    """Return a table of the example under these ids, which stand there as they are."""
    names, cells = ([*map(json.dumps, part)] for part in (FEATURES.names, example().values()))
    columns = [*names[:place], f'"{name}"', *names[place:]]
    rows = ", ".join(f"[{', '.join([*cells[:place], own, *cells[place:]])}]" for own in ids)
    return f'{{"columns": [{", ".join(columns)}], "data": [{rows}]}}'.encode()


@pytest.mark.parametrize("own", GOOD, ids=lambda own: own[:20])
@pytest.mark.parametrize("place", [0, 5, 13])
@pytest.mark.parametrize("name", ["id", "\\u0069d"])
def test_a_table_may_have_a_column_of_ids(
    artifact: Artifact, own: str, place: int, name: str
) -> None:
    scorer = Scorer(artifact.predictor(), 10)
    body = table(own, "7", own, place=place, name=name)
    quick, careful = scorer.predict_batch(body).body, scorer.predict_row_by_row(body).body
    assert quick == careful
    assert quick.startswith(b'{"columns":["id","probability","predicted_class","label"],"data":')
    assert b"[[%b,0." % own.encode() in quick
    assert b",[%b,0." % own.encode() in quick
    assert [row[0] for row in json.loads(quick)["data"]] == [json.loads(own), 7, json.loads(own)]


@pytest.mark.parametrize("own", BAD, ids=lambda own: own[:20])
async def test_any_other_id_of_a_table_is_refused(client: httpx.AsyncClient, own: str) -> None:
    answer = await client.post(PATH, content=table('"a"', own), headers=JSON)
    faults = [(fault["loc"], fault["type"]) for fault in answer.json()["errors"]]
    places = [(["body", "data", 1, "id"], "invalid_id")]
    assert faults == places if own != "9" * 5000 else faults[0][1] == "json_invalid"


async def test_a_column_of_ids_is_named_once(client: httpx.AsyncClient) -> None:
    body = table("1").replace(b'"columns": [', b'"columns": ["id", ').replace(b"[[", b"[[2, ")
    answer = await client.post(PATH, content=body, headers=JSON)
    faults = [(fault["loc"], fault["type"]) for fault in answer.json()["errors"]]
    assert faults == [(["body", "columns", "id"], "duplicate_field")]


async def test_an_empty_table_has_the_column_of_its_ids(client: httpx.AsyncClient) -> None:
    answer = await client.post(PATH, content=table(), headers=JSON)
    assert (answer.json()["columns"][0], answer.json()["data"]) == ("id", [])
