"""The threshold of the operator: what it changes, where it is shown, and when it is rejected."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.artifact import Artifact
from model.errors import HeartlineError
from model.inference.predictor import Predictor
from service.app import create_app
from service.inference.model_file import ModelFile
from service.protocols.native.scoring import Scorer
from service.settings import Settings, SettingsError
from tests.conftest import ARTIFACT
from tests.end_to_end.processes import calling, run
from tests.examples import examples
from tests.service.conftest import running_server
from tests.service.samples import example, random_records

pytestmark = pytest.mark.anyio

MOONS, IRIS = ARTIFACT.with_name("moons.npz"), ARTIFACT.with_name("iris.npz")
REASON = "Set by the operator of this service."
RECORDS = random_records(100, seed=3)


@asynccontextmanager
async def client_of(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(**{"artifact": ARTIFACT, **changes}))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        yield client


async def predicted(client: httpx.AsyncClient, records: list[dict[str, float]]) -> dict[str, Any]:
    response = await client.post("/predict/batch", json={"instances": records})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def changed_only_in_decision(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of what differs, but for the decision of each row."""
    names = [name for name in before if name != "predictions" and before[name] != after[name]]
    for old, new in zip(before["predictions"], after["predictions"], strict=True):
        names += [name for name in old if old[name] != new[name]]
    return sorted({*names} - {"predicted_class", "label"})


@pytest.mark.parametrize("threshold", [0.05, 1 / 6, 0.9])
async def test_a_threshold_moves_the_decision_and_no_probability(
    threshold: float, artifact: Artifact
) -> None:
    async with client_of() as own, client_of(threshold=threshold) as moved:
        before, after = await predicted(own, RECORDS), await predicted(moved, RECORDS)
    assert changed_only_in_decision(before, after) == ["threshold"]
    assert after["threshold"] == threshold
    assert before["predictions"] != after["predictions"]
    for row in after["predictions"]:
        assert row["predicted_class"] == int(row["probability"] > threshold)
        assert row["label"] == artifact.labels[row["predicted_class"]]


@settings(derandomize=True, deadline=None, max_examples=examples(50))
@given(
    threshold=st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
    seed=st.integers(0, 9),
)
def test_any_threshold_is_what_a_probability_must_exceed(threshold: float, seed: int) -> None:
    artifact = ModelFile(Settings(artifact=ARTIFACT, threshold=threshold)).artifact
    scorer = Scorer(artifact.predictor(), max_rows=100)
    records = random_records(20, seed)
    answer = json.loads(scorer.predict_batch(json.dumps({"instances": records}).encode()).body)
    expected = scorer.predictor.predict_records(records) > threshold
    assert [row["predicted_class"] for row in answer["predictions"]] == expected.tolist()
    assert answer["threshold"] == threshold


async def test_a_probability_that_equals_the_threshold_is_not_above_it(
    predictor: Predictor,
) -> None:
    probability = float(predictor.predict_records([example()])[0])
    below = float(np.nextafter(probability, 0.0))
    for threshold, number in ((probability, 0), (below, 1)):
        async with client_of(threshold=threshold) as client:
            answer = (await client.post("/predict", json=example())).json()
        assert (answer["predicted_class"], answer["threshold"]) == (number, threshold)


async def test_one_record_gets_the_threshold_of_the_batch() -> None:
    async with client_of(threshold=0.25) as client:
        answer = (await client.post("/predict", json=example())).json()
        batch = await predicted(client, [example()])
    (row,) = batch.pop("predictions")
    assert answer == {**row, **batch}
    assert answer["threshold"] == 0.25


async def test_the_model_card_shows_the_threshold_that_is_used_and_whose_it_is(
    artifact: Artifact,
) -> None:
    async with client_of() as own, client_of(threshold=0.25) as moved:
        before, after = (await own.get("/model")).json(), (await moved.get("/model")).json()
    assert before["threshold"] == artifact.threshold == 0.5
    assert before["threshold_reason"] == artifact.threshold_reason
    assert "1/6" in before["threshold_reason"]
    assert after == {**before, "threshold": 0.25, "threshold_reason": REASON}


async def test_the_document_shows_answers_at_the_threshold_that_is_used() -> None:
    async with client_of(threshold=0.25) as client:
        document = (await client.get("/openapi.json")).json()
        for path, body in (("/predict", example()), ("/predict/batch", {"instances": [example()]})):
            answer = document["paths"][path]["post"]["responses"]["200"]["content"]
            shown = answer["application/json"]["example"]
            assert shown["threshold"] == 0.25
            assert (await client.post(path, json=body)).json() == shown
        card = document["paths"]["/model"]["get"]["responses"]["200"]["content"]
        assert card["application/json"]["example"] == (await client.get("/model")).json()


async def test_the_model_stays_the_same_version_and_ready(artifact: Artifact) -> None:
    async with client_of(threshold=0.25) as client:
        ready = (await client.get("/readyz")).json()
    assert ready == {"status": "ready", "model_version": artifact.version}


async def test_moons_take_a_threshold_too() -> None:
    point = {"x": 0.5, "y": 0.25}
    (probability,) = Artifact.load(MOONS).predictor().predict_records([point]).tolist()
    for threshold, label in ((probability / 2, "lower"), ((1 + probability) / 2, "upper")):
        async with client_of(artifact=MOONS, threshold=threshold) as client:
            answer = (await client.post("/predict", json=point)).json()
        assert (answer["label"], answer["threshold"]) == (label, threshold)


def test_without_a_threshold_the_artifact_is_served_as_it_is(artifact: Artifact) -> None:
    loaded = ModelFile(Settings(artifact=ARTIFACT)).artifact
    assert (loaded.threshold, loaded.threshold_reason) == (0.5, artifact.threshold_reason)
    assert loaded.sha256 == artifact.sha256
    assert ModelFile(Settings(artifact=IRIS)).artifact.threshold is None


def test_of_three_classes_a_threshold_is_refused_with_what_decides_instead() -> None:
    for use in (ModelFile, create_app):
        with pytest.raises(SettingsError) as caught:
            use(Settings(artifact=IRIS, threshold=0.5))
        assert isinstance(caught.value, HeartlineError)
        assert str(caught.value) == (
            "HEARTLINE_THRESHOLD: the model iris predicts the most probable of setosa, "
            "versicolor, virginica, without a threshold; unset it"
        )


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_threshold_with_three_classes_ends_the_command_with_one_line_and_a_code(
    workers: str,
) -> None:
    settings = {"HEARTLINE_ARTIFACT": str(IRIS), "HEARTLINE_WORKERS": workers}
    ended = run("serve", **settings, HEARTLINE_THRESHOLD="0.5")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("heartline: HEARTLINE_THRESHOLD: the model iris ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_worker_of_a_running_service_uses_the_threshold(workers: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = {"HEARTLINE_WORKERS": workers, "HEARTLINE_THRESHOLD": "0.0625"}
    with running_server(log, **settings) as server, calling(server.url) as client:
        for _ in range(20):
            answer = client.post("/predict", json=example()).json()
            card = client.get("/model").json()
            assert answer["threshold"] == 0.0625
            assert answer["predicted_class"] == int(answer["probability"] > 0.0625)
            assert (card["threshold"], card["threshold_reason"]) == (0.0625, REASON)
