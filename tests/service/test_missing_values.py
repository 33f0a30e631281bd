"""Missing values, true and false, and codes made from texts: in requests, answers and metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from model.artifact.artifact import Artifact
from model.schema.features import FeatureSet
from service.app import create_app
from service.inference.model_file import ModelFile, OtherInputs
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.exposition import read, total
from tests.optional import OPTIONAL, optional_artifact
from tests.service.asking import Answer, Asker

JSON_TYPE = "application/json"

MODEL = optional_artifact(Artifact.load(ARTIFACT))
GOOD = OPTIONAL.example()
MISSING = {"age": None, "visits": None, "smoker": None, "area": None, "ward": None}


class Client:
    """Asks an application, and reads its answers as httpx does."""

    def __init__(self, ask: Asker) -> None:
        self._ask = ask

    def get(self, path: str) -> httpx.Response:
        return self._read(self._ask(path, method="GET"))

    def post(self, path: str, content: str | bytes, kind: str = JSON_TYPE) -> httpx.Response:
        body = content.encode() if isinstance(content, str) else content
        return self._read(self._ask(path, body, headers=[(b"content-type", kind.encode())]))

    @staticmethod
    def _read(answer: Answer) -> httpx.Response:
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path = tmp_path_factory.mktemp("optional") / "optional.npz"
    MODEL.save(path)
    with closing(Asker(create_app(Settings(artifact=path)))) as ask:
        yield Client(ask)


def predict(client: Client, record: Any) -> httpx.Response:
    body = record if isinstance(record, str) else json.dumps(record)
    return client.post("/predict", content=body)


def faults(answer: httpx.Response) -> dict[str, str]:
    """Return the kind of fault of each field."""
    assert answer.status_code == 422, answer.json()
    return {fault["loc"][-1]: fault["type"] for fault in answer.json()["errors"]}


def warnings(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.json()
    return {warning["loc"][-1]: warning["type"] for warning in answer.json()["warnings"]}


def test_a_missing_value_gets_its_answer_with_a_warning_that_names_the_field(
    client: Client,
) -> None:
    answer = predict(client, {**GOOD, **MISSING})
    assert answer.json()["warnings"] == [
        {"loc": ["body", name], "msg": "The value is missing.", "type": "missing_value"}
        for name in MISSING
    ]
    row = [math.nan, math.nan, 70.0, math.nan, 0.0, math.nan, math.nan]
    expected = MODEL.predictor().predict_row(row)
    assert answer.json()["probability"] == expected


@pytest.mark.parametrize(
    "change", [{"age": -9}, {"age": 99.5}, {"age": "?"}, {"smoker": "unknown"}, {"ward": 0.0}]
)
def test_a_declared_cell_is_missing_as_null_is(client: Client, change: dict[str, Any]) -> None:
    (name,) = change
    answer, null = (predict(client, {**GOOD, **one}) for one in (change, {name: None}))
    assert answer.json() == null.json()
    assert warnings(answer) == {name: "missing_value"}


def test_missing_and_unseen_values_are_warned_of_in_the_order_of_the_fields(
    client: Client,
) -> None:
    answer = predict(client, {**GOOD, "age": 100, "visits": None, "weight": 200, "ward": "C"})
    assert list(warnings(answer).items()) == [
        ("age", "outside_training_range"),
        ("visits", "missing_value"),
        ("weight", "outside_training_range"),
        ("ward", "unseen_code"),
    ]


def test_an_absent_field_is_a_fault_where_null_is_not(client: Client) -> None:
    record = {name: value for name, value in GOOD.items() if name not in MISSING}
    assert faults(predict(client, record)) == dict.fromkeys(MISSING, "missing")


@pytest.mark.parametrize("value", [None, -1, "?"])
def test_where_no_value_may_be_missing_it_is_not_imputed(client: Client, value: Any) -> None:
    answer = predict(client, {**GOOD, "weight": value})
    assert answer.json()["errors"] == [
        {
            "loc": ["body", "weight"],
            "msg": "Null is not accepted; expected a number from 20 to 300 (kg).",
            "type": "null",
        }
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", MISSING)
def test_what_is_no_json_is_no_missing_value(client: Client, name: str, number: str) -> None:
    record = json.dumps({**GOOD, name: math.nan}).replace("NaN", number)
    kind = "unknown_code" if OPTIONAL.by_accepted_name[name].is_coded else "not_finite"
    bodies = [
        ("/predict", record),
        ("/predict/batch", f'{{"instances": [{json.dumps(GOOD)}, {record}]}}'),
        (
            "/predict/batch",
            json.dumps({"columns": [*GOOD], "data": [[*json.loads(record).values()]]}),
        ),
    ]
    for path, body in bodies:
        answer = client.post(path, content=body)
        assert faults(answer) == {name: kind}
    answer = client.post("/predict/batch", record, "application/x-ndjson")
    assert faults(answer) == {name: kind}


def test_true_and_false_are_accepted_by_boolean_features_alone(client: Client) -> None:
    for value, code in ((True, 1), (False, 0)):
        answer = predict(client, {**GOOD, "smoker": value, "married": value})
        text = predict(client, {**GOOD, "smoker": str(value).lower(), "married": code})
        assert answer.json() == text.json()
    for name in ("age", "visits", "weight", "area", "ward"):
        kind = "unknown_code" if OPTIONAL.by_accepted_name[name].is_coded else "not_a_number"
        assert faults(predict(client, {**GOOD, name: True})) == {name: kind}


def test_codes_made_from_texts_are_accepted_by_their_texts_alone(client: Client) -> None:
    assert predict(client, {**GOOD, "area": "1"}).status_code == 200
    assert faults(predict(client, {**GOOD, "area": 1})) == {"area": "unknown_code"}
    assert faults(predict(client, {**GOOD, "smoker": 1})) == {"smoker": "unknown_code"}


def test_an_unseen_text_counts_as_the_other_texts(client: Client) -> None:
    others = [predict(client, {**GOOD, "area": text}).json() for text in ("other", "north", "")]
    assert others[0] == others[1] == others[2]
    assert predict(client, {**GOOD, "area": "1"}).json() != others[0]


HEADER = ",".join(OPTIONAL.names)


def post_csv(client: Client, *lines: bytes) -> httpx.Response:
    body = b"\n".join([HEADER.encode(), *lines])
    return client.post("/predict/batch?on_error=report", body, "text/csv")


def test_an_empty_cell_of_csv_is_missing(client: Client) -> None:
    lines = post_csv(client, b",,70,,0,,", b'"", ,70,"",0,\t,').text.splitlines()
    reported = " ".join(f"{name}: The value is missing. (missing_value)" for name in MISSING)
    assert all(reported in line for line in lines[1:])
    assert "weight: Null is not accepted" in post_csv(client, b"54,3,,true,0,1,A").text


@pytest.mark.parametrize("cell", [b"o\xffther", b'"a\rb"', b"\r", b'"a"b'])
def test_a_cell_that_is_no_text_has_a_fault_where_any_text_is_accepted(
    client: Client, cell: bytes
) -> None:
    reported = post_csv(client, b",,70,,0,%b,A" % cell, b",,70,,0,north,A").text.splitlines()
    assert reported[1].split(",")[1] == ""
    assert "Expected" in reported[1]
    assert reported[2].split(",")[1] != ""


def test_a_short_line_has_a_fault_though_what_it_lacks_may_be_missing(client: Client) -> None:
    assert "wrong_length" in post_csv(client, b"54,3,70,true,0,1").text


def test_a_batch_of_rows_with_missing_values_is_read_in_one_step() -> None:
    scorer = Scorer(MODEL.predictor(), 10)
    records = [GOOD, {**GOOD, **MISSING}, {**GOOD, "age": -9, "smoker": True}]
    batch = {"instances": records}
    table = {"columns": [*GOOD], "data": [[*record.values()] for record in records]}
    for body, decode in ((batch, scorer.decoder.batch), (table, scorer.decoder.table)):
        assert decode(json.dumps(body).encode()) is not None
    lines = [json.dumps(record).encode() for record in records]
    assert scorer.decoder.lines(lines) is not None
    cells = [["", "", "70", "", "true", "", ""], ["?", "3", "70", "true", "0", "north", "0"]]
    assert scorer.decoder.cells(OPTIONAL.names, cells) is not None


def test_missing_values_are_counted_by_field(client: Client) -> None:
    name, kind = "heartline_warnings_total", "missing_value"
    before = read(client.get("/metrics").text)
    predict(client, {**GOOD, "age": None})
    client.post("/predict/batch", json.dumps({"instances": [{**GOOD, "age": None}] * 3}))
    after = read(client.get("/metrics").text)
    counted = [total(found, name, field="age", kind=kind) for found in (before, after)]
    assert counted[1] - counted[0] == 4
    fields = {dict(labels)["field"] for found, labels in after if ("kind", kind) in labels}
    assert fields == {*MISSING}


def test_a_model_with_another_policy_does_not_take_the_place_of_the_served_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "optional.npz"
    MODEL.save(path)
    file = ModelFile(Settings(artifact=path))
    weight = replace(OPTIONAL[2], missing="indicator")
    optional_artifact(MODEL, FeatureSet([*OPTIONAL[:2], weight, *OPTIONAL[3:]])).save(path)
    with pytest.raises(OtherInputs):
        file.read_again(id)


SENT: list[Any] = [
    *(None, True, False, -9, 99.5, 99, 0, 1, 2, 3, 5, 1.5, 54.5, 130, 70.5, -1, 301, 3.0, -9.5),
    *("?", "", "true", "false", "True", "unknown", "no", "yes", "1", "south", "north", "A", "0"),
    *([], {}),
]


@pytest.mark.parametrize("codes", ["any", "names"])
def test_the_document_allows_the_values_that_are_accepted(tmp_path: Path, codes: str) -> None:
    MODEL.save(tmp_path / "optional.npz")
    app = create_app(Settings(artifact=tmp_path / "optional.npz", codes=codes))
    schemas = app.openapi()["components"]["schemas"]
    features = OPTIONAL.with_names_only() if codes == "names" else OPTIONAL
    for feature in features:
        check = Draft202012Validator(schemas["InputRecord"]["properties"][feature.name])
        for value in SENT:
            assert check.is_valid(value) == (feature.rule.fault(value) is None), (feature, value)
    assert schemas["InputRecord"]["required"] == OPTIONAL.names
    of_any = schemas["Table"]["properties"]["data"]["items"]["items"]
    assert [kind["type"] for kind in of_any["anyOf"]] == ["number", "string", "boolean", "null"]


def test_what_means_a_missing_value_within_the_range_is_excluded_where_none_may_be_missing(
    tmp_path: Path,
) -> None:
    weight = replace(OPTIONAL[2], missing_cells=(99,))
    features = FeatureSet([*OPTIONAL[:2], weight, *OPTIONAL[3:]])
    optional_artifact(MODEL, features).save(tmp_path / "optional.npz")
    app = create_app(Settings(artifact=tmp_path / "optional.npz"))
    schema = app.openapi()["components"]["schemas"]["InputRecord"]["properties"]["weight"]
    check = Draft202012Validator(schema)
    assert [check.is_valid(value) for value in (98, 99, 100, None)] == [True, False, True, False]


def test_the_examples_of_bodies_show_a_record_without_values(client: Client) -> None:
    document = client.get("/openapi.json").json()
    examples = document["paths"]["/predict"]["post"]["requestBody"]["content"][JSON_TYPE][
        "examples"
    ]
    assert examples["missing"]["value"] == {**GOOD, **MISSING}
    assert warnings(predict(client, examples["missing"]["value"])) == dict.fromkeys(
        MISSING, "missing_value"
    )


def test_get_model_says_which_values_may_be_missing(client: Client) -> None:
    cards = {card["name"]: card for card in client.get("/model").json()["features"]}
    reported = ("missing", "missing_cells", "texts_only", "is_boolean", "other", "can_change")
    assert {name: [card[key] for key in reported] for name, card in cards.items()} == {
        "age": ["indicator", [-9, 99.5, "?"], False, False, None, True],
        "visits": ["indicator", [], False, False, None, True],
        "weight": ["refuse", [-1, "?"], False, False, None, True],
        "smoker": ["indicator", ["unknown"], True, True, None, True],
        "married": ["refuse", [], False, True, None, True],
        "area": ["indicator", [], True, False, 2, True],
        "ward": ["indicator", [0], False, False, None, False],
    }
