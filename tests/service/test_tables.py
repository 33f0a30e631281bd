"""POST /predict/batch with the names of the columns and rows of values."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.samples import FEATURES, JSON, PROBLEM, example, random_records

pytestmark = pytest.mark.anyio

NAMES = FEATURES.names


def _table(*rows: list[Any], columns: list[Any] = NAMES) -> dict[str, Any]:
    return {"columns": columns, "data": list(rows)}


def _row(**changes: Any) -> list[Any]:
    return list(example(**changes).values())


async def _answer(client: httpx.AsyncClient, body: Any) -> dict[str, Any]:
    response = await client.post("/predict/batch", json=body)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    answer: dict[str, Any] = response.json()
    return answer


async def _faults(
    client: httpx.AsyncClient, body: bytes | str
) -> list[tuple[list[str | int], str, str]]:
    response = await client.post("/predict/batch", content=body, headers=JSON)
    assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM)
    return [(fault["loc"], fault["type"], fault["msg"]) for fault in response.json()["errors"]]


async def test_a_table_is_answered_by_a_table_with_the_numbers_of_a_batch(
    client: httpx.AsyncClient,
) -> None:
    records = random_records(50, seed=5)
    batch = await _answer(client, {"instances": records})
    table = await _answer(client, _table(*(list(record.values()) for record in records)))
    assert list(table) == ["columns", "data", "warnings", "threshold", "model_version"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    without_warnings = [
        {name: value for name, value in row.items() if name != "warnings"}
        for row in batch["predictions"]
    ]
    assert rows == without_warnings
    warned = [
        {**warning, "loc": ["body", "data", number, *warning["loc"][1:]]}
        for number, row in enumerate(batch["predictions"])
        for warning in row["warnings"]
    ]
    assert table["warnings"] == warned != []


async def test_columns_may_have_other_names_and_cells_the_names_of_codes(
    client: httpx.AsyncClient,
) -> None:
    aliases = [feature.accepted_names[-1] for feature in FEATURES]
    plain = await _answer(client, _table(_row()))
    assert await _answer(client, _table(_row(sex="male"), columns=aliases)) == plain


async def test_an_empty_table_has_no_rows(client: httpx.AsyncClient) -> None:
    assert (await _answer(client, _table()))["data"] == []


async def test_every_fault_of_a_table_is_reported_at_its_place(client: httpx.AsyncClient) -> None:
    body = _table(
        _row(),
        _row(age=5.4)[:-1],
        _row(age=5.4, sex=None, num_of_major_vessels=2.5),
        _row(chest_pain=True, oldpeak="1.2", thal="ZZTOP"),
        "ZZTOP",  # type: ignore[arg-type]
    )
    assert [fault[:2] for fault in await _faults(client, json.dumps(body))] == [
        (["body", "data", 1], "wrong_length"),
        (["body", "data", 2, "age"], "out_of_range"),
        (["body", "data", 2, "sex"], "null"),
        (["body", "data", 2, "num_of_major_vessels"], "not_whole"),
        (["body", "data", 3, "chest_pain"], "unknown_code"),
        (["body", "data", 3, "oldpeak"], "not_a_number"),
        (["body", "data", 3, "thal"], "unknown_code"),
        (["body", "data", 4], "not_a_list"),
    ]


async def test_every_fault_of_the_columns_is_reported(client: httpx.AsyncClient) -> None:
    columns = [*NAMES[:-2], "cp", "agee"]
    assert await _faults(client, json.dumps(_table(_row(), columns=columns))) == [
        (
            ["body", "columns", "num_of_major_vessels"],
            "missing",
            "Missing; expected a whole number from 0 to 3.",
        ),
        (
            ["body", "columns", "thal"],
            "missing",
            "Missing; expected 3 (normal), 6 (fixed defect) or 7 (reversible defect).",
        ),
        (["body", "columns", "cp"], "duplicate_field", "chest_pain is given twice."),
        (["body", "columns", "agee"], "unknown_field", "Unknown field; did you mean age?"),
    ]


@pytest.mark.parametrize(
    ("body", "loc", "kind", "said"),
    [
        ({"data": []}, ["columns"], "missing", "Missing; expected a list of the columns' names."),
        ({"columns": NAMES}, ["data"], "missing", "Missing; expected a list of rows."),
        ({"columns": NAMES, "": []}, ["data"], "missing", "Missing; expected a list of rows."),
        (_table() | {"x": 1}, ["x"], "unknown_field", "Unknown field; remove it."),
        (_table() | {"data": 3}, ["data"], "not_a_list", "Expected a list of rows."),
        (
            _table() | {"columns": "age"},
            ["columns"],
            "not_a_list",
            "Expected a list of the columns' names.",
        ),
        (
            _table(columns=[*NAMES, 3]),
            ["columns", 13],
            "unknown_field",
            "Expected the name of a column.",
        ),
    ],
)
async def test_what_is_no_table_is_refused(
    client: httpx.AsyncClient, body: Any, loc: list[str | int], kind: str, said: str
) -> None:
    assert (["body", *loc], kind, said) in await _faults(client, json.dumps(body))


async def test_a_number_among_the_columns_is_not_repeated(client: httpx.AsyncClient) -> None:
    body = json.dumps(_table(_row(), columns=[*NAMES[:-1], 98765.4321]))
    assert await _faults(client, body) == [
        (
            ["body", "columns", "thal"],
            "missing",
            "Missing; expected 3 (normal), 6 (fixed defect) or 7 (reversible defect).",
        ),
        (["body", "columns", 12], "unknown_field", "Expected the name of a column."),
    ]


async def test_a_part_given_twice_is_refused(client: httpx.AsyncClient) -> None:
    body = json.dumps(_table(_row()))
    again = f'{body[:-1]}, "data": {json.dumps([_row()])}}}'
    assert await _faults(client, again) == [
        (["body", "data"], "duplicate_field", "data is given twice.")
    ]


async def test_what_has_both_forms_is_a_batch_with_fields_too_many(
    client: httpx.AsyncClient,
) -> None:
    faults = await _faults(client, json.dumps({"instances": [], **_table()}))
    assert [fault[:2] for fault in faults] == [
        (["body", "columns"], "unknown_field"),
        (["body", "data"], "unknown_field"),
    ]


async def test_too_many_rows_are_413() -> None:
    app = create_app(Settings(artifact=ARTIFACT, max_batch_rows=3))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        statuses = [
            (await client.post("/predict/batch", json=body)).status_code
            for body in (
                _table(*[_row()] * 3),
                _table(*[_row()] * 4),
                _table(*[_row()] * 4) | {"columns": 3},
            )
        ]
    assert statuses == [200, 413, 413]
