from __future__ import annotations

import json
import re
from typing import NoReturn

import httpx
import pytest

from service.protocols.native.scoring import Scorer
from tests.service.samples import JSON, example

pytestmark = pytest.mark.anyio

MADE = re.compile("[0-9a-f]{32}")


@pytest.mark.parametrize("given", ["a", "A-Z_0.9", "x" * 64, "0af7651916cd43dd8448eb211c80319c"])
async def test_a_well_formed_id_comes_back(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/livez", headers={"X-Request-ID": given})
    assert response.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"x" * 65,
        b"two words",
        b"a\nb",
        b"a\r\nSet-Cookie: x=1",
        b"a\n",
        b"\xe9",
        b"a,b",
        b"<b>",
    ],
)
async def test_an_id_of_another_form_is_replaced(client: httpx.AsyncClient, given: bytes) -> None:
    response = await client.get("/livez", headers=[(b"X-Request-ID", given)])
    (request_id,) = response.headers.get_list("x-request-id")
    assert MADE.fullmatch(request_id)
    assert "set-cookie" not in response.headers


async def test_every_request_gets_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/livez")).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20
    assert all(MADE.fullmatch(request_id) for request_id in ids)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/readyz", 200),
        ("GET", "/", 307),
        ("GET", "/static/docs.js", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/predict", 405),
        ("POST", "/predict", 415),
    ],
)
async def test_every_answer_has_the_id(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path, headers={"X-Request-ID": "mine"})
    assert response.status_code == status
    assert response.headers.get_list("x-request-id") == ["mine"]


async def test_a_crash_has_the_id_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_scorer: Scorer, _body: bytes) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr(Scorer, "predict_valid", crash)
    body = json.dumps(example())
    response = await client.post("/predict", content=body, headers={**JSON, "X-Request-ID": "mine"})
    assert response.status_code == 500
    assert response.headers.get_list("x-request-id") == ["mine"]
