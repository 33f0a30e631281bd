"""The errors that the document shows are those that the service answers."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from service.app import create_app
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT, ROOT
from tests.service.samples import JSON, PROBLEM

pytestmark = pytest.mark.anyio

MODELS = ["heart", "moons", "iris"]
PATHS = ["/predict", "/predict/batch"]


@pytest.fixture(scope="module", params=MODELS)
def own_app(request: pytest.FixtureRequest) -> FastAPI:
    return create_app(Settings(artifact=ROOT / "artifacts" / f"{request.param}.npz"))


def _client(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://heartline")


def _shown(app: FastAPI, path: str, status: int) -> Any:
    (operation,) = app.openapi()["paths"][path].values()
    return operation["responses"][str(status)]["content"][PROBLEM]["example"]


def _bad(app: FastAPI, path: str) -> bytes:
    """Return the example without its first field, and with a list for the last one."""
    content = app.openapi()["paths"]["/predict"]["post"]["requestBody"]["content"]
    example = next(iter(content["application/json"]["examples"].values()))["value"]
    _, *others, last = example
    record = {**{name: example[name] for name in others}, last: []}
    return json.dumps(record if path == "/predict" else {"instances": [record]}).encode()


def test_every_error_has_an_example_that_says_what_to_change(own_app: FastAPI) -> None:
    for operations in own_app.openapi()["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status in ("200", "304"):
                    continue
                shown = answer["content"][PROBLEM]["example"]
                assert shown["status"] == int(status)
                assert shown["detail"] not in ("", "What to change.")
                assert bool(shown["errors"]) == (status == "422")


@pytest.mark.parametrize("path", PATHS)
async def test_what_a_body_is_rejected_with(own_app: FastAPI, path: str) -> None:
    bad = _bad(own_app, path)
    ways: list[tuple[int, bytes, dict[str, str]]] = [
        (400, bad, {**JSON, "Content-Encoding": "gzip"}),
        (413, b" " * 2**24, JSON),
        (415, bad, {}),
        (422, bad, JSON),
    ]
    async with _client(own_app) as client:
        for status, body, headers in ways:
            response = await client.post(path, content=body, headers=headers)
            assert response.json() == _shown(own_app, path, status)
    assert len(_shown(own_app, path, 422)["errors"]) == 2


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_answered_above_the_limit_of_connections(app: FastAPI, path: str) -> None:
    async def above_limit(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"above_limit": True}}, receive, send)

    async with _client(above_limit) as client:
        response = await client.post(path, content=b"{}", headers=JSON)
    assert response.json() == _shown(app, path, 503)


async def test_what_is_answered_before_the_process_stops() -> None:
    app = create_app(Settings(artifact=ARTIFACT))
    app.state.is_draining = True
    async with _client(app) as client:
        assert (await client.get("/readyz")).json() == _shown(app, "/readyz", 503)


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_answered_to_a_crash(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def crash(_scorer: Scorer, _body: bytes) -> NoReturn:
        raise RuntimeError

    monkeypatch.setattr(Scorer, "predict_valid", crash)
    monkeypatch.setattr(Scorer, "batch", crash)
    response = await client.post(path, content=b"{}", headers=JSON)
    assert response.json() == _shown(app, path, 500)


async def test_what_is_answered_without_a_key() -> None:
    app = create_app(Settings(artifact=ARTIFACT, api_keys=SecretStr(f"me:{'k' * 32}")))
    async with _client(app) as client:
        for path in (*PATHS, "/model", "/metrics"):
            (method,) = app.openapi()["paths"][path]
            assert (await client.request(method, path)).json() == _shown(app, path, 401)
