"""POST /predict/batch with records or a table as JSON, and on_error=report."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import httpx
import pytest

from model.inference.predictor import Predictor
from service.app import create_app
from service.faults import MAX_REPORTED_FAULTS
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service import careful, hostile
from tests.service.samples import FEATURES, JSON, PROBLEM, example, random_records

pytestmark = pytest.mark.anyio

PATH = "/predict/batch"
REPORT = f"{PATH}?on_error=report"

GOOD = json.dumps(example())
CELLS = json.dumps([*example().values()])
COLUMNS = json.dumps(FEATURES.names)

BAD_ROWS = [
    json.dumps(example(age=5.4, sex=None)), "{}", "7", "null", "[]",
    GOOD.replace("54", "NaN", 1), f'{GOOD[:-1]}, "agee": 1, "age": 1}}', '{"id": 1.5}',
]  # fmt: skip
BAD_CELLS = [
    json.dumps([5.4, None, *example().values()][:13]), "[]", "7", "null", "{}",
    CELLS.replace("54", "NaN", 1), CELLS.replace("[", "[1, "),
]  # fmt: skip


def batch(rows: list[str]) -> str:
    return f'{{"instances": [{", ".join(rows)}]}}'


def table(rows: list[str], columns: str = COLUMNS) -> str:
    return f'{{"columns": {columns}, "data": [{", ".join(rows)}]}}'


async def asked(client: httpx.AsyncClient, path: str, body: str | bytes) -> Any:
    response = await client.post(path, content=body, headers=JSON)
    media_type = "application/json" if response.status_code == 200 else PROBLEM
    assert response.headers["content-type"] == media_type
    return response.json()


async def reported(client: httpx.AsyncClient, body: str | bytes) -> Any:
    answer = await asked(client, REPORT, body)
    assert "status" not in answer
    return answer


def mixed(good: list[str], bad: list[str]) -> list[str]:
    """Return rows with a bad one before each good one, and at the end."""
    pairs = [(bad[place % len(bad)], row) for place, row in enumerate(good)]
    return [row for pair in pairs for row in pair] + [bad[-1]]


async def test_a_good_record_is_answered_as_alone_and_a_bad_one_by_its_faults(
    client: httpx.AsyncClient,
) -> None:
    good = [json.dumps(record) for record in random_records(30, seed=2)]
    rows = mixed(good, BAD_ROWS)
    alone = await asked(client, PATH, batch(good))
    refused = await asked(client, PATH, batch(rows))
    answer = await reported(client, batch(rows))
    assert answer.keys() == alone.keys()
    assert answer["threshold"] == alone["threshold"]
    found = answer["predictions"]
    assert [found[number] for number in range(1, len(rows), 2)] == alone["predictions"]
    assert all([*row] == ["errors"] for row in found[::2])
    assert [fault for row in found[::2] for fault in row["errors"]] == refused["errors"]


async def test_a_good_row_of_a_table_is_answered_as_alone_and_a_bad_one_by_nulls(
    client: httpx.AsyncClient,
) -> None:
    good = [json.dumps([*record.values()]) for record in random_records(30, seed=2)]
    rows = mixed(good, BAD_CELLS)
    alone = await asked(client, PATH, table(good))
    refused = await asked(client, PATH, table(rows))
    answer = await reported(client, table(rows))
    assert answer["columns"] == alone["columns"]
    assert answer["data"][1::2] == alone["data"]
    assert all(row == [None, None, None] for row in answer["data"][::2])
    assert answer["errors"] == refused["errors"]
    moved = [[*loc[:2], 2 * loc[2] + 1, *loc[3:]] for loc in _places(alone["warnings"])]
    assert _places(answer["warnings"]) == moved != []


def _places(faults: list[dict[str, Any]]) -> list[list[Any]]:
    return [fault["loc"] for fault in faults]


@pytest.mark.parametrize("rows", [0, 1, 30])
async def test_where_nothing_is_bad_the_answer_is_that_of_any_batch(
    client: httpx.AsyncClient, rows: int
) -> None:
    records = random_records(rows, seed=4)
    body = json.dumps({"instances": records})
    plain, same = [(await client.post(path, content=body, headers=JSON)) for path in (PATH, REPORT)]
    assert same.content == plain.content
    body = table([json.dumps([*record.values()]) for record in records])
    assert await reported(client, body) == {**await asked(client, PATH, body), "errors": []}


async def test_all_rows_may_be_bad(client: httpx.AsyncClient) -> None:
    answer = await reported(client, batch(["{}", "{}"]))
    assert [_places(row["errors"])[0][:3] for row in answer["predictions"]] == [
        ["body", "instances", 0],
        ["body", "instances", 1],
    ]
    assert (await reported(client, table(["7"])))["data"] == [[None, None, None]]


async def test_a_bad_row_keeps_its_id_if_that_is_valid(client: httpx.AsyncClient) -> None:
    ids = ['"a"', "-0", "1.5", "null", '7, "id": 8', '"\\u00e9"']
    rows = [f'{{"id": {own}, "age": 5}}' for own in ids] + [f'{{"id": 9, {GOOD[1:]}']
    response = await client.post(REPORT, content=batch(rows), headers=JSON)
    found = response.json()["predictions"]
    assert [row.get("id") for row in found] == ["a", 0, None, None, None, "é", 9]
    assert ["id" in row for row in found] == [True, True, False, False, False, True, True]
    assert b'{"id":-0,"errors":[' in response.content
    assert b'{"id":"\\u00e9","errors":[' in response.content


async def test_a_bad_row_of_a_table_keeps_its_id_if_that_is_valid(
    client: httpx.AsyncClient,
) -> None:
    columns = json.dumps([*FEATURES.names, "id"])
    bad, short = [CELLS.replace("54", "5", 1)[:-1], "[1" + ", 1" * 12]
    ids = ["-0", '"\\u00e9"', "1.5", "null"]
    rows = [f"{bad}, {own}]" for own in ids]
    rows += [f"{short}]", f"{short}, 3, 4]", "7", f"{CELLS[:-1]}, 9]"]
    response = await client.post(REPORT, content=table(rows, columns), headers=JSON)
    answer = response.json()
    assert answer["columns"][0] == "id"
    assert [row[0] for row in answer["data"]] == [0, "é", None, None, None, 3, None, 9]
    assert b'[-0,null,null,null],["\\u00e9",null,' in response.content
    faults = [(loc[2:], fault["type"]) for fault in answer["errors"] for loc in [fault["loc"]]]
    assert faults == [
        ([0, "age"], "out_of_range"), ([1, "age"], "out_of_range"), ([2, "age"], "out_of_range"),
        ([2, "id"], "invalid_id"), ([3, "age"], "out_of_range"), ([3, "id"], "invalid_id"),
        ([4], "wrong_length"), ([5], "wrong_length"), ([6], "not_a_list"),
    ]  # fmt: skip


UNKNOWN = json.dumps({f"u{number}": 1 for number in range(150)})


async def test_of_a_row_the_first_faults_are_listed(client: httpx.AsyncClient) -> None:
    rows = [UNKNOWN, json.dumps({**example(age=5), **json.loads(UNKNOWN)})]
    refused = await asked(client, PATH, batch(rows))
    answer = await reported(client, batch(rows))
    for number, row in enumerate(answer["predictions"]):
        own = [fault for fault in refused["errors"] if fault["loc"][2] == number]
        assert row["errors"] == own[:MAX_REPORTED_FAULTS]


@pytest.mark.parametrize("bad", [3, 4, 7])
async def test_after_the_most_bad_rows_the_answer_ends(bad: int) -> None:
    app = create_app(Settings(artifact=ARTIFACT, max_bad_rows=3))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        records = await reported(client, batch([GOOD, *["{}", GOOD] * bad]))
        rows = await reported(client, table([CELLS, *["7", CELLS] * bad]))
    kinds = [row["errors"][-1]["type"] if "errors" in row else "" for row in records["predictions"]]
    ends = ["", *["missing", ""] * 3, *(["cut_short"] if bad > 3 else [])]
    assert kinds == ends
    assert [row[0] is None for row in rows["data"]] == [kind != "" for kind in ends]
    assert [fault["type"] for fault in rows["errors"]] == [
        *["not_a_list"] * 3,
        *(["cut_short"] if bad > 3 else []),
    ]
    if bad > 3:
        last = {"msg": "More than 3 rows have faults.", "type": "cut_short"}
        assert records["predictions"][-1] == {"errors": [{"loc": ["body", "instances", 7], **last}]}
        assert rows["errors"][-1] == {"loc": ["body", "data", 7], **last}


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "7", "null", "[]", "{}", GOOD, f"[{GOOD}]", '{"instances": 7}', '{"data": []}',
        '{"instances": [{}], "x": 1}', '{"instances": [{}], "instances": [{}]}',
        batch(["{}"])[:-1], batch(['{"age": "\\ud800"}']), batch([f"{'[' * 250}{']' * 250}"]),
        table(["7"], '["age"]'), table(["7"], f"[{COLUMNS[1:-1]}, 3]"), table(["7"], "7"),
        table(["7"], f'["id", "id", {COLUMNS[1:]}'), f'{{"columns": {COLUMNS}, "data": 7}}',
    ],
)  # fmt: skip
async def test_what_is_no_batch_is_a_problem_as_ever(client: httpx.AsyncClient, body: str) -> None:
    problem = await asked(client, REPORT, body)
    assert problem["status"] == 422
    assert problem == await asked(client, PATH, body)


@pytest.mark.parametrize("write", [batch, table])
async def test_the_rows_of_a_reported_batch_are_limited(write: Any) -> None:
    app = create_app(Settings(artifact=ARTIFACT, max_batch_rows=3))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        statuses = [
            (await client.post(REPORT, content=write(["7"] * rows), headers=JSON)).status_code
            for rows in (3, 4)
        ]
    assert statuses == [200, 413]


@pytest.mark.parametrize("seed", range(20))
def test_a_row_is_answered_the_same_whichever_way_it_is_read(
    predictor: Predictor, seed: int
) -> None:
    rng, scorer = Random(seed), Scorer(predictor, 40)
    made = [hostile.record(rng, ids=['"a"', "7"]) for _ in range(40)]
    bodies = [batch([row]).encode("utf-8", "surrogatepass") for row in made]
    rows = [row for row, body in zip(made, bodies, strict=True) if careful.rows_of("batch", body)]
    found = json.loads(scorer.predict_batch(batch(rows).encode(), 40).body)["predictions"]
    for number, (row, answer) in enumerate(zip(rows, found, strict=True)):
        body = batch([row]).encode()
        for read in (scorer.predict_batch, scorer.predict_row_by_row):
            (alone,) = json.loads(read(body, 1).body)["predictions"]
            for fault in alone.get("errors", ()):
                fault["loc"][2] = number
            assert alone == answer
