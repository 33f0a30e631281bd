"""The fast path: what it answers is what the whole stack answers, to the last byte."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, NoReturn

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from model.artifact import Artifact
from service.app import Application, create_app
from service.fast_path import FastPath
from service.keys import ApiKeys, read_keys
from service.metrics.keys import KeyMeter
from service.metrics.predictions import PredictionMeter
from service.metrics.registry import Registry
from service.metrics.requests import RequestMeter
from service.metrics.slots import Slots
from service.models import ServedModel
from service.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.exposition import Series, read
from tests.service.samples import JSON, MEASURED, example, random_records, raw, with_pairs

pytestmark = pytest.mark.anyio

GOOD = json.dumps(example()).encode()
KEY = "k" * 16
KEYED = Settings(artifact=ARTIFACT, api_keys=f"laboratory:{KEY}")


class Told(NamedTuple):
    """All that is to be seen of a request, but for the times and a random id."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    lines: list[dict[str, Any]]
    metrics: dict[Series, float]


async def _chunks() -> AsyncIterator[bytes]:
    yield GOOD[:50]
    yield GOOD[50:]


async def _ask(app: Application, caplog: pytest.LogCaptureFixture, **request: Any) -> Told:
    caplog.clear()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        answer = await client.request(**{"method": "POST", "url": "/predict", **request})
        metrics = await client.get("/metrics", headers={"Authorization": f"Bearer {KEY}"})
    names = ("method", "route", "status", "key_name", "trace_id", "span_id")
    lines = [
        {name: getattr(record, name, None) for name in names}
        for record in caplog.records
        if record.name == "heartline.access"
    ]
    own = request.get("headers", {}).get("X-Request-ID") == "mine"
    headers = [pair for pair in answer.headers.raw if own or pair[0] != b"x-request-id"]
    counted = {
        series: value
        for series, value in read(metrics.text).items()
        if series[0].startswith("heartline_") and "seconds" not in series[0]
    }
    return Told(answer.status_code, headers, answer.content, lines[:1], counted)


def _requests() -> dict[str, dict[str, Any]]:
    unfamiliar = example(age=105.4321)
    traced = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    return {
        "plain": {"content": GOOD, "headers": JSON},
        "with an id": {"content": GOOD, "headers": {**JSON, "X-Request-ID": "mine"}},
        "with an id that is none": {"content": GOOD, "headers": {**JSON, "X-Request-ID": "a b"}},
        "within a trace": {"content": GOOD, "headers": {**JSON, **traced}},
        "as UTF-8": {
            "content": GOOD,
            "headers": {"Content-Type": "application/json; charset=utf-8"},
        },
        "in chunks": {"content": _chunks(), "headers": JSON},
        "compressed": {
            "content": gzip.compress(GOOD),
            "headers": {**JSON, "Content-Encoding": "gzip"},
        },
        "with aliases": {"content": GOOD.replace(b"chest_pain", b"cp"), "headers": JSON},
        "with names of codes": {"json": example(sex="male")},
        "to be warned of": {"json": unfamiliar},
        "of other numbers": {"content": raw({"chest_pain": "3.0"}), "headers": JSON},
        "with a fault": {"json": example(age=5)},
        "with a field twice": {"content": with_pairs('"age": 54'), "headers": JSON},
        "without a body": {"headers": JSON},
        "too long": {"content": GOOD.ljust(2**16 + 1), "headers": JSON},
        "of another kind": {"content": GOOD, "headers": {"Content-Type": "text/csv"}},
        "of no kind": {"content": GOOD},
        "with GET": {"method": "GET"},
        "elsewhere": {"url": "/predict/", "content": GOOD, "headers": JSON},
    }


@pytest.mark.parametrize("name", _requests())
async def test_both_ways_answer_log_and_count_the_same(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fast, slow = (create_app(Settings(artifact=ARTIFACT)) for _ in range(2))
    slow.fast_path = None
    told = await _ask(fast, caplog, **_requests()[name])
    assert told == await _ask(slow, caplog, **_requests()[name])
    assert len(told.lines) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY} "},
        {"Authorization": f"Bearer {KEY}x"},
        {},
    ],
)
async def test_both_ways_know_the_keys(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fast, slow = create_app(KEYED), create_app(KEYED)
    slow.fast_path = None
    request = {"content": GOOD, "headers": {**JSON, **headers}}
    assert await _ask(fast, caplog, **request) == await _ask(slow, caplog, **request)


async def test_any_familiar_record_gets_the_same_bytes_both_ways() -> None:
    app = create_app(Settings(artifact=ARTIFACT, log_level="warning"))
    fast, slow = httpx.ASGITransport(app), httpx.ASGITransport(app.stack)
    async with (
        httpx.AsyncClient(transport=fast, base_url="http://heartline") as one,
        httpx.AsyncClient(transport=slow, base_url="http://heartline") as other,
    ):
        for record in random_records(100, seed=7):
            ranges = {f.name: (min(f.observed), max(f.observed)) for f in MEASURED}
            seen = {name: min(max(record[name], low), high) for name, (low, high) in ranges.items()}
            body = {**record, **seen}
            answers = [await client.post("/predict", json=body) for client in (one, other)]
            assert answers[0].content == answers[1].content


def _fast_path(artifact: Artifact, keys: ApiKeys | None) -> FastPath:
    """A fast path that nothing comes after."""

    async def stack(scope: Scope, receive: Receive, send: Send) -> NoReturn:
        raise NotImplementedError

    registry = Registry(Slots())
    model = ServedModel(artifact, 10, PredictionMeter(registry, artifact))
    meter = RequestMeter(registry, ["/predict"])
    key_meter = KeyMeter(registry, keys.names if keys else ())
    return FastPath(stack, model, meter, keys, key_meter, 2**16)


@pytest.mark.parametrize(
    ("keys", "headers"), [(None, {}), (read_keys(KEYED), {"Authorization": f"Bearer {KEY}"})]
)
async def test_a_plain_request_does_not_reach_the_stack(
    artifact: Artifact, keys: ApiKeys | None, headers: dict[str, str]
) -> None:
    transport = httpx.ASGITransport(_fast_path(artifact, keys))
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        answer = await client.post("/predict", content=GOOD, headers={**JSON, **headers})
        assert answer.status_code == 200
        with pytest.raises(NotImplementedError):
            await client.post("/predict", content=GOOD)


@pytest.mark.parametrize(
    "settings", [{"tracing": True}, {"cors_origins": ("https://app.example",)}], ids=str
)
def test_where_more_is_added_to_every_answer_there_is_no_fast_path(
    settings: dict[str, Any],
) -> None:
    assert create_app(Settings(artifact=ARTIFACT)).fast_path
    assert create_app(Settings(artifact=ARTIFACT, **settings)).fast_path is None


async def test_a_crash_is_left_to_the_stack_which_answers_it(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scorer, "predict_familiar", None)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        answer = await client.post("/predict", content=GOOD, headers=JSON)
    assert answer.json()["type"] == "urn:heartline:problem:internal-error"
