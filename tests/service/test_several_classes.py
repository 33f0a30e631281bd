"""Models of other classes, moons and iris: answered, documented and refused like the product."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jsonschema_rs
import numpy as np
import pytest
import schemathesis
from fastapi import FastAPI

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from service.app import create_app
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.conftest import Server, running_server
from tests.service.samples import JSON, PROBLEM
from tests.service.test_contract import CONFIG, _assert_contract_holds

pytestmark = pytest.mark.anyio

IRIS = ARTIFACT.with_name("iris.npz")
LABELS = ["setosa", "versicolor", "virginica"]
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@dataclass(frozen=True)
class Served:
    """A model with the application that serves it."""

    app: FastAPI
    artifact: Artifact
    predictor: Predictor

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://heartline")

    def records(self, rows: int = 40) -> list[dict[str, float]]:
        """Return made-up records from all over the plausible range, and from where data lie."""
        features = self.artifact.features
        wide = features.golden_inputs(rows)
        lowest, highest = np.array([(feature.minimum, feature.maximum) for feature in features]).T
        low, high = np.array([feature.observed for feature in features]).T
        near = low + (wide - lowest) / (highest - lowest) * (high - low)
        return [
            dict(zip(features.names, row, strict=True)) for row in np.vstack([wide, near]).tolist()
        ]


def served(name: str) -> Served:
    path = ARTIFACT.with_name(f"{name}.npz")
    app = create_app(Settings(artifact=path, log_level="critical"))
    artifact = Artifact.load(path)
    return Served(app, artifact, artifact.predictor())


@pytest.fixture(scope="module")
def iris() -> Served:
    return served("iris")


@pytest.fixture(scope="module")
def moons() -> Served:
    return served("moons")


@pytest.fixture(scope="module", params=["moons", "iris"])
def model(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def client(model: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with model.client() as client:
        yield client


@pytest.fixture
async def of_iris(iris: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with iris.client() as client:
        yield client


@pytest.fixture
async def of_moons(moons: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with moons.client() as client:
        yield client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("iris") / "log"
    with running_server(log, HEARTLINE_ARTIFACT=str(IRIS)) as server:
        yield server


def schema(app: FastAPI, name: str) -> dict[str, Any]:
    found: dict[str, Any] = app.openapi()["components"]["schemas"][name]
    return found


def assert_valid(app: FastAPI, name: str, instance: object) -> None:
    document = {
        "$ref": f"#/components/schemas/{name}",
        "components": app.openapi()["components"],
    }
    jsonschema_rs.Draft202012Validator(document).validate(instance)


async def answer(client: httpx.AsyncClient, record: object, path: str = "/predict") -> Any:
    response = await client.post(path, json=record)
    assert response.status_code == 200, response.text
    return response.json()


async def refused(
    client: httpx.AsyncClient, body: str, path: str = "/predict"
) -> list[tuple[list[str | int], str]]:
    response = await client.post(path, content=body, headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM)
    assert "98765" not in response.text
    return [(fault["loc"], fault["type"]) for fault in response.json()["errors"]]


async def test_an_iris_is_answered_by_the_probability_of_each_species(
    of_iris: httpx.AsyncClient, iris: Served
) -> None:
    found = await answer(of_iris, FLOWER)
    (row,) = iris.predictor.predict_records([FLOWER]).tolist()
    assert list(found) == [
        "probabilities",
        "predicted_class",
        "label",
        "model_version",
        "warnings",
    ]
    assert found == {
        "probabilities": dict(zip(LABELS, row, strict=True)),
        "predicted_class": 0,
        "label": "setosa",
        "model_version": iris.artifact.version,
        "warnings": [],
    }
    assert list(found["probabilities"]) == LABELS


async def test_a_point_is_answered_like_a_patient(
    of_moons: httpx.AsyncClient, moons: Served
) -> None:
    point = {"x": 1.0, "y": -0.4}
    (probability,) = moons.predictor.predict_records([point]).tolist()
    found = await answer(of_moons, point)
    assert found == {
        "probability": probability,
        "predicted_class": 1,
        "label": "lower",
        "threshold": 0.5,
        "model_version": moons.artifact.version,
        "warnings": [],
    }
    assert (await answer(of_moons, {"x": 0.0, "y": 1.0}))["label"] == "upper"


async def test_the_species_of_all_flowers_sum_to_one_and_the_most_probable_is_predicted(
    of_iris: httpx.AsyncClient, iris: Served
) -> None:
    batch = await answer(of_iris, {"instances": iris.records()}, "/predict/batch")
    assert list(batch) == ["predictions", "model_version"]
    for row in batch["predictions"]:
        assert list(row) == ["probabilities", "predicted_class", "label", "warnings"]
        probabilities = row["probabilities"]
        assert sum(probabilities.values()) == pytest.approx(1.0, abs=1e-15)
        assert row["label"] == max(probabilities, key=probabilities.__getitem__)
        assert row["label"] == LABELS[row["predicted_class"]]
    assert {row["label"] for row in batch["predictions"]} == set(LABELS)


async def test_a_batch_equals_row_by_row_to_the_last_bit(
    client: httpx.AsyncClient, model: Served
) -> None:
    records = model.records()
    batch = await answer(client, {"instances": records}, "/predict/batch")
    of_all = {name: value for name, value in batch.items() if name != "predictions"}
    alone = [await answer(client, record) for record in records]
    assert [{**row, **of_all} for row in batch["predictions"]] == alone
    backwards = await answer(client, {"instances": records[::-1]}, "/predict/batch")
    assert backwards["predictions"] == batch["predictions"][::-1]


async def test_an_empty_batch_has_no_predictions(client: httpx.AsyncClient) -> None:
    assert (await answer(client, {"instances": []}, "/predict/batch"))["predictions"] == []


async def test_an_alias_is_taken_as_the_field_itself(of_iris: httpx.AsyncClient) -> None:
    aliased = {name.replace("_", " ") + " (cm)": value for name, value in FLOWER.items()}
    assert await answer(of_iris, aliased) == await answer(of_iris, FLOWER)


async def test_every_answer_is_as_the_document_says(
    client: httpx.AsyncClient, model: Served
) -> None:
    records = model.records()
    for record in records:
        assert_valid(model.app, "InputRecord", record)
        assert_valid(model.app, "Prediction", await answer(client, record))
    batch = {"instances": records}
    assert_valid(model.app, "Batch", batch)
    assert_valid(model.app, "BatchPrediction", await answer(client, batch, "/predict/batch"))
    assert_valid(model.app, "ModelCard", (await client.get("/model")).json())
    assert_valid(model.app, "Ready", (await client.get("/readyz")).json())
    problem = await client.post("/predict", json={"z": 98765})
    assert_valid(model.app, "Problem", problem.json())


@pytest.mark.slow
@pytest.mark.usefixtures("logging_restored")
def test_whatever_is_asked_the_answers_are_as_the_document_says(model: Served) -> None:
    document = schemathesis.openapi.from_asgi("/openapi.json", model.app, config=CONFIG)
    _assert_contract_holds(document)


async def test_the_model_card_shows_the_classes_and_no_threshold_of_three(
    client: httpx.AsyncClient, model: Served
) -> None:
    card = (await client.get("/model")).json()
    assert card == json.loads(json.dumps(model.artifact.card()))
    assert card["labels"] == list(model.artifact.labels)
    assert (card["threshold"] is None) == (len(card["labels"]) > 2)
    assert "limits" in card


async def test_the_model_is_ready_under_its_own_version(
    client: httpx.AsyncClient, model: Served
) -> None:
    ready = await client.get("/readyz")
    assert ready.json() == {"status": "ready", "model_version": model.artifact.version}


def test_the_document_of_iris_shows_the_three_species_and_no_threshold(iris: Served) -> None:
    for name in ("Prediction", "BatchRow"):
        properties = schema(iris.app, name)["properties"]
        assert properties["label"]["enum"] == LABELS
        assert properties["predicted_class"]["enum"] == [0, 1, 2]
        assert "probabilities" in schema(iris.app, name)["required"]
        assert not {"probability", "threshold", "threshold_reason"} & set(properties)
    assert "threshold" not in schema(iris.app, "BatchPrediction")["properties"]
    each = schema(iris.app, "Probabilities")
    assert list(each["properties"]) == each["required"] == LABELS
    for probability in each["properties"].values():
        assert (probability["minimum"], probability["maximum"]) == (0, 1)


def test_the_document_of_iris_takes_four_lengths(iris: Served) -> None:
    record = schema(iris.app, "InputRecord")
    assert record["required"] == list(FLOWER)
    assert list(record["properties"]) == [*record["required"], "id"]
    assert record["additionalProperties"] is False
    assert {record["properties"][name]["x-unit"] for name in FLOWER} == {"cm"}


def test_the_document_of_moons_takes_x_and_y(moons: Served) -> None:
    record = schema(moons.app, "InputRecord")
    assert record["required"] == ["x", "y"]
    assert list(record["properties"]) == [*record["required"], "id"]
    fields = [record["properties"][name] for name in record["required"]]
    assert [(f["minimum"], f["maximum"]) for f in fields] == [(-10, 10)] * 2
    prediction = schema(moons.app, "Prediction")
    assert prediction["properties"]["label"]["enum"] == ["upper", "lower"]
    assert {"probability", "threshold"} <= set(prediction["required"])
    assert "threshold_reason" not in prediction["properties"]
    assert "lower" in prediction["properties"]["probability"]["description"]


async def test_the_document_is_valid_and_names_no_other_model(
    client: httpx.AsyncClient, model: Served
) -> None:
    document = (await client.get("/openapi.json")).json()
    schemathesis.openapi.from_dict(document).validate()
    assert model.artifact.version in document["info"]["summary"]
    text = json.dumps(document).lower()
    for foreign in ("presence", "chest", "blood", "angiography"):
        assert foreign not in text


async def test_every_example_of_the_document_is_valid_and_the_answer_beside_it_true(
    client: httpx.AsyncClient, model: Served
) -> None:
    for path, record, prediction in (
        ("/predict", "InputRecord", "Prediction"),
        ("/predict/batch", "Batch", "BatchPrediction"),
    ):
        operation = model.app.openapi()["paths"][path]["post"]
        examples = operation["requestBody"]["content"]["application/json"]["examples"]
        example = examples["record"]
        shown = operation["responses"]["200"]["content"]["application/json"]["example"]
        assert_valid(model.app, record, example["value"])
        assert_valid(model.app, prediction, shown)
        assert await answer(client, example["value"], path) == shown


async def test_a_value_outside_of_training_is_answered_with_a_warning(
    client: httpx.AsyncClient, model: Served
) -> None:
    for feature in model.artifact.features:
        low, high = feature.observed
        for value, warned in ((low, 0), (high, 0), (feature.minimum, 1), (feature.maximum, 1)):
            found = await answer(client, {**model.artifact.features.example(), feature.name: value})
            kinds = [(warning["loc"], warning["type"]) for warning in found["warnings"]]
            assert kinds == [(["body", feature.name], "outside_training_range")] * warned


async def test_a_warning_stands_in_its_row_and_does_not_repeat_the_value(
    of_iris: httpx.AsyncClient,
) -> None:
    odd = {**FLOWER, "petal_width": 7.98765, "sepal_length": 12.98765}
    batch = await answer(of_iris, {"instances": [FLOWER, odd, FLOWER]}, "/predict/batch")
    warnings = [row["warnings"] for row in batch["predictions"]]
    assert [[warning["loc"][1] for warning in of_row] for of_row in warnings] == [
        [],
        ["sepal_length", "petal_width"],
        [],
    ]
    assert "98765" not in json.dumps(batch)
    assert warnings[1][1]["msg"] == "Outside the training range, 0.1 to 2.5 cm."


async def test_all_faults_of_a_flower_are_reported_at_once(of_iris: httpx.AsyncClient) -> None:
    body = '{"sepal_length": "98765", "sepal_width": true, "petal_lenght": 1.4, "petal_width": NaN}'
    assert await refused(of_iris, body) == [
        (["body", "sepal_length"], "not_a_number"),
        (["body", "sepal_width"], "not_a_number"),
        (["body", "petal_width"], "not_finite"),
        (["body", "petal_length"], "missing"),
        (["body", "petal_lenght"], "unknown_field"),
    ]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ('{"x": 98765, "y": null}', [("x", "out_of_range"), ("y", "null")]),
        ('{"x": 0, "x": 98765, "y": 0}', [("x", "out_of_range"), ("x", "duplicate_field")]),
        ('{"x": 0, "y": 0, "y": 0}', [("y", "duplicate_field")]),
        ('{"x": -10.000001, "y": 1e999}', [("x", "out_of_range"), ("y", "not_finite")]),
        ('{"x": 0, "y": 0, "moon": 98765}', [("moon", "unknown_field")]),
        ("{}", [("x", "missing"), ("y", "missing")]),
    ],
)
async def test_all_faults_of_a_point_are_reported_at_once(
    body: str, faults: list[tuple[str, str]], of_moons: httpx.AsyncClient
) -> None:
    assert await refused(of_moons, body) == [(["body", name], kind) for name, kind in faults]
    batch = f'{{"instances": [{{"x": 0, "y": 0}}, {body}]}}'
    assert await refused(of_moons, batch, "/predict/batch") == [
        (["body", "instances", 1, name], kind) for name, kind in faults
    ]


@pytest.mark.parametrize("body", ["[]", "5.1", '"setosa"', "null", '{"species": "setosa"', ""])
async def test_what_is_no_flower_is_refused(body: str, of_iris: httpx.AsyncClient) -> None:
    (fault,) = await refused(of_iris, body)
    assert fault[0] == ["body"]


async def test_a_running_service_answers_as_the_application_does(
    server: Server, iris: Served
) -> None:
    batch = {"instances": iris.records()}
    async with iris.client() as inside:
        with server.client() as outside:
            for path in ("/model", "/openapi.json", "/readyz", "/livez"):
                ours, theirs = await inside.get(path), outside.get(path)
                assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())
            for path, body in (("/predict", FLOWER), ("/predict/batch", batch)):
                ours, theirs = await inside.post(path, json=body), outside.post(path, json=body)
                assert (theirs.status_code, theirs.content) == (200, ours.content)
            bad = outside.post("/predict", json={**FLOWER, "sepal_width": 98765})
    assert bad.status_code == 422
    assert "98765" not in bad.text
    assert "98765" not in server.log.read_text()


def test_a_running_service_says_which_model_it_serves(server: Server, iris: Served) -> None:
    (line,) = [line for line in server.log_lines() if line["message"] == "serving"]
    assert (line["model"], line["model_version"]) == ("iris", iris.artifact.version)


def test_whatever_is_asked_a_running_service_answers_as_its_document_says(server: Server) -> None:
    url = f"{server.url}/openapi.json"
    _assert_contract_holds(schemathesis.openapi.from_url(url, config=CONFIG))
