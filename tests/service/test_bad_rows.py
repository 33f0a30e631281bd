"""Rows with faults: how many a stream reports, and how large the answer becomes."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from fastapi import FastAPI

from service.app import create_app
from service.faults import MAX_BAD_ROWS, MAX_REPORTED_FAULTS
from service.settings import Settings
from service.validation.record_validation import Validator
from tests.conftest import ARTIFACT
from tests.service.exchanges import answered, metric
from tests.service.samples import FEATURES, JSON, example

pytestmark = pytest.mark.anyio

PATH = "/predict/batch"
REPORT = f"{PATH}?on_error=report"
CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {"Content-Encoding": "gzip"}
RECORD = json.dumps(example()).encode()
HEADER = f"{','.join(FEATURES.names)}\n".encode()
ROWS = "heartline_rows_predicted_total"


@pytest.mark.parametrize(("headers", "first"), [(NDJSON, b""), (CSV, HEADER)], ids=["json", "csv"])
@pytest.mark.parametrize("row", [b"1\n", b"{}\n", b",,,,,,,,,,,,,,\n"])
async def test_a_stream_of_bad_rows_ends_after_the_most_that_are_reported(
    headers: dict[str, str], first: bytes, row: bytes
) -> None:
    app = create_app(Settings(artifact=ARTIFACT))
    body = gzip.compress(first + row * 200_000)
    exchange = await answered(app, {**headers, **GZIP}, REPORT, [body])
    *bad, last = exchange.body.splitlines()[bool(first) :]
    assert len(bad) == 1000
    assert b"cut_short" in last
    assert b"More than 1000 rows have faults." in last
    assert not [line for line in bad if b"cut_short" in line]
    assert len(exchange.body) < 2 * 2**20


@pytest.mark.parametrize(("bad", "is_cut_short"), [(3, False), (4, True)])
@pytest.mark.parametrize("block", [1, 100])
async def test_the_row_with_faults_after_the_last_that_is_reported_ends_the_stream(
    bad: int, is_cut_short: bool, block: int
) -> None:
    app = create_app(Settings(artifact=ARTIFACT, max_bad_rows=3))
    lines = [*[RECORD + b"\n", b"{}\n"] * bad, RECORD + b"\n"]
    parts = [b"".join(lines[start : start + block]) for start in range(0, len(lines), block)]
    exchange = await answered(app, NDJSON, REPORT, parts)
    kinds = [row["errors"][0]["type"] if "errors" in row else "good" for row in exchange.rows]
    assert kinds == ["good", "missing"] * 3 + ["good"] + ["cut_short"] * is_cut_short
    assert exchange.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert await metric(app, ROWS) == 4
    if is_cut_short:
        assert exchange.rows[-1]["errors"][0]["loc"] == ["body", 7]


BAD_ROW_BYTES = 10_000
"""The faults of a row take at most so many."""
WIDE = json.dumps(
    {f"{number:03d}" + "\U0001f600" * 61: 1 for number in range(100)}, ensure_ascii=False
).encode()


@pytest.mark.parametrize("row", [WIDE, b"{}", b'{"' + b'a":1,"' * 100 + b'b":2}'], ids=range(3))
async def test_the_faults_of_a_reported_row_are_few_and_short(app: FastAPI, row: bytes) -> None:
    exchange = await answered(app, NDJSON, REPORT, [row])
    (answer,) = exchange.rows
    assert 0 < len(answer["errors"]) <= MAX_REPORTED_FAULTS
    assert len(exchange.body) < BAD_ROW_BYTES


RATIO = 20
"""The answer to a valid row is at most so many times as large."""

BAD_LINES = [b"{}", b'{"age": 1}', RECORD[:-1] + b',"x":1}', RECORD[:-1] + b',"id":1.5}', b"["]


@pytest.mark.parametrize("line", BAD_LINES)
async def test_of_a_refused_batch_all_bad_rows_are_counted_and_the_first_are_searched(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    searched = 0
    search = Validator.refusal

    def counted(self: Validator, *arguments: Any) -> Any:
        nonlocal searched
        searched += 1
        return search(self, *arguments)

    monkeypatch.setattr(Validator, "refusal", counted)
    body = (line + b"\n" + RECORD + b"\n") * 1000
    exchange = await answered(app, NDJSON, PATH, [body])
    problem = json.loads(exchange.body)
    assert problem["detail"].startswith("1000 records have faults")
    assert {fault["loc"][1] for fault in problem["errors"]} == {*range(0, 200, 2)}
    assert searched < 2 * MAX_BAD_ROWS


UNSEEN = [
    feature.codes[-1][0] if feature.is_coded else int(feature.maximum) for feature in FEATURES
]
WORST = {
    "unseen NDJSON": (NDJSON, json.dumps(dict(zip(FEATURES.names, UNSEEN, strict=True))).encode()),
    "unseen CSV": (CSV, ",".join(map(str, UNSEEN)).encode()),
    "empty NDJSON": (NDJSON, b"{}"),
    "empty CSV": (CSV, b","),
    "unknown NDJSON": (NDJSON, b'{"' + b'":1,"'.join(b"%d" % n for n in range(100)) + b'":1}'),
    "long NDJSON": (NDJSON, WIDE),
}


@pytest.mark.parametrize("case", WORST)
async def test_an_answer_is_bounded_by_its_request(app: FastAPI, case: str) -> None:
    headers, row = WORST[case]
    bad_row_bytes = 0 if case.startswith("unseen") else BAD_ROW_BYTES
    body = (HEADER if headers is CSV else b"") + (row + b"\n") * 200
    exchange = await answered(app, headers, REPORT, [body])
    assert len(exchange.body) < max(RATIO * len(body), 200 * bad_row_bytes)
    refused = await answered(app, headers, PATH, [body])
    assert len(refused.body) < max(RATIO * len(body), 100 * 5 * bad_row_bytes)


@pytest.mark.parametrize("case", WORST)
async def test_an_answer_in_json_is_bounded_by_its_request(app: FastAPI, case: str) -> None:
    headers, row = WORST[case]
    bad_row_bytes = 0 if case.startswith("unseen") else BAD_ROW_BYTES
    names = json.dumps(FEATURES.names).encode()
    body = {
        "application/x-ndjson": b'{"instances":[%b]}' % b",".join([row] * 200),
        "text/csv": b'{"columns":%b,"data":[%b]}' % (names, b",".join([b"[%b]" % row] * 200)),
    }[headers["Content-Type"]].replace(b"[,]", b"[]")
    exchange = await answered(app, JSON, REPORT, [body])
    assert exchange.status == 200
    assert len(exchange.body) < max(RATIO * len(body), 200 * bad_row_bytes)
