"""What is refused is not counted as predicted; what is answered is, whatever its form."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.protocols.native.answers import Answers
from service.settings import Settings
from service.wire.lines import BLOCK_LINES
from tests.conftest import ARTIFACT
from tests.exposition import read, series, total
from tests.service.exchanges import Exchange
from tests.service.samples import FEATURES, JSON, example, raw

pytestmark = pytest.mark.anyio

CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}
ROWS = "heartline_rows_predicted_total"
PROBABILITIES = "heartline_predicted_probability_count"
FAULTS = "heartline_validation_faults_total"
GOOD, BAD = json.dumps(example()), raw({"age": "5", "sex": "7"})


def batch(rows: list[str]) -> bytes:
    return f'{{"instances": [{",".join(rows)}]}}'.encode()


def table(rows: list[str]) -> bytes:
    data = [[*json.loads(row).values()] for row in rows]
    return json.dumps({"columns": FEATURES.names, "data": data}).encode()


def lines(rows: list[str]) -> bytes:
    return "\n".join(rows).encode()


def csv(rows: list[str]) -> bytes:
    cells = [",".join(map(str, json.loads(row).values())) for row in rows]
    return "\n".join([",".join(FEATURES.names), *cells]).encode()


FORMS: list[tuple[Callable[[list[str]], bytes], dict[str, str]]] = [
    (batch, JSON), (table, JSON), (lines, NDJSON), (csv, CSV)
]  # fmt: skip


@pytest.fixture
def app() -> FastAPI:
    return create_app(Settings(artifact=ARTIFACT, max_batch_rows=3 * BLOCK_LINES))


async def counted(client: httpx.AsyncClient) -> tuple[float, float]:
    """Return how many rows, and how many faults, have been counted."""
    samples = read((await client.get("/metrics")).text)
    assert total(samples, ROWS) == total(samples, PROBABILITIES)
    return total(samples, ROWS), total(samples, FAULTS)


@pytest.mark.parametrize(("write", "headers"), FORMS)
async def test_a_batch_that_is_answered_is_counted_once(
    client: httpx.AsyncClient, write: Callable[[list[str]], bytes], headers: dict[str, str]
) -> None:
    answer = await client.post("/predict/batch", content=write([GOOD] * 1500), headers=headers)
    assert answer.status_code == 200
    assert await counted(client) == (1500, 0)


@pytest.mark.parametrize(("write", "headers"), FORMS)
@pytest.mark.parametrize("place", ["first", "last"])
async def test_a_batch_that_is_refused_counts_its_faults_alone(
    client: httpx.AsyncClient,
    write: Callable[[list[str]], bytes],
    headers: dict[str, str],
    place: str,
) -> None:
    rows = [BAD, *[GOOD] * 1500] if place == "first" else [*[GOOD] * 1500, BAD]
    answer = await client.post("/predict/batch", content=write(rows), headers=headers)
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 2
    assert await counted(client) == (0, 2)


@pytest.mark.parametrize(("write", "headers"), FORMS)
async def test_of_many_bad_rows_the_faults_that_are_listed_are_counted(
    client: httpx.AsyncClient, write: Callable[[list[str]], bytes], headers: dict[str, str]
) -> None:
    body = write([GOOD, *[BAD] * 1500])
    answer = await client.post("/predict/batch", content=body, headers=headers)
    assert len(answer.json()["errors"]) == 200
    assert await counted(client) == (0, 200)


@pytest.mark.parametrize(("write", "headers"), FORMS)
@pytest.mark.parametrize("row", [GOOD, BAD], ids=["good", "bad"])
async def test_a_batch_of_too_many_rows_counts_nothing(
    client: httpx.AsyncClient,
    write: Callable[[list[str]], bytes],
    headers: dict[str, str],
    row: str,
) -> None:
    body = write([row] * (3 * BLOCK_LINES + 1))
    answer = await client.post("/predict/batch", content=body, headers=headers)
    assert answer.status_code == 413
    assert await counted(client) == (0, 0)


@pytest.mark.parametrize(("write", "headers"), FORMS)
async def test_a_damaged_batch_counts_nothing(
    client: httpx.AsyncClient, write: Callable[[list[str]], bytes], headers: dict[str, str]
) -> None:
    body = gzip.compress(write([GOOD] * 2000))[:-8] + bytes(8)
    coded = {**headers, "Content-Encoding": "gzip"}
    answer = await client.post("/predict/batch", content=body, headers=coded)
    assert answer.status_code == 400
    assert await counted(client) == (0, 0)


@pytest.mark.parametrize(("write", "headers"), FORMS)
async def test_a_batch_whose_client_leaves_counts_nothing(
    app: FastAPI,
    client: httpx.AsyncClient,
    write: Callable[[list[str]], bytes],
    headers: dict[str, str],
) -> None:
    exchange = Exchange(app, headers, "/predict/batch")
    exchange.arrives(write([GOOD] * 2000), more=True)
    exchange.leaves()
    await exchange.run()
    assert exchange.status == 400
    assert await counted(client) == (0, 0)


@pytest.mark.parametrize(("write", "headers"), FORMS[2:])
async def test_of_a_stream_each_row_and_fault_that_is_reported_is_counted(
    client: httpx.AsyncClient, write: Callable[[list[str]], bytes], headers: dict[str, str]
) -> None:
    target = "/predict/batch?on_error=report"
    body = write([GOOD, BAD, GOOD, *[GOOD] * 1500, BAD])
    await client.post(target, content=body, headers=headers)
    assert await counted(client) == (1502, 4)
    coded = {**headers, "Content-Encoding": "gzip"}
    cut = await client.post(target, content=gzip.compress(body)[:-8], headers=coded)
    assert "cut_short" in cut.text
    faults = sum(map(cut.text.count, ("out_of_range", "unknown_code", "cut_short")))
    assert await counted(client) == (1502 + cut.text.count("absence"), 4 + faults)


@pytest.mark.parametrize("write", [batch, table])
async def test_of_a_batch_of_json_each_row_and_fault_that_is_reported_is_counted(
    client: httpx.AsyncClient, write: Callable[[list[str]], bytes]
) -> None:
    target = "/predict/batch?on_error=report"
    await client.post(target, content=write([GOOD, BAD, GOOD, *[GOOD] * 1500, BAD]), headers=JSON)
    assert await counted(client) == (1502, 4)
    assert await sizes(client) == (1, 1504)
    cut = await client.post(target, content=write([*[BAD] * 1001, GOOD]), headers=JSON)
    assert "cut_short" in cut.text
    assert await counted(client) == (1502, 4 + 2001)
    assert await sizes(client) == (2, 1504 + 1000)
    for refused in (write([GOOD])[:-1], write([GOOD] * (3 * BLOCK_LINES + 1))):
        await client.post(target, content=refused, headers=JSON)
    assert await counted(client) == (1502, 2005 + 1)  # which is not JSON
    assert await sizes(client) == (2, 2504)


@pytest.mark.parametrize(("write", "headers"), FORMS[2:])
async def test_a_stream_that_is_refused_at_its_start_counts_nothing(
    client: httpx.AsyncClient, write: Callable[[list[str]], bytes], headers: dict[str, str]
) -> None:
    body = write([GOOD]).replace(b"age", b"age" + b"x" * 70_000)
    answer = await client.post("/predict/batch?on_error=report", content=body, headers=headers)
    assert answer.status_code == 413
    assert await counted(client) == (0, 0)


@pytest.mark.parametrize("body", [GOOD, raw({"sex": '"male"'}), batch([GOOD]), table([GOOD])])
async def test_an_answer_that_cannot_be_written_is_not_counted(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, body: str | bytes
) -> None:
    for name in ("record", "batch", "table"):
        monkeypatch.setattr(Answers, name, lambda *_: 1 / 0)
    path = "/predict/batch" if isinstance(body, bytes) else "/predict"
    for query in ("", "?on_error=report"):
        answer = await client.post(f"{path}{query}", content=body, headers=JSON)
        assert answer.status_code == 500
    assert await counted(client) == (0, 0)


SIZES = "heartline_batch_rows"


async def sizes(client: httpx.AsyncClient) -> tuple[float, float]:
    """Return how many batches have been counted, and their rows."""
    samples = read((await client.get("/metrics")).text)
    return total(samples, f"{SIZES}_count"), total(samples, f"{SIZES}_sum")


@pytest.mark.parametrize(("write", "headers"), FORMS)
async def test_a_batch_is_counted_with_its_rows_if_it_is_answered(
    client: httpx.AsyncClient, write: Callable[[list[str]], bytes], headers: dict[str, str]
) -> None:
    for rows in ([GOOD] * 1500, [GOOD] * 7, [GOOD, BAD], [GOOD] * (3 * BLOCK_LINES + 1)):
        await client.post("/predict/batch", content=write(rows), headers=headers)
    await client.post("/predict", content=GOOD, headers=JSON)
    assert await sizes(client) == (2, 1507)


@pytest.mark.parametrize(("write", "headers"), FORMS[2:])
async def test_a_stream_is_counted_at_its_end_with_the_rows_that_were_answered(
    app: FastAPI,
    client: httpx.AsyncClient,
    write: Callable[[list[str]], bytes],
    headers: dict[str, str],
) -> None:
    target = "/predict/batch?on_error=report"
    await client.post(target, content=write([GOOD, BAD, *[GOOD] * 1500, BAD]), headers=headers)
    assert await sizes(client) == (1, 1503)
    refused = write([GOOD]).replace(b"age", b"age" + b"x" * 70_000)
    assert (await client.post(target, content=refused, headers=headers)).status_code == 413
    assert await sizes(client) == (1, 1503)
    exchange = Exchange(app, headers, target)
    exchange.arrives(write([GOOD] * (BLOCK_LINES + 1)), more=True)
    exchange.leaves()
    await exchange.run()
    assert exchange.body.count(b"absence") == BLOCK_LINES
    assert await sizes(client) == (2, 1503 + BLOCK_LINES)


WARNINGS = "heartline_warnings_total"


@pytest.mark.parametrize(("write", "headers"), [(None, JSON), *FORMS])
async def test_warnings_are_counted_by_field_and_kind(
    client: httpx.AsyncClient,
    write: Callable[[list[str]], bytes] | None,
    headers: dict[str, str],
) -> None:
    old = example(age=80, serum_cholesterol=564)
    for row in (old, example(age=80), example()):
        body = json.dumps(row)
        content = write([body]) if write else body
        path = "/predict/batch" if write else "/predict"
        answer = await client.post(path, content=content, headers=headers)
        assert answer.status_code == 200
    samples = read((await client.get("/metrics")).text)
    counted = {name: value for name, value in samples.items() if name[0] == WARNINGS and value}
    assert counted == {series(WARNINGS, field="age", kind="outside_training_range"): 2}


async def test_a_field_has_a_series_for_the_warning_that_it_can_have(
    client: httpx.AsyncClient,
) -> None:
    samples = read((await client.get("/metrics")).text)
    found = {
        dict(labels)["field"]: dict(labels)["kind"] for name, labels in samples if name == WARNINGS
    }
    for column, feature in enumerate(FEATURES):
        rule = feature.rule
        if rule.is_coded:
            can_be = not rule.possible_codes <= set(rule.observed)
        else:
            can_be = (min(rule.observed), max(rule.observed)) != (rule.low, rule.high)
        assert (feature.name in found) == can_be, column
        kind = "unseen_code" if rule.is_coded else "outside_training_range"
        assert found.get(feature.name, kind) == kind


async def test_a_fault_of_the_query_is_no_fault_of_a_record(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict/batch?on_error=x", content=b"", headers=CSV)
    assert answer.status_code == 422
    assert await counted(client) == (0, 0)
