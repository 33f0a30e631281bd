"""POST /predict/batch with rows of CSV or NDJSON."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from io import StringIO
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from model.inference.predictor import Predictor
from service.app import create_app
from service.protocols.native.scoring import Scorer
from service.protocols.native.streams import CsvStream, NdjsonStream, Stream
from service.settings import Settings
from service.wire.lines import BLOCK_LINES, blocks_of_lines
from tests.conftest import ARTIFACT
from tests.service import hostile
from tests.service.samples import FEATURES, JSON, PROBLEM, as_object, example, random_records

pytestmark = pytest.mark.anyio

PATH = "/predict/batch"
CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}
KINDS = [CSV, NDJSON]
SHARED_COLUMNS = ["predicted_class", "label", "threshold", "model_version", "warnings", "errors"]


def as_csv(rows: list[dict[str, Any]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def as_body(kind: dict[str, str], rows: list[dict[str, Any]]) -> str:
    return as_csv(rows) if kind is CSV else as_lines(rows)


def read(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the answers; of CSV its cells are texts."""
    assert response.status_code == 200
    if response.headers["content-type"].startswith("text/csv"):
        return [*csv.DictReader(StringIO(response.text))]
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("way", ["refuse", "report"])
@pytest.mark.parametrize("has_ids", [True, False])
async def test_each_row_gets_what_it_would_get_alone(
    client: httpx.AsyncClient, kind: dict[str, str], way: str, has_ids: bool
) -> None:
    records = random_records(BLOCK_LINES + 10, seed=1)
    ids = [{"id": f"p-{number}"} if has_ids else {} for number in range(len(records))]
    rows = [{**own, **record} for own, record in zip(ids, records, strict=True)]
    response = await client.post(
        PATH, content=as_body(kind, rows), headers=kind, params={"on_error": way}
    )
    alone = await client.post(PATH, json={"instances": records})
    found = read(response)
    shown = alone.json()["predictions"]
    assert [float(row["probability"]) for row in found] == [row["probability"] for row in shown]
    assert [row["label"] for row in found] == [row["label"] for row in shown]
    assert [bool(row["warnings"]) for row in found] == [bool(row["warnings"]) for row in shown]
    assert {row["model_version"] for row in found} == {alone.json()["model_version"]}
    if has_ids:
        assert [row["id"] for row in found] == [own["id"] for own in ids]


async def test_a_line_of_ndjson_has_these_members(client: httpx.AsyncClient) -> None:
    body = as_lines([{"id": "any: text", **example()}, example(age=105)])
    first, second = read(await client.post(PATH, content=body, headers=NDJSON))
    assert list(first) == ["id", "probability", *SHARED_COLUMNS[:-1]]
    assert (first["id"], first["warnings"]) == ("any: text", [])
    assert "id" not in second
    assert [warning["loc"] for warning in second["warnings"]] == [["body", "age"]]


async def test_csv_has_these_columns_and_says_faults_and_warnings_in_words(
    client: httpx.AsyncClient,
) -> None:
    rows = [{"id": 'a,"b"', **example(age=105)}, {"id": "c", **example(age=5, sex="")}]
    response = await client.post(f"{PATH}?on_error=report", content=as_csv(rows), headers=CSV)
    warned, bad = read(response)
    assert list(warned) == ["id", "probability", *SHARED_COLUMNS]
    assert warned["id"] == 'a,"b"'
    assert warned["warnings"] == (
        "age: Outside the training range, 29 to 77 years. (outside_training_range)"
    )
    assert (warned["errors"], bad["probability"], bad["id"]) == ("", "", "c")
    assert bad["errors"] == (
        "age: Expected a number from 18 to 110 (years). (out_of_range) "
        "sex: Null is not accepted; expected 0 (female) or 1 (male). (null)"
    )


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_one_bad_row_refuses_all_unless_it_is_to_be_reported(
    client: httpx.AsyncClient, kind: dict[str, str]
) -> None:
    rows = [{"id": number, **example()} for number in range(5)]
    rows[3] |= {"age": 98765, "thal": "ZZTOP"}
    body = as_body(kind, rows)
    refused = await client.post(PATH, content=body, headers=kind)
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    places = [(fault["loc"], fault["type"]) for fault in refused.json()["errors"]]
    assert places == [
        (["body", 3, "age"], "out_of_range"),
        (["body", 3, "thal"], "unknown_code"),
    ]
    reported = await client.post(f"{PATH}?on_error=report", content=body, headers=kind)
    found = read(reported)
    assert [str(row["id"]) for row in found] == ["0", "1", "2", "3", "4"]
    assert [bool(row.get("errors")) for row in found] == [False, False, False, True, False]
    for text in (refused.text, reported.text):
        assert "98765" not in text
        assert "ZZTOP" not in text


async def test_of_many_bad_rows_the_first_hundred_are_listed(client: httpx.AsyncClient) -> None:
    body = as_lines([example(age=5)] * 150)
    problem = (await client.post(PATH, content=body, headers=NDJSON)).json()
    assert [fault["loc"][1] for fault in problem["errors"]] == [*range(100)]
    assert "150 records have faults" in problem["detail"]


@pytest.mark.parametrize("way", ["refuse", "report"])
@pytest.mark.parametrize(
    ("body", "loc", "kind"),
    [
        ("", ["body", "age"], "missing"),
        ("\n \n", ["body", "age"], "missing"),
        (as_csv([{"agee": 1, **example()}]), ["body", "agee"], "unknown_field"),
        (as_csv([{"cp": 1, **example()}]), ["body", "chest_pain"], "duplicate_field"),
        ("id,id," + as_csv([example()]), ["body", "id"], "duplicate_field"),
        (as_csv([example()]).split("\n")[1], ["body", "54"], "unknown_field"),
    ],
)
async def test_columns_that_are_not_the_models_refuse_all(
    client: httpx.AsyncClient, way: str, body: str, loc: list[str], kind: str
) -> None:
    response = await client.post(PATH, content=body, headers=CSV, params={"on_error": way})
    assert response.status_code == 422
    assert (loc, kind) in [(fault["loc"], fault["type"]) for fault in response.json()["errors"]]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("54,1", "wrong_length"),
        (as_csv([example()]).split("\n")[1] + ",7", "wrong_length"),
        (as_csv([example(age="1],[2")]).split("\n")[1], "not_a_number"),
        (as_csv([example(age="1_0")]).split("\n")[1], "not_a_number"),
        (as_csv([example(age="nan")]).split("\n")[1], "not_a_number"),
        (as_csv([example(age="1e400")]).split("\n")[1], "not_finite"),
        (as_csv([example(age="true")]).split("\n")[1], "not_a_number"),
        (as_csv([example(age="\u0661")]).split("\n")[1], "not_a_number"),
        ('"54,1', "not_a_number"),
        ("54\r1", "not_a_number"),
        (as_csv([example(age="54\0")]).split("\n")[1], "not_a_number"),
        (as_csv([example(age="5" * 60_000)]).split("\n")[1], "not_finite"),
        (as_csv([example(age="x" * 60_000)]).split("\n")[1], "not_a_number"),
        ("5" * 60_000, "wrong_length"),
    ],
)
async def test_a_row_of_csv_that_is_none_is_refused(
    client: httpx.AsyncClient, line: str, kind: str
) -> None:
    header = ",".join(FEATURES.names)
    response = await client.post(PATH, content=f"{header}\n{line}\n", headers=CSV)
    assert response.status_code == 422
    assert kind in [fault["type"] for fault in response.json()["errors"]]


@pytest.mark.parametrize("line", ["54,1", "p1", "p1,54,1", f"p1,{'7,' * 20}7"])
@pytest.mark.parametrize("place", ["first", "last"])
async def test_a_row_of_csv_of_another_length_is_one_fault(
    client: httpx.AsyncClient, line: str, place: str
) -> None:
    names = ["id", *FEATURES.names] if place == "first" else [*FEATURES.names, "id"]
    body = f"{','.join(names)}\n{line}\n"
    response = await client.post(PATH, content=body, headers=CSV)
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {
            "loc": ["body", 0],
            "msg": "Expected a list of values, one for each column.",
            "type": "wrong_length",
        }
    ]


async def test_a_cell_that_is_too_long_for_the_reader_is_a_fault() -> None:
    app = create_app(Settings(artifact=ARTIFACT, max_record_bytes=2**20))
    transport = httpx.ASGITransport(app)
    body = f"{','.join(FEATURES.names)}\n{'x' * 200_000}\n"
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        response = await client.post(PATH, content=body, headers=CSV)
    assert response.status_code == 422


async def test_rows_may_have_other_names_codes_by_name_line_ends_and_a_mark_of_the_order_of_bytes(
    client: httpx.AsyncClient,
) -> None:
    values = example(sex="male").values()
    aliased = {f.accepted_names[-1]: value for f, value in zip(FEATURES, values, strict=True)}
    body = "\ufeff" + as_csv([aliased]).replace("\n", "\r\n\r\n")
    (row,) = read(await client.post(PATH, content=body, headers=CSV))
    (plain,) = read(await client.post(PATH, content=as_csv([example()]), headers=CSV))
    assert row == plain


async def test_a_column_of_ids_may_stand_anywhere(client: httpx.AsyncClient) -> None:
    rows = [{**example(), "id": "last"}, {**example(), "id": "very last"}]
    found = read(await client.post(PATH, content=as_csv(rows), headers=CSV))
    assert [row["id"] for row in found] == ["last", "very last"]


async def test_two_records_in_a_line_are_refused(client: httpx.AsyncClient) -> None:
    line = f"{json.dumps(example())},{json.dumps(example())}\n"
    assert (await client.post(PATH, content=line, headers=NDJSON)).status_code == 422


@pytest.mark.parametrize(("way", "headers"), [("ignore", NDJSON), ("", CSV), ("Report", JSON)])
async def test_another_way_to_treat_bad_rows_is_refused(
    client: httpx.AsyncClient, way: str, headers: dict[str, str]
) -> None:
    response = await client.post(PATH, content="{}", headers=headers, params={"on_error": way})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", "on_error"]


async def test_the_rows_and_bytes_of_a_batch_and_of_a_line_are_limited() -> None:
    limits = {"max_batch_rows": 3, "max_record_bytes": 1024, "max_batch_bytes": 4096}
    app = create_app(Settings(artifact=ARTIFACT, **limits))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        bodies = [as_lines([example()] * rows) for rows in (3, 4)]
        bodies += [json.dumps(example()).ljust(1025, " ") + "1", " " * 4097]
        statuses = [
            (await client.post(PATH, content=body, headers=NDJSON)).status_code for body in bodies
        ]
        assert statuses == [200, 413, 413, 413]
        unlimited = await client.post(f"{PATH}?on_error=report", content=bodies[1], headers=NDJSON)
        assert len(read(unlimited)) == 4


async def test_a_compressed_stream_is_read_and_a_damaged_one_ends_with_a_line_that_says_so(
    client: httpx.AsyncClient,
) -> None:
    body = gzip.compress(as_lines([example()] * 3 * BLOCK_LINES).encode())
    headers = {**NDJSON, "Content-Encoding": "gzip"}
    whole = await client.post(f"{PATH}?on_error=report", content=body, headers=headers)
    assert len(read(whole)) == 3 * BLOCK_LINES
    cut = await client.post(f"{PATH}?on_error=report", content=body[:-20], headers=headers)
    *_, last = read(cut)
    assert last["errors"][0]["type"] == "cut_short"


RECORD = json.dumps(example())
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress
}  # fmt: skip
SPLIT = [
    [
        '{"age": 54',
        f'"sex": 1, {RECORD[RECORD.index(chr(34) + "chest_pain") :]}',
        f"{RECORD},{RECORD}",
    ],
    ['{"id": "a', f'b", {RECORD[1:]}', f"{RECORD},{RECORD}"],
    [RECORD[:-1], '"id": 1}', f"{RECORD},{RECORD}"],
    [f"{RECORD},{RECORD}", "{", RECORD[1:]],
    [f"{RECORD}{RECORD}", RECORD],
    ["[" + RECORD, RECORD + "]"],
    [f'{RECORD[:-1]}, "id": [1', "2]}", f"{RECORD},{RECORD}"],
]
"""Lines that are malformed alone, and well formed when joined."""


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("lines", SPLIT, ids=range(len(SPLIT)))
async def test_lines_that_are_malformed_alone_are_refused(
    client: httpx.AsyncClient, lines: list[str], coding: str
) -> None:
    headers = {**NDJSON, "Content-Encoding": coding}
    body = CODINGS[coding]("".join(f"{line}\n" for line in lines).encode())
    refused = await client.post(PATH, content=body, headers=headers)
    reported = await client.post(f"{PATH}?on_error=report", content=body, headers=headers)
    assert refused.status_code == 422
    assert ["errors" in row for row in read(reported)] == [line != RECORD for line in lines]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 1000])
@pytest.mark.parametrize("form", ["/predict", "batch", "ndjson", "blank first line"])
async def test_a_byte_order_mark_may_stand_before_json(
    client: httpx.AsyncClient, form: str, size: int
) -> None:
    path = form if form == "/predict" else PATH
    body = {"batch": f'{{"instances":[{RECORD}]}}', "blank first line": f"\n{RECORD}"}
    headers = JSON if form in ("/predict", "batch") else NDJSON
    text = body.get(form, RECORD).encode()
    expected = await client.post(path, content=text, headers=headers)
    marked = b"\xef\xbb\xbf" + text

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(marked), size):
            yield marked[start : start + size]

    answer = await client.post(path, content=pieces(), headers=headers)
    assert (answer.status_code, answer.content) == (200, expected.content)


@pytest.mark.slow
@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(rng=st.randoms(use_true_random=False))
def test_a_line_is_answered_as_it_would_be_alone(predictor: Predictor, rng: Random) -> None:
    scorer = Scorer(predictor, 1000)
    texts = [as_object([*hostile.good_pairs(rng), *own(rng)]) for _ in range(3)]
    lines = [text.encode() for text in texts]
    if rng.random() < 0.9:  # cut what is well formed as a whole into lines that are not
        whole = b",".join(lines)
        commas = [place for place, byte in enumerate(whole) if byte == ord(",")]
        start, end = sorted(rng.sample(commas, 2))
        lines = [whole[:start], whole[start + 1 : end], whole[end + 1 :]]
    header = [",".join(["id", *FEATURES.names]).encode()]
    rows = [b",".join(cell_of_csv(rng) for _ in range(14)) for _ in range(3)]
    kinds: list[tuple[type[Stream], list[bytes], list[bytes]]] = [
        (NdjsonStream, [], lines), (CsvStream, header, rows)
    ]  # fmt: skip
    for make, names, some in kinds:
        together, *alone = (make(scorer) for _ in range(4))
        for stream in (together, *alone):
            if names:
                stream.without_header(names)
        answers = together.plain_answers(some) or together.other_answers(some)
        for number, (stream, line, answer) in enumerate(zip(alone, some, answers, strict=True)):
            stream.rows = number
            shown = stream.plain_answers([line]) or stream.other_answers([line])
            assert stream.written(shown) == stream.written([answer])


def own(rng: Random) -> list[tuple[str, str]]:
    """Return an id, or none."""
    return [('"id"', rng.choice(['"a"', "7", "-0", "1e400", '"a:b"', "[1]"]))][: rng.randrange(2)]


def cell_of_csv(rng: Random) -> bytes:
    return rng.choice([b"1", b"1", b"0", b" 1", b"1 ", b"p1 ", b"1],[2", b'"1"', b"\xff", b""])


async def test_answers_come_while_the_request_still_arrives(app: FastAPI) -> None:
    line = f"{json.dumps(example())}\n".encode()
    arriving: asyncio.Queue[Message] = asyncio.Queue()
    sent: asyncio.Queue[Message] = asyncio.Queue()
    scope = {
        "type": "http", "method": "POST", "path": PATH, "query_string": b"on_error=report",
        "headers": [(b"content-type", b"application/x-ndjson")], "state": {},
    }  # fmt: skip
    async with asyncio.timeout(30):
        answering = asyncio.create_task(app(scope, arriving.get, sent.put))
        for number in range(3):
            await arriving.put({"type": "http.request", "body": line, "more_body": True})
            if number == 0:
                assert (await sent.get())["status"] == 200
            assert json.loads((await sent.get())["body"])["label"] == "absence"
        await arriving.put({"type": "http.disconnect"})
        await answering
    assert sent.empty()


async def test_a_client_that_leaves_gives_its_place_back() -> None:
    app = create_app(Settings(artifact=ARTIFACT, max_batches=1))
    await test_answers_come_while_the_request_still_arrives(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        answer = await client.post(PATH, content=as_lines([example()]), headers=NDJSON)
    assert answer.status_code == 200


async def test_lines_come_out_as_they_were_cut_or_not() -> None:
    body = b"one\r\n\ntwo \n three"

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    for size in range(1, len(body) + 1):
        lines = [line async for block in blocks_of_lines(pieces(size), 100) for line in block]
        assert lines == [b"one", b"two ", b" three"]


@pytest.mark.slow
@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(rng=st.randoms(use_true_random=False))
def test_lines_that_are_read_quickly_are_answered_the_same_with_care(
    predictor: Predictor, rng: Random
) -> None:
    scorer = Scorer(predictor, 1000)
    bodies = [hostile.body(rng, is_batch=False) for _ in range(rng.choice([1, 2]))]
    lines = [body.replace(b"\n", b" ") for body in bodies]
    for one, other in ((NdjsonStream(scorer), NdjsonStream(scorer)), _csv_streams(scorer)):
        plain = one.plain_answers(lines)
        if plain is not None:
            assert other.written(other.other_answers(lines)) == one.written(plain)
        lines = [",".join(text for _, text in hostile.good_pairs(rng)).encode() for _ in range(2)]
        lines[0] = hostile.MANGLINGS[rng.randrange(5)](rng, lines[0]).replace(b"\n", b" ")


def _csv_streams(scorer: Scorer) -> tuple[CsvStream, CsvStream]:
    streams = CsvStream(scorer), CsvStream(scorer)
    for stream in streams:
        stream.without_header([",".join(FEATURES.names).encode()])
    return streams
