"""Who gets in with a key, and who does not."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import Message

from service.app import create_app
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.exposition import read, series
from tests.service.conftest import running_server
from tests.service.samples import JSON, PROBLEM, example

pytestmark = pytest.mark.anyio

KEY = "0jIdRZ0wyr8Qx3Lq0mSoPjXyC5gEwT1N"
HASHED = "the-key-of-ward-7-is-kept-hashed"
KEYS = f"lab:{KEY},ward-7:sha256:{hashlib.sha256(HASHED.encode()).hexdigest()}"
BEARER = {"Authorization": f"Bearer {KEY}"}

OPEN = ["/", "/docs", "/openapi.json", "/livez", "/readyz", "/static/docs.js", "/static/nothing"]
CLOSED = [
    ("POST", "/predict"),
    ("POST", "/predict/batch"),
    ("GET", "/predict"),
    ("GET", "/model"),
    ("GET", "/nowhere"),
    ("GET", "/metrics"),
    ("GET", "/livez/"),
    ("GET", "/static"),
    ("GET", "//docs"),
    ("OPTIONS", "/predict"),
]
REFUSED: list[list[tuple[str, str | bytes]]] = [
    [("Authorization", KEY)],
    [("Authorization", f"Basic {KEY}")],
    [("Authorization", f"Bearer{KEY}")],
    [("Authorization", "Bearer ")],
    [("Authorization", f"Bearer {KEY[:-1]}")],
    [("Authorization", f"Bearer {KEY}x")],
    [("Authorization", f"Bearer {KEY.lower()}")],
    [("Authorization", f"Bearer {KEY}, Bearer {KEY}")],
    [("Authorization", f"Bearer {KEY}"), ("Authorization", f"Bearer {KEY}")],
    [("Authorization", b"Bearer \xff\x00")],
    [("Authorization", f"Bearer {KEYS}")],
    [("Authorization", f"Bearer {hashlib.sha256(HASHED.encode()).hexdigest()}")],
    [("X-API-Key", KEY)],
]


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(Settings(artifact=ARTIFACT, api_keys=SecretStr(KEYS)))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        yield client


def _assert_unauthorized(response: httpx.Response, challenge: str) -> None:
    assert response.status_code == 401
    assert response.headers["content-type"] == PROBLEM
    assert response.headers.get_list("www-authenticate") == [challenge]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"]
    assert response.json()["type"] == "urn:heartline:problem:unauthorized"
    assert "Authorization: Bearer" in response.json()["detail"]


@pytest.mark.parametrize("path", OPEN)
async def test_probes_and_docs_need_no_key(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code in {200, 307, 404}


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_all_else_needs_one(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, f"http://heartline{path}", headers=JSON, content="{")
    _assert_unauthorized(response, 'Bearer realm="heartline"')


@pytest.mark.parametrize("headers", REFUSED, ids=range(len(REFUSED)))
async def test_what_is_no_key_is_refused(
    client: httpx.AsyncClient, headers: list[tuple[str, str | bytes]]
) -> None:
    response = await client.get("/model", headers=headers)  # type: ignore[arg-type]
    assert response.status_code == 401
    assert KEY not in response.text


async def test_a_wrong_key_is_reported_from_a_missing_one(client: httpx.AsyncClient) -> None:
    response = await client.get("/model", headers={"Authorization": "Bearer wrong"})
    _assert_unauthorized(response, 'Bearer realm="heartline", error="invalid_token"')


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
@pytest.mark.parametrize("key", [KEY, HASHED])
async def test_every_key_opens(client: httpx.AsyncClient, scheme: str, key: str) -> None:
    headers = {"Authorization": f"{scheme} {key}"}
    assert (await client.get("/model", headers=headers)).status_code == 200
    assert (await client.post("/predict", json=example(), headers=headers)).status_code == 200
    assert (await client.get("/nowhere", headers=headers)).status_code == 404


async def test_the_key_is_checked_before_the_body_is_read(app: FastAPI) -> None:
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body is read")

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 401


async def test_who_is_let_in_is_counted_by_the_name_of_the_key(client: httpx.AsyncClient) -> None:
    lab, ward, wrong = ({"Authorization": f"Bearer {key}"} for key in (KEY, HASHED, "wrong"))

    async def counts() -> list[float]:
        samples = read((await client.get("/metrics", headers=ward)).text)
        names = ("lab", "ward-7")
        return [samples[series("heartline_key_requests_total", key_name=name)] for name in names]

    before = await counts()
    for headers in (lab, ward, lab, wrong, lab, {}):
        await client.get("/model", headers=headers)
    assert [now - then for now, then in zip(await counts(), before, strict=True)] == [3, 2]


async def test_the_name_of_the_key_is_in_the_state(app: FastAPI) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/model",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {HASHED}".encode())],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    await app(scope, receive, send)
    assert scope["state"]["key_name"] == "ward-7"


def test_the_document_says_which_operations_need_a_key(app: FastAPI) -> None:
    document = app.openapi()
    assert document["components"]["securitySchemes"] == {
        "ApiKey": {"type": "http", "scheme": "bearer", "description": "A key of this service."}
    }
    closed = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("security") == [{"ApiKey": []}] and "401" in operation["responses"]
    }
    assert closed == set(document["paths"]) - {"/livez", "/readyz"}


def test_without_keys_the_document_speaks_of_none() -> None:
    document = create_app(Settings(artifact=ARTIFACT)).openapi()
    assert "securitySchemes" not in document["components"]
    assert "security" not in document["paths"]["/predict"]["post"]


@pytest.mark.slow
def test_the_log_has_the_name_of_the_key_and_never_the_key(tmp_path: Path) -> None:
    wrong = "a-key-that-is-none-of-them"
    running = running_server(tmp_path / "log", HEARTLINE_API_KEYS=KEYS, HEARTLINE_LOG_LEVEL="debug")
    with running as server, server.client() as client:
        for key, name in ((KEY, "lab"), (HASHED, "ward-7"), (wrong, None)):
            headers = {"Authorization": f"Bearer {key}", "X-Request-ID": key[:8]}
            answer = client.post("/predict", headers=headers, json=example())
            assert answer.status_code == (200 if name else 401)
            line = server.log_of(key[:8])
            assert (line["key_name"], line["status"]) == (name, answer.status_code)
    for key in (KEY, HASHED, wrong):
        assert key not in server.log.read_text()
