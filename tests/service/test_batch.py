from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from service.app import create_app
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.examples import examples
from tests.service.samples import JSON, PROBLEM, RECORDS, example, random_records, raw, with_pairs

pytestmark = pytest.mark.anyio

TEXT = json.dumps(example())


@pytest.fixture(scope="module")
def scorer(predictor: Predictor) -> Scorer:
    return Scorer(predictor, max_rows=1000)


def _batch(*rows: str) -> str:
    return f'{{"instances": [{", ".join(rows)}]}}'


async def _refused(
    client: httpx.AsyncClient, body: str | bytes, *secrets: str, status: int = 422
) -> dict[str, Any]:
    response = await client.post("/predict/batch", content=body, headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM)
    for secret in ("98765", "ZZTOP", *secrets):
        assert secret not in response.text
    problem: dict[str, Any] = response.json()
    return problem


async def _faults(client: httpx.AsyncClient, body: str) -> list[tuple[list[str | int], str]]:
    problem = await _refused(client, body)
    return [(error["loc"], error["type"]) for error in problem["errors"]]


def _assert_batch_equals_rows(scorer: Scorer, records: list[dict[str, float]]) -> None:
    answer = json.loads(scorer.predict_batch(json.dumps({"instances": records}).encode()).body)
    alone = [json.loads(scorer.predict(json.dumps(record).encode()).body) for record in records]
    rows = [{**row, **_model(answer)} for row in answer["predictions"]]
    assert rows == alone


def _model(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("threshold", "model_version")}


async def test_a_batch_answers_with_these_keys_in_this_order(
    client: httpx.AsyncClient, artifact: Artifact
) -> None:
    response = await client.post("/predict/batch", content=_batch(TEXT), headers=JSON)
    answer = response.json()
    assert response.status_code == 200
    assert list(answer) == ["predictions", "threshold", "model_version"]
    assert _model(answer) == {
        "threshold": artifact.threshold,
        "model_version": artifact.version,
    }
    (row,) = answer["predictions"]
    assert list(row) == ["probability", "predicted_class", "label", "warnings"]


@settings(derandomize=True, deadline=None, max_examples=examples(50))
@given(records=st.lists(RECORDS, max_size=9))
def test_a_batch_equals_row_by_row_to_the_last_bit(
    scorer: Scorer, records: list[dict[str, float]]
) -> None:
    _assert_batch_equals_rows(scorer, records)


@pytest.mark.parametrize("rows", [2, 7, 64, 1000])
def test_many_random_records_equal_row_by_row_to_the_last_bit(scorer: Scorer, rows: int) -> None:
    _assert_batch_equals_rows(scorer, random_records(rows, seed=rows))


async def test_a_batch_keeps_the_order(client: httpx.AsyncClient) -> None:
    async def probabilities(records: list[dict[str, float]]) -> list[float]:
        response = await client.post("/predict/batch", json={"instances": records})
        return [row["probability"] for row in response.json()["predictions"]]

    records = random_records(50, seed=1)
    forwards = await probabilities(records)
    assert len(set(forwards)) == 50
    assert await probabilities(records[::-1]) == forwards[::-1]


async def test_a_batch_warns_in_the_row_that_it_is_about(client: httpx.AsyncClient) -> None:
    rows = [example(), example(age=105.4321), example()]
    response = await client.post("/predict/batch", json={"instances": rows})
    warnings = [row["warnings"] for row in response.json()["predictions"]]
    assert [len(listed) for listed in warnings] == [0, 1, 0]
    assert warnings[1][0]["type"] == "outside_training_range"
    assert "4321" not in json.dumps(warnings)


async def test_a_batch_takes_aliases_and_names_of_codes(client: httpx.AsyncClient) -> None:
    aliased = {k: v for k, v in example(sex="male").items() if k != "chest_pain"} | {"cp": 3}
    response = await client.post("/predict/batch", json={"instances": [aliased, example()]})
    first, second = response.json()["predictions"]
    assert first == second


async def test_an_empty_batch_has_no_predictions(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict/batch", content=_batch(), headers=JSON)
    assert (response.status_code, response.json()["predictions"]) == (200, [])


async def test_ten_thousand_records_are_taken_and_one_more_is_413(
    client: httpx.AsyncClient,
) -> None:
    most = await client.post("/predict/batch", content=_batch(*[TEXT] * 10_000), headers=JSON)
    assert (most.status_code, len(most.json()["predictions"])) == (200, 10_000)
    problem = await _refused(client, _batch(*[TEXT] * 10_001), status=413)
    assert "10000" in problem["detail"]


@pytest.fixture
async def client_of_three() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(artifact=ARTIFACT, max_batch_rows=3))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        yield client


@pytest.mark.parametrize(
    "body",
    [
        _batch(*[TEXT] * 4),
        _batch(*["{}"] * 4),
        _batch(TEXT, TEXT, TEXT, '{"ZZTOP": 98765.4321}'),
        _batch(*['{"age": 98765.4321, "age": 54}'] * 4),
        f'{{"ZZTOP": 1, {_batch(*[TEXT] * 4)[1:]}',
        f'{{"instances": [], {_batch(*[TEXT] * 4)[1:]}',
    ],
    ids=["good", "empty", "the last bad", "duplicates", "unknown key", "instances twice"],
)
async def test_more_records_than_the_setting_are_413_whatever_is_in_them(
    client_of_three: httpx.AsyncClient, body: str
) -> None:
    assert "3 records" in (await _refused(client_of_three, body, status=413))["detail"]


async def test_the_faults_of_all_rows_are_listed_with_their_row(client: httpx.AsyncClient) -> None:
    without_thal = json.dumps({k: v for k, v in example().items() if k != "thal"})
    rows = [TEXT, raw({"age": "98765.4321", "sex": '"ZZTOP"'}), TEXT, without_thal]
    assert await _faults(client, _batch(*rows)) == [
        (["body", "instances", 1, "age"], "out_of_range"),
        (["body", "instances", 1, "sex"], "unknown_code"),
        (["body", "instances", 3, "thal"], "missing"),
    ]


@pytest.mark.parametrize(("bad_rows", "listed_rows"), [(100, 100), (101, 100), (250, 100)])
async def test_of_many_bad_rows_the_first_hundred_are_listed_and_all_are_counted(
    client: httpx.AsyncClient, bad_rows: int, listed_rows: int
) -> None:
    # Every other row is good, and every bad one has two faults.
    rows = [TEXT, raw({"age": "98765.4321", "sex": '"ZZTOP"'})] * bad_rows
    problem = await _refused(client, _batch(*rows))
    listed = [error["loc"][2] for error in problem["errors"]]
    assert listed == [row for row in range(1, 2 * listed_rows, 2) for _ in range(2)]
    assert (str(bad_rows) in problem["detail"]) == (bad_rows > 100)


async def test_bad_rows_are_counted_whatever_their_faults(client: httpx.AsyncClient) -> None:
    duplicate = with_pairs('"age": 54')
    problem = await _refused(client, _batch(*["7"] * 40, *["{}"] * 40, *[duplicate] * 40))
    assert problem["detail"].startswith("120 records")
    assert {error["loc"][2] for error in problem["errors"]} == set(range(100))


@pytest.mark.parametrize(
    "values",
    ["[],", "{},", "1,", '"a", ', f"{'[' * 90}{']' * 90},", '{"a": 1, "b": 1},'],
    ids=["arrays", "objects", "numbers", "strings", "deep", "keys"],
)
@pytest.mark.parametrize(
    "form", ['{"instances": [%s1]}', '{"a": [%s1]}', '{"instances": [{"a": [%s1]}]}']
)
async def test_more_values_than_the_most_records_have_are_413_before_they_are_parsed(
    client: httpx.AsyncClient, form: str, values: str
) -> None:
    body = form % (values * ((8 * 2**20 - 30) // len(values)))
    started = time.process_time()
    assert "more values" in (await _refused(client, body, status=413))["detail"]
    # Parsed, they would take up to three seconds, and a gigabyte.
    assert time.process_time() - started < 1


async def test_a_record_of_many_faults_is_not_taken_for_too_many_values(
    client_of_three: httpx.AsyncClient,
) -> None:
    unknown = ", ".join(f'"u{number}": [{{}}]' for number in range(300))
    assert await _faults(client_of_three, _batch(f"{{{unknown}}}"))


@pytest.mark.parametrize(
    "body",
    [
        f'{{"instances": [{TEXT}], "instances": []}}',
        f'{{"instances": [], "instances": [{TEXT}]}}',
        '{"instances": [], "instances": []}',
        f'{{"instances": "ZZTOP", "instances": [{TEXT}]}}',
        f'{{"instances": {{"a": 98765.4321}}, "instances": [{TEXT}]}}',
        f'{{"instances": [{TEXT}], "\\u0069nstances": [{TEXT}]}}',
    ],
)
async def test_instances_given_twice_are_refused(client: httpx.AsyncClient, body: str) -> None:
    assert await _faults(client, body) == [(["body", "instances"], "duplicate_field")]


@pytest.mark.parametrize("name", ["age", "\\u0061ge", "cp"])
async def test_a_field_given_twice_is_named_with_its_row(
    client: httpx.AsyncClient, name: str
) -> None:
    rows = [TEXT] * 7 + [with_pairs(f'"{name}": 3')] + [TEXT]
    faults = {kind: loc for loc, kind in await _faults(client, _batch(*rows))}
    key = "cp" if name == "cp" else "age"
    assert faults["duplicate_field"] == ["body", "instances", 7, key]


async def test_a_duplicate_cannot_make_up_for_a_missing_field(client: httpx.AsyncClient) -> None:
    short = json.dumps({k: v for k, v in example().items() if k != "thal"})
    faults = await _faults(client, _batch(short, with_pairs('"age": 54')))
    assert faults == [
        (["body", "instances", 0, "thal"], "missing"),
        (["body", "instances", 1, "age"], "duplicate_field"),
    ]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ("{}", [(["body", "instances"], "missing")]),
        (TEXT, [(["body", "instances"], "missing")]),
        (f"[{TEXT}]", [(["body"], "not_an_object")]),
        ("null", [(["body"], "null")]),
        ('{"instances": null}', [(["body", "instances"], "null")]),
        ('{"instances": "ZZTOP"}', [(["body", "instances"], "not_a_list")]),
        ('{"instances": 98765.4321}', [(["body", "instances"], "not_a_list")]),
        (f'{{"instances": {TEXT}}}', [(["body", "instances"], "not_a_list")]),
        (_batch("null"), [(["body", "instances", 0], "null")]),
        (_batch('"ZZTOP"', "98765.4321", f"[{TEXT}]", "true", "NaN"), [
            (["body", "instances", row], "not_an_object") for row in range(5)
        ]),
        ('{"instances": [], "rows": "ZZTOP"}', [(["body", "rows"], "unknown_field")]),
        ('{"instances": [], "age": 98765.4321}', [(["body", "age"], "unknown_field")]),
    ],
)  # fmt: skip
async def test_a_batch_of_another_shape_is_refused(
    client: httpx.AsyncClient, body: str, faults: list[tuple[list[str | int], str]]
) -> None:
    found = await _faults(client, body)
    # What is not a batch may have unknown fields besides; but no other fault.
    assert [f for f in found if f in faults or f[1] != "unknown_field"] == faults


async def test_instances_is_the_name_that_a_misspelt_outer_key_gets_suggested(
    client: httpx.AsyncClient,
) -> None:
    problem = await _refused(client, f'{{"instance": [{TEXT}]}}')
    (message,) = [e["msg"] for e in problem["errors"] if e["type"] == "unknown_field"]
    assert "did you mean instances?" in message
