"""A model of 2,000 features and 100 classes is served in every form, and counted."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from model.artifact.artifact import Artifact
from model.schema.features import FeatureSet
from service.app import _fitted, create_app
from service.faults import MAX_COMPARED
from service.observability.metrics.exposition import Exposition
from service.observability.metrics.predicted_rows import PredictionMeter, cells_of
from service.observability.metrics.registry import Registry
from service.observability.metrics.slots import CELLS, SharedSlots, Slots
from service.settings import Settings
from service.validation import fault_finder
from service.wire.sizes import longest_record
from tests.conftest import ARTIFACT
from tests.exposition import Series, read, series, total
from tests.service.samples import JSON
from tests.variants import shifted, with_feature
from tests.wide import wide_artifact

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FAULTS = "heartline_validation_faults_total"
CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wide") / "wide.npz"


@pytest.fixture(scope="module")
def wide(path: Path) -> Artifact:
    return wide_artifact(Artifact.load(ARTIFACT)).save(path)


@pytest.fixture(scope="module")
def app(path: Path, wide: Artifact) -> FastAPI:
    return create_app(Settings(artifact=path, reload_seconds=3600))


def example(wide: Artifact) -> dict[str, Any]:
    return dict(wide.features.example())


def csv_of(wide: Artifact, rows: int) -> bytes:
    text = StringIO()
    record = example(wide)
    csv.writer(text).writerows([["id", *record], *[[n, *record.values()] for n in range(rows)]])
    return text.getvalue().encode()


async def scrape(client: httpx.AsyncClient) -> dict[Series, float]:
    return read((await client.get("/metrics")).text)


async def test_every_form_gets_the_same_answer(client: httpx.AsyncClient, wide: Artifact) -> None:
    before = await scrape(client)
    record = example(wide)
    body = json.dumps(record)
    assert len(body) > 2**16
    alone = (await client.post("/predict", content=body, headers=JSON)).json()
    expected = alone["probabilities"]
    assert list(expected) == list(wide.labels)
    by_alias = {feature.aliases[0]: record[feature.name] for feature in wide.features}
    assert (await client.post("/predict", json=by_alias)).json() == alone
    packed = {**JSON, "Content-Encoding": "gzip"}
    for content, headers in (
        (json.dumps({"instances": [record] * 3}).encode(), JSON),
        (gzip.compress(json.dumps({"instances": [record, by_alias, record]}).encode()), packed),
    ):
        batch = await client.post("/predict/batch", content=content, headers=headers)
        assert [row["probabilities"] for row in batch.json()["predictions"]] == [expected] * 3
    table = {"columns": [*record], "data": [[*record.values()]] * 3}
    rows = (await client.post("/predict/batch", json=table)).json()["data"]
    assert [row[:100] for row in rows] == [[*expected.values()]] * 3
    for way in ("refuse", "report"):
        url = f"/predict/batch?on_error={way}"
        lines = await client.post(url, content=f"{body}\n{body}\n{body}", headers=NDJSON)
        found = [json.loads(line)["probabilities"] for line in lines.text.splitlines()]
        assert found == [expected] * 3
        cells = await client.post(url, content=csv_of(wide, 3), headers=CSV)
        for answer in csv.DictReader(StringIO(cells.text)):
            assert {label: float(answer[f"probability_{label}"]) for label in expected} == expected
    samples = await scrape(client)
    counted = "heartline_rows_predicted_total"
    assert total(samples, counted) - total(before, counted) == 1 + 1 + 3 + 3 + 3 + 2 * (3 + 3)


async def test_every_fault_is_counted_and_none_that_never_occurred_is_exposed(
    client: httpx.AsyncClient, wide: Artifact
) -> None:
    refused = await client.post("/predict", json=dict.fromkeys(wide.features.names, "x"))
    assert len(refused.json()["errors"]) == len(wide.features)
    await client.post("/predict", json={**example(wide), "other": 1})
    samples = await scrape(client)
    counted = {key: value for key, value in samples.items() if key[0] == FAULTS}
    assert set(counted.values()) == {1}
    assert len(counted) == len(wide.features) + 1
    assert counted[series(FAULTS, field="unknown", kind="unknown_field")] == 1


async def test_the_documents_show_all_of_it(client: httpx.AsyncClient, wide: Artifact) -> None:
    document = (await client.get("/openapi.json")).json()
    record = document["components"]["schemas"]["InputRecord"]
    assert record["required"] == wide.features.names
    assert [*record["properties"]] == [*wide.features.names, "id"]
    assert document["components"]["schemas"]["BatchRow"]["properties"]["label"]["enum"] == (
        list(wide.labels)
    )
    card = (await client.get("/model")).json()
    assert len(card["features"]) == len(wide.features)
    assert (await client.get("/readyz")).json()["model_version"] == wide.version


async def test_hints_at_unknown_names_take_a_bounded_number_of_comparisons(
    client: httpx.AsyncClient, wide: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []

    def count(_word: str, possibilities: Any, n: int) -> list[str]:
        compared.append(len(possibilities) * n)
        return []

    monkeypatch.setattr(fault_finder, "get_close_matches", count)
    record = {**example(wide), **{f"unknown_{number}": 1 for number in range(100)}}
    refused = (await client.post("/predict", json=record)).json()
    assert len(refused["errors"]) == 100
    assert 0 < sum(compared) < MAX_COMPARED + 2 * len(wide.features)


async def test_arrays_beyond_any_batch_are_refused_unparsed(client: httpx.AsyncClient) -> None:
    content = b'{"instances":[' + b"[]," * 1_000_000 + b"[]]}"
    refused = await client.post("/predict/batch", content=content, headers=JSON)
    assert refused.status_code == 413


async def test_the_longest_record_is_taken_and_a_longer_one_is_not(
    client: httpx.AsyncClient, wide: Artifact
) -> None:
    body = json.dumps(example(wide), indent=8).encode()
    most = longest_record(wide.features)
    assert len(body) < most
    for spare, status in ((most - len(body), 200), (most - len(body) + 1, 413)):
        answer = await client.post("/predict", content=body + b" " * spare, headers=JSON)
        assert answer.status_code == status


def test_a_limit_that_is_set_holds_for_a_wide_model_too(
    wide: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    unset = Settings(artifact=ARTIFACT)
    assert _fitted(unset, wide.features).max_record_bytes == longest_record(wide.features)
    monkeypatch.setenv("HEARTLINE_MAX_RECORD_BYTES", "65536")
    for given in (Settings(artifact=ARTIFACT), Settings(artifact=ARTIFACT, max_record_bytes=1024)):
        assert _fitted(given, wide.features) == given


async def test_another_one_is_swapped_in(
    app: FastAPI, client: httpx.AsyncClient, wide: Artifact, path: Path
) -> None:
    before = (await client.post("/predict", json=example(wide))).json()
    other = shifted(wide, 1.0).save(path)
    reloader = app.state.reloader
    reload = await anyio.to_thread.run_sync(reloader._read_again)
    assert (reload.outcome, reload.artifact.version) == ("swapped", other.version)
    after = (await client.post("/predict", json=example(wide))).json()
    assert after["model_version"] == other.version != before["model_version"]


def test_the_memory_of_the_metrics_grows_with_the_model(wide: Artifact) -> None:
    for artifact in (wide, Artifact.load(ARTIFACT)):
        registry = Registry(Slots(cells_of(artifact)))
        PredictionMeter(registry, artifact)
        assert 200 < registry.families[-1].end <= cells_of(artifact) - CELLS


def test_workers_share_as_many_cells_as_the_model_needs(wide: Artifact) -> None:
    slots = SharedSlots.create(cells_of(wide))
    registry = Registry(slots)
    meter = PredictionMeter(registry, wide)
    last = wide.features.names[-1]
    meter.refused([{"loc": ["body", last], "type": "missing"}])
    samples = read(Exposition(registry).text().decode())
    assert samples[series(FAULTS, field=last, kind="missing")] == 1


@pytest.mark.parametrize("name", ["record", "unknown", "id", "class"])
async def test_a_feature_with_a_name_of_ours_is_counted_once(
    name: str, artifact: Artifact, tmp_path: Path
) -> None:
    path = tmp_path / "model.npz"
    with_feature(artifact, "age", name=name).save(path)
    transport = httpx.ASGITransport(create_app(Settings(artifact=path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        for _ in range(2):
            await client.post("/predict", json={})
        samples = await scrape(client)
    assert samples[series(FAULTS, field=name, kind="missing")] == 2
    assert total(samples, FAULTS) == 2 * len(artifact.features)
    assert samples[series("heartline_model_reloads_total", result="refused")] == 0
    assert total(samples, "heartline_requests_total") == 2


async def test_the_limit_of_a_record_grows_with_its_names_and_codes(artifact: Artifact) -> None:
    alone = FeatureSet([artifact.features[0]])
    longer = FeatureSet([replace(artifact.features[0], aliases=("ä" * 64,))])
    assert longest_record(longer) - longest_record(alone) == 64 * len("\\u00e4") - len("age")
    assert longest_record(artifact.features) < Settings(artifact=ARTIFACT).max_record_bytes
