"""What GET /metrics shows of one application."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import NoReturn

import anyio
import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope, Send

from model.artifact.artifact import Artifact
from service.app import create_app
from service.http.middleware.counting import MetricsMiddleware
from service.http.problems import STATUSES
from service.observability.metrics.exposition import Exposition
from service.observability.metrics.model_info import ModelMeter
from service.observability.metrics.predicted_rows import PredictionMeter
from service.observability.metrics.registry import Registry
from service.observability.metrics.requests import RequestMeter
from service.observability.metrics.slots import CELLS, Slots
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT, ROOT
from tests.exposition import Series, families, read, series, total
from tests.service.samples import FEATURES, JSON, example, raw, with_pairs

pytestmark = pytest.mark.anyio

PATIENT_VALUE = "98765.4321"
UNKNOWN_NAME = "name-of-a-patient"
GOOD = json.dumps(example())

ROUTES = {"/predict": [200, 503], "unmatched": [404]}

Scrape = Callable[[], Awaitable[dict[Series, float]]]


@pytest.fixture
def app() -> FastAPI:
    """An application that has not counted anything yet."""
    return create_app(Settings(artifact=ARTIFACT))


@pytest.fixture
def scrape(client: httpx.AsyncClient) -> Scrape:
    async def scrape() -> dict[Series, float]:
        return read((await client.get("/metrics")).text)

    return scrape


@pytest.fixture
def registry() -> Registry:
    return Registry(Slots())


def shown(registry: Registry) -> dict[Series, float]:
    return read(Exposition(registry).text().decode())


ANSWERED = [
    ("GET", "/livez", 200, "/livez"),
    ("GET", "/readyz?age=98765.4321", 200, "/readyz"),
    ("GET", "/model", 200, "/model"),
    ("GET", "/", 307, "/"),
    ("HEAD", "/docs", 200, "/docs"),
    ("GET", "/static/docs.js", 200, "/static/{path:path}"),
    ("GET", "/static/98765.4321", 404, "/static/{path:path}"),
    ("GET", "/98765.4321", 404, "unmatched"),
    ("GET", "/predict/", 404, "unmatched"),
    ("DELETE", "/predict", 405, "/predict"),
    ("POST", "/predict", 415, "/predict"),
    ("POST", "/predict/batch", 415, "/predict/batch"),
]


@pytest.mark.parametrize(("method", "path", "status", "route"), ANSWERED)
async def test_a_request_is_counted_under_its_route_and_status_once(
    client: httpx.AsyncClient, scrape: Scrape, method: str, path: str, status: int, route: str
) -> None:
    assert (await client.request(method, path)).status_code == status
    samples = await scrape()
    counted = {name: value for name, value in samples.items() if name[0].endswith("requests_total")}
    expected = series("heartline_requests_total", route=route, status=str(status))
    assert {name for name, value in counted.items() if value} == {expected}
    assert samples[series("heartline_request_duration_seconds_count", route=route)] == 1
    assert samples[series("heartline_request_duration_seconds_sum", route=route)] > 0


async def test_the_metrics_count_themselves_and_the_probes(
    client: httpx.AsyncClient, scrape: Scrape
) -> None:
    for path in ("/metrics", "/livez", "/readyz"):
        await client.get(path)
    samples = await scrape()
    for path in ("/metrics", "/livez", "/readyz"):
        assert samples[series("heartline_requests_total", route=path, status="200")] == 1


async def test_a_crash_is_counted_as_500_and_leaves_nothing_in_flight(
    client: httpx.AsyncClient, scrape: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_scorer: Scorer, _body: bytes) -> NoReturn:
        raise RuntimeError(PATIENT_VALUE)

    monkeypatch.setattr(Scorer, "predict_valid", crash)
    assert (await client.post("/predict", content=GOOD, headers=JSON)).status_code == 500
    samples = await scrape()
    assert samples[series("heartline_requests_total", route="/predict", status="500")] == 1
    assert total(samples, "heartline_requests_total") == 1
    assert samples[series("heartline_requests_in_flight")] == 1


async def test_a_request_is_in_flight_until_it_ends(app: FastAPI, scrape: Scrape) -> None:
    more = anyio.Event()

    async def receive() -> Message:
        await more.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app, scope, receive, send)
        await anyio.wait_all_tasks_blocked()
        assert (await scrape())[series("heartline_requests_in_flight")] == 2
        more.set()
    assert (await scrape())[series("heartline_requests_in_flight")] == 1


async def test_what_is_refused_before_it_is_routed_counts_under_its_path(
    registry: Registry,
) -> None:
    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 503})
        await send({"type": "http.response.body"})

    counting = MetricsMiddleware(refuse, RequestMeter(registry, ROUTES, STATUSES))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(counting), base_url="http://heartline"
    ) as client:
        await client.post("/predict")
        await client.post(f"/{PATIENT_VALUE}")
    samples = shown(registry)
    for route in ("/predict", "unmatched"):
        assert samples[series("heartline_requests_total", route=route, status="503")] == 1


def test_a_status_that_nothing_gives_is_counted_as_other(registry: Registry) -> None:
    RequestMeter(registry, ROUTES, STATUSES).answered("/predict", 418, 0.1)
    samples = shown(registry)
    assert samples[series("heartline_requests_total", route="/predict", status="other")] == 1


STATUSES_OF = {
    "/predict": "200 400 405 408 413 415 422 431 500 503",
    "/predict/batch": "200 400 405 408 413 415 422 431 500 503",
    "/livez": "200 405 500",
    "/readyz": "200 405 500 503",
    "/metrics": "200 405 500",
    "/model": "200 304 405 500 503",
    "/": "307 405 500 503",
    "/docs": "200 405 500 503",
    "/openapi.json": "200 304 405 500 503",
    "/static/{path:path}": "200 304 404 405 500 503",
    "unmatched": "404 500 503",
}
"""What each route can answer where there are neither API keys nor CORS."""


def statuses_by_route(samples: Iterable[Series]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for name, labels in samples:
        if name == "heartline_requests_total":
            values = dict(labels)
            found.setdefault(values["route"], set()).add(int(values["status"]))
    return found


async def test_a_route_has_a_series_for_each_status_that_it_can_answer_and_no_other(
    scrape: Scrape,
) -> None:
    expected = {route: {*map(int, statuses.split())} for route, statuses in STATUSES_OF.items()}
    assert statuses_by_route(await scrape()) == expected


async def test_keys_and_cors_add_the_statuses_that_they_answer() -> None:
    settings = Settings(
        artifact=ARTIFACT,
        api_keys=SecretStr(f"lab:{'k' * 16}"),
        cors_origins=("https://app.example",),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(settings)),
        base_url="http://heartline",
        headers={"Authorization": f"Bearer {'k' * 16}"},
    ) as client:
        found = statuses_by_route(read((await client.get("/metrics")).text))
    locked = {"/predict", "/predict/batch", "/metrics", "/model", "unmatched"}
    for route, statuses in STATUSES_OF.items():
        expected = {*map(int, statuses.split()), 200, 400}
        assert found[route] == (expected | {401} if route in locked else expected)


def test_a_status_that_a_route_is_not_known_to_answer_gets_its_series(registry: Registry) -> None:
    RequestMeter(registry, ROUTES, STATUSES).answered("/predict", 413, 0.1)
    samples = shown(registry)
    assert samples[series("heartline_requests_total", route="/predict", status="413")] == 1
    assert statuses_by_route(samples) == {"/predict": {200, 413, 503}, "unmatched": {404}}


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [(0.00005, "0.0001"), (0.0001, "0.0001"), (0.00011, "0.00025"), (0.25, "0.25"), (9, "+Inf")],
)
def test_a_duration_is_counted_in_the_buckets_that_it_does_not_exceed(
    registry: Registry, seconds: float, bound: str
) -> None:
    RequestMeter(registry, ROUTES, STATUSES).answered("/predict", 200, seconds)
    buckets = [
        (float(dict(labels)["le"]), value)
        for (name, labels), value in shown(registry).items()
        if name.endswith("_seconds_bucket") and ("route", "/predict") in labels
    ]
    assert {le for le, value in buckets if value} == {le for le, _ in buckets if le >= float(bound)}


async def test_rows_are_counted_by_class_with_their_probabilities(
    client: httpx.AsyncClient, scrape: Scrape
) -> None:
    rows = [example(), example(chest_pain=4, num_of_major_vessels=3, thal=7), example(age=80)]
    answers = [(await client.post("/predict", json=rows[0])).json()]
    batch = await client.post("/predict/batch", json={"instances": rows})
    answers += batch.json()["predictions"]
    samples = await scrape()
    for label in ("absence", "presence"):
        expected = sum(answer["label"] == label for answer in answers)
        assert expected
        assert samples[series("heartline_rows_predicted_total", class_=label)] == expected
    histogram = "heartline_predicted_probability"
    probabilities = [answer["probability"] for answer in answers]
    assert samples[series(f"{histogram}_count", class_="presence")] == len(answers)
    assert samples[series(f"{histogram}_sum", class_="presence")] == pytest.approx(
        sum(probabilities)
    )
    for tenth in range(1, 11):
        bucket = series(f"{histogram}_bucket", class_="presence", le=str(tenth / 10))
        assert samples[bucket] == sum(value <= tenth / 10 for value in probabilities)


async def test_of_three_classes_each_probability_is_counted() -> None:
    app = create_app(Settings(artifact=ROOT / "artifacts" / "iris.npz"))
    record = app.openapi()["paths"]["/predict"]["post"]["requestBody"]["content"][
        "application/json"
    ]["examples"]["record"]["value"]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        answer = (await client.post("/predict", json=record)).json()
        samples = read((await client.get("/metrics")).text)
    assert len(answer["probabilities"]) == 3
    for label, probability in answer["probabilities"].items():
        assert samples[
            series("heartline_predicted_probability_sum", class_=label)
        ] == pytest.approx(probability)
        assert samples[series("heartline_rows_predicted_total", class_=label)] == (
            label == answer["label"]
        )


async def test_the_examples_of_the_documents_are_not_counted(scrape: Scrape) -> None:
    assert total(await scrape(), "heartline_rows_predicted_total") == 0


FAULTY = [
    ("/predict", "{", {("record", "json_invalid"): 1}),
    ("/predict", "[]", {("record", "not_an_object"): 1}),
    ("/predict", raw({"age": "5"}), {("age", "out_of_range"): 1}),
    ("/predict", raw({"age": "NaN"}), {("age", "not_finite"): 1}),
    ("/predict", raw({"age": "null", "sex": "7"}), {("age", "null"): 1,
     ("sex", "unknown_code"): 1}),
    ("/predict", with_pairs('"cp": 4'), {("chest_pain", "duplicate_field"): 1}),
    ("/predict", with_pairs(f'"{UNKNOWN_NAME}": 1'), {("unknown", "unknown_field"): 1}),
    ("/predict", with_pairs('"x": 1', '"y": 1'), {("unknown", "unknown_field"): 2}),
    ("/predict", "{}", {(name, "missing"): 1 for name in FEATURES.names}),
    ("/predict", raw({"age": "true"}), {("age", "not_a_number"): 1}),
    ("/predict", raw({"num_of_major_vessels": "0.5"}), {("num_of_major_vessels", "not_whole"): 1}),
    ("/predict", raw({}, {"cp": 9}), {("chest_pain", "unknown_code"): 1}
     | {(name, "missing"): 1 for name in FEATURES.names if name != "chest_pain"}),
    ("/predict/batch", "{}", {("record", "missing"): 1}),
    ("/predict/batch", '{"instances": 1}', {("record", "not_a_list"): 1}),
    ("/predict/batch", '{"instances": [1, 2]}', {("record", "not_an_object"): 2}),
    ("/predict/batch", f'{{"age": 1, "instances": [{GOOD}]}}', {("unknown", "unknown_field"): 1}),
    ("/predict/batch", f'{{"instances": [{GOOD}, {raw({"age": "5"})}]}}',
     {("age", "out_of_range"): 1}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "faults"), FAULTY)
async def test_a_fault_is_counted_by_its_field_and_kind(
    client: httpx.AsyncClient,
    scrape: Scrape,
    path: str,
    body: str,
    faults: dict[tuple[str, str], int],
) -> None:
    response = await client.post(path, content=body, headers=JSON)
    assert len(response.json()["errors"]) == sum(faults.values())
    name = "heartline_validation_faults_total"
    counted = {key: value for key, value in (await scrape()).items() if key[0] == name and value}
    assert counted == {
        series(name, field=field, kind=kind): count for (field, kind), count in faults.items()
    }


POSSIBLE = [
    *FAULTY,
    *(("/predict", raw({name: "null"}), {}) for name in FEATURES.names),
    *(("/predict", raw({name: "[]"}), {}) for name in FEATURES.names),
    *(("/predict", raw({name: "1e9"}), {}) for name in FEATURES.names),
    *(("/predict", raw({name: "Infinity"}), {}) for name in FEATURES.names),
    *(("/predict", with_pairs(f'"{name}": 1'), {}) for name in FEATURES.names),
    ("/predict", raw({"num_of_major_vessels": "0.5"}), {}),
    ("/predict", "null", {}),
    ("/predict/batch", '{"instances": [], "instances": []}', {}),
    ("/predict/batch", f'{{"columns": {json.dumps(FEATURES.names)}, "data": [[]]}}', {}),
]
LINES = [
    ("", f'{{"id": [], {GOOD[1:]}'),
    ("?on_error=report", "\n".join([GOOD, " " * 2**17])),
]


async def test_a_field_has_a_series_for_each_kind_of_fault_that_it_can_have_and_no_other(
    client: httpx.AsyncClient, scrape: Scrape
) -> None:
    before = await scrape()
    for path, body, _ in POSSIBLE:
        assert (await client.post(path, content=body, headers=JSON)).status_code == 422
    ndjson = {"Content-Type": "application/x-ndjson"}
    for query, body in LINES:
        await client.post(f"/predict/batch{query}", content=body, headers=ndjson)
    name = "heartline_validation_faults_total"
    after = {key: value for key, value in (await scrape()).items() if key[0] == name}
    assert {key for key in before if key[0] == name} == set(after)
    assert [key for key, value in after.items() if not value] == []


async def test_nothing_that_a_client_wrote_gets_into_the_metrics(
    client: httpx.AsyncClient, scrape: Scrape
) -> None:
    before = await scrape()
    marked = raw({"age": PATIENT_VALUE, "sex": f'"{UNKNOWN_NAME}"'})
    bodies = [marked, with_pairs(f'"{UNKNOWN_NAME}": {PATIENT_VALUE}'), PATIENT_VALUE, GOOD]
    for body in bodies:
        for path in ("/predict", "/predict/batch", f"/{UNKNOWN_NAME}", f"/static/{UNKNOWN_NAME}"):
            for method in ("POST", UNKNOWN_NAME.upper()):
                headers = {**JSON, "X-Request-ID": UNKNOWN_NAME, UNKNOWN_NAME: PATIENT_VALUE}
                url = f"{path}?{UNKNOWN_NAME}={PATIENT_VALUE}"
                await client.request(method, url, content=body, headers=headers)
        batch = f'{{"instances": [{body}]}}'
        await client.post("/predict/batch", content=batch, headers=JSON)
    after = await scrape()
    assert total(after, "heartline_requests_total") > total(before, "heartline_requests_total")
    assert set(after) == set(before)
    page = (await client.get("/metrics")).text
    assert UNKNOWN_NAME not in page.lower()
    assert PATIENT_VALUE not in page


async def test_the_served_model_is_reported(scrape: Scrape, artifact: Artifact) -> None:
    labels = {"name": artifact.name, "version": artifact.version}
    assert (await scrape())[series("heartline_model_info", **labels)] == 1


def test_another_model_takes_the_place_of_the_old_one(
    registry: Registry, artifact: Artifact
) -> None:
    meter = ModelMeter(registry)
    registry.serves("old", "000000000000")
    meter.reloaded("refused")
    meter.serves(artifact)
    meter.reloaded("swapped")
    meter.reloaded("swapped")
    samples = shown(registry)
    assert [key for key in samples if key[0] == "heartline_model_info"] == [
        series("heartline_model_info", name=artifact.name, version=artifact.version)
    ]
    assert samples[series("heartline_model_reloads_total", result="refused")] == 1
    assert samples[series("heartline_model_reloads_total", result="swapped")] == 2


async def test_the_build_is_named(scrape: Scrape) -> None:
    labels = {"version": version("heartline"), "python_version": platform.python_version()}
    found = {key: value for key, value in (await scrape()).items() if key[0].endswith("build_info")}
    assert found == {series("heartline_build_info", **labels): 1}


async def test_the_worker_is_reported_of(scrape: Scrape) -> None:
    samples = await scrape()
    assert samples[series("heartline_workers")] == 1
    assert samples[series("heartline_worker_deaths_total")] == 0
    assert samples[series("process_resident_memory_bytes", worker="0")] > 2**20
    assert samples[series("process_cpu_seconds_total", worker="0")] > 0


@pytest.mark.usefixtures("logging_restored")
async def test_a_worker_that_stops_in_order_leaves_its_slot() -> None:
    slots = Slots()
    app = create_app(Settings(artifact=ARTIFACT), slots=slots)
    async with app.router.lifespan_context(app):
        assert slots.table["pid"].tolist() == [os.getpid()]
    assert slots.table["pid"].tolist() == [0]


def test_what_a_worker_has_counted_is_reported_after_it_has_left(registry: Registry) -> None:
    RequestMeter(registry, ROUTES, STATUSES).answered("/predict", 200, 0.1)
    registry.leave()
    samples = shown(registry)
    assert samples[series("heartline_workers")] == 0
    assert samples[series("heartline_requests_total", route="/predict", status="200")] == 1


async def test_the_answer_is_prometheus_text(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_the_page_of_metrics_lists_each_with_its_type_and_labels() -> None:
    app = create_app(Settings(artifact=ARTIFACT, api_keys=SecretStr(f"lab:{'k' * 16}")))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://heartline",
        headers={"Authorization": f"Bearer {'k' * 16}"},
    ) as client:
        text = (await client.get("/metrics")).text
    found = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in families(text).values()
    }
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", page, flags=re.MULTILINE)
    assert {name: (type_, set(re.findall(r"`(\w+)`", labels))) for name, type_, labels in rows} == (
        found
    )


def test_a_family_that_finds_no_room_says_so(registry: Registry) -> None:
    with pytest.raises(ValueError, match=f"too_many_total needs {CELLS + 1} cells"):
        registry.counter("too_many_total", "", {"number": range(CELLS + 1)})


class Slow:
    """Numbers that let another thread go on between being read and being written."""

    def __init__(self, cells: memoryview[float]) -> None:
        self._cells = cells

    def __getitem__(self, place: int) -> float:
        value = self._cells[place]
        time.sleep(0.001)
        return value

    def __setitem__(self, place: int, value: float) -> None:
        self._cells[place] = value


def test_threads_that_predict_at_once_lose_nothing(registry: Registry, artifact: Artifact) -> None:
    registry.cells = Slow(registry.cells)  # type: ignore[assignment]
    meter = PredictionMeter(registry, artifact)
    unseen = np.zeros((3, len(artifact.features)), np.bool_)
    unseen[:, 0] = True
    missing = np.zeros_like(unseen)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(meter.predicted, np.full(3, 0.5), np.array([0, 0, 0]), unseen, missing)
            pool.submit(meter.predicted_row, 0.5, 0, [0], [])
    samples = shown(registry)
    assert samples[series("heartline_rows_predicted_total", class_="absence")] == 16
    assert samples[series("heartline_predicted_probability_count", class_="presence")] == 16
    assert samples[series("heartline_predicted_probability_sum", class_="presence")] == 8
    assert total(samples, "heartline_warnings_total", field=artifact.features.names[0]) == 16
