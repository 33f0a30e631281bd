"""Nesting, however deep and wherever it stands, is a fault and never a failure."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from tests.service.samples import FEATURES, JSON, example

pytestmark = pytest.mark.anyio

CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}
RECORD = json.dumps(example())
VALUES = ",".join(str(value) for value in example().values())

PLACES: dict[str, tuple[str, Callable[[str], str], dict[str, str]]] = {
    "value": ("/predict", lambda deep: f'{{"age": {deep}}}', JSON),
    "unknown": ("/predict", lambda deep: f'{RECORD[:-1]}, "x": {deep}}}', JSON),
    "whole": ("/predict", lambda deep: deep, JSON),
    "of a batch": ("/predict/batch", lambda deep: f'{{"instances": [{deep}]}}', JSON),
    "in a batch": ("/predict/batch", lambda deep: f'{{"instances": [{{"age": {deep}}}]}}', JSON),
    "beside": ("/predict/batch", lambda deep: f'{{"instances": [{RECORD}], "x": {deep}}}', JSON),
    "columns": ("/predict/batch", lambda deep: f'{{"columns": {deep}, "data": []}}', JSON),
    "data": (
        "/predict/batch",
        lambda deep: f'{{"columns": {json.dumps(FEATURES.names)}, "data": [[{deep}]]}}',
        JSON,
    ),
    "of a table": (
        "/predict/batch",
        lambda deep: (
            f'{{"columns": {json.dumps(FEATURES.names)}, "data": [[{deep}, {VALUES[3:]}]]}}'
        ),
        JSON,
    ),
    "id": ("/predict/batch", lambda deep: f'{{"id": {deep}, {RECORD[1:]}', NDJSON),
    "in a line": ("/predict/batch", lambda deep: f'{RECORD[:-1]}, "x": {deep}}}', NDJSON),
    "of a line": ("/predict/batch", lambda deep: f'{{"age": {deep}}}', NDJSON),
    "line": ("/predict/batch", lambda deep: deep, NDJSON),
    "cell": ("/predict/batch", lambda deep: f"{','.join(FEATURES.names)}\n{deep},{VALUES}", CSV),
    "header": ("/predict/batch", lambda deep: f"{deep},{','.join(FEATURES.names)}\n", CSV),
}
DEPTHS = [100, 190, 197, 200, 203, 250, 900, 990, 1100, 20_000]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nest", [("[", "]"), ('{"a":', "}"), ("[", "")], ids=str)
async def test_nesting_is_a_fault(
    client: httpx.AsyncClient, place: str, nest: tuple[str, str]
) -> None:
    path, write, headers = PLACES[place]
    for depth in DEPTHS:
        body = write(f"{nest[0] * depth}1{nest[1] * depth}")
        refused = await client.post(path, content=body, headers=headers)
        assert refused.status_code in (422, 413)
        if headers is NDJSON or place == "cell":
            answer = await client.post(f"{path}?on_error=report", content=body, headers=headers)
            assert answer.status_code in ((200, 413) if len(body) > 2**16 else (200,))
            assert "errors" in answer.text
