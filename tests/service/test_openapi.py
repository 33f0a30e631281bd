from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from fastapi import FastAPI

from model.artifact.artifact import Artifact
from tests.golden import write as golden
from tests.service.samples import CODED, FEATURES, MEASURED, PROBLEM

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


@pytest.fixture(scope="module")
def fields(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields that are features."""
    properties: dict[str, dict[str, Any]] = document["components"]["schemas"]["InputRecord"][
        "properties"
    ]
    return {name: shown for name, shown in properties.items() if name != "id"}


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _assert_valid(document: dict[str, Any], schema: dict[str, Any], instance: object) -> None:
    with_components = {**schema, "components": document["components"]}
    jsonschema_rs.Draft202012Validator(with_components).validate(instance)


def test_the_document_is_the_golden_one(document: dict[str, Any]) -> None:
    assert document == golden.read("openapi.json"), "run scripts/golden and read the difference"


async def test_the_golden_rows_get_the_golden_probabilities(
    app: FastAPI, artifact: Artifact
) -> None:
    found = await golden.predictions(app, artifact)
    expected = golden.read("predictions.json")
    assert [row["record"] for row in found] == [row["record"] for row in expected]
    assert [row["probability"] for row in found] == pytest.approx(
        [row["probability"] for row in expected], rel=0, abs=1e-9
    )


async def test_the_document_is_served(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    response = await client.get("/openapi.json")
    assert (response.status_code, response.json()) == (200, document)
    assert document["openapi"].startswith("3.1")


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    schema = schemathesis.openapi.from_dict(deepcopy(document))  # hooks may change it
    schema.validate()
    for definition in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(definition)


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(names)) == len(names)
    for _, _, operation in _operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]


LINES = ["text/csv", "application/x-ndjson"]

GOOD = {
    "get_metrics": ["text/plain"],
    "predict_batch": ["application/json", "text/csv", "application/x-ndjson"],
}
"""What an operation answers, where it is not JSON alone."""


def test_every_operation_shows_of_its_errors(document: dict[str, Any]) -> None:
    for method, _, operation in _operations(document):
        wanted = {"200", "413", "415", "422", "500"} if method == "POST" else {"200", "500"}
        assert wanted <= set(operation["responses"])
        for status, answer in operation["responses"].items():
            if status == "304":  # it has no body
                assert "content" not in answer
                continue
            good = GOOD.get(operation["operationId"], ["application/json"])
            assert list(answer["content"]) == (good if status == "200" else [PROBLEM])


def test_the_record_has_every_feature_and_maybe_an_id(document: dict[str, Any]) -> None:
    record = document["components"]["schemas"]["InputRecord"]
    assert record["required"] == FEATURES.names
    assert list(record["properties"]) == [*FEATURES.names, "id"]
    assert record["additionalProperties"] is False


def test_every_field_is_described_with_its_unit_and_an_example(
    document: dict[str, Any], fields: dict[str, dict[str, Any]]
) -> None:
    for feature in FEATURES:
        field = fields[feature.name]
        assert feature.expected in field["description"]
        assert all(alias in field["description"] for alias in feature.aliases)
        assert field.get("x-unit", "") == feature.unit
        assert field["examples"] == [feature.example]
        _assert_valid(document, field, feature.example)


def test_every_measurement_has_its_range_and_every_code_its_names(
    fields: dict[str, dict[str, Any]],
) -> None:
    for feature in MEASURED:
        field = fields[feature.name]
        assert field["type"] == "number"
        assert (field["minimum"], field["maximum"]) == (feature.minimum, feature.maximum)
        assert field.get("multipleOf") == (1 if feature.kind == "count" else None)
    for feature in CODED:
        codes, names = fields[feature.name]["anyOf"]
        assert (codes["type"], names["type"]) == ("integer", "string")
        assert [codes["enum"], names["enum"]] == [
            list(part) for part in zip(*feature.codes, strict=True)
        ]


def test_a_table_has_the_columns_of_a_record_in_their_order(
    document: dict[str, Any], fields: dict[str, dict[str, Any]]
) -> None:
    table = document["components"]["schemas"]["Table"]["properties"]
    columns, row = table["columns"], table["data"]["items"]
    assert [name["enum"] for name in columns["prefixItems"]] == [[name] for name in FEATURES.names]
    assert row["prefixItems"] == list(fields.values())
    for array in (columns, row):
        assert array["minItems"] == array["maxItems"] == len(FEATURES)
        assert array["items"], "generators ask for it"
    values = [*FEATURES.example().values()]
    example: dict[str, Any] = {"columns": FEATURES.names, "data": [values, values]}
    schema = document["components"]["schemas"]["Table"]
    _assert_valid(document, schema, example)
    for changed in ({"columns": FEATURES.names[1:]}, {"data": [values[1:]]}):
        with pytest.raises(jsonschema_rs.ValidationError):
            _assert_valid(document, schema, {**example, **changed})


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
async def test_every_example_of_a_request_is_valid_and_gets_an_answer(
    client: httpx.AsyncClient, document: dict[str, Any], path: str
) -> None:
    body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    tables = {"table"} if path == "/predict/batch" else set()
    assert set(body["examples"]) == {"codes", "names"} | tables
    answers = []
    for example in body["examples"].values():
        assert example["summary"]
        _assert_valid(document, body["schema"], example["value"])
        response = await client.post(path, json=example["value"])
        assert response.status_code == 200
        answers.append(response.json())
    assert answers[0] == answers[1]


async def test_every_example_of_an_answer_is_the_true_one(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    for method, path, operation in _operations(document):
        if path == "/metrics":
            continue  # its answer is never the same twice
        content = operation["responses"]["200"]["content"]["application/json"]
        _assert_valid(document, content["schema"], content["example"])
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        record = body["examples"]["codes"]["value"] if body else None
        response = await client.request(method, path, json=record)
        assert response.json() == content["example"]


async def test_lines_are_shown_with_their_answers(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    operation = document["paths"]["/predict/batch"]["post"]
    asked = operation["requestBody"]["content"]
    answered = operation["responses"]["200"]["content"]
    assert set(asked) == set(answered) == {"application/json", *LINES}
    for media_type in LINES:
        response = await client.post(
            "/predict/batch",
            content=asked[media_type]["example"],
            headers={"Content-Type": media_type},
        )
        assert response.text == answered[media_type]["example"]


@pytest.mark.parametrize("media_type", ["application/json", *LINES])
@pytest.mark.parametrize("way", ["refuse", "report", "ignore"])
async def test_on_error_is_described_as_it_is_served(
    client: httpx.AsyncClient, document: dict[str, Any], media_type: str, way: str
) -> None:
    operation = document["paths"]["/predict/batch"]["post"]
    (on_error,) = operation["parameters"]
    ways = {"type": "string", "enum": ["refuse", "report"], "default": "refuse"}
    assert (on_error["in"], on_error["schema"]) == ("query", ways)
    assert "`report`: each row gets a result in its place" in on_error["description"]
    shown = operation["requestBody"]["content"][media_type]
    good = shown.get("example") or json.dumps(shown["examples"]["names"]["value"])
    found = [
        (
            await client.post(
                f"/predict/batch?on_error={way}",
                content=body,
                headers={"Content-Type": media_type},
            )
        ).status_code
        for body in (good, good.replace("54", "5400"))
    ]
    assert found == {"refuse": [200, 422], "report": [200, 200], "ignore": [422, 422]}[way]


def test_the_document_has_what_linters_ask_for(document: dict[str, Any]) -> None:
    assert document["info"]["contact"]["name"]
    assert [server["url"] for server in document["servers"]] == ["/"]
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    used = {tag for _, _, operation in _operations(document) for tag in operation["tags"]}
    assert used == described


def test_the_document_names_the_model(document: dict[str, Any], artifact: Artifact) -> None:
    assert artifact.version in document["info"]["summary"]
    label = document["components"]["schemas"]["Prediction"]["properties"]["label"]
    assert label["enum"] == list(artifact.labels)
