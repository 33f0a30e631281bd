"""Documents that stay the same while a model is served: made once, and sent again only if new."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
from pydantic import SecretStr

from model.artifact.artifact import Artifact
from service.app import create_app
from service.http import openapi
from service.http.documents import Document
from service.protocols.native import native
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.conftest import Server
from tests.variants import shifted

pytestmark = pytest.mark.anyio

PATHS = ["/openapi.json", "/model"]
KEY = {"Authorization": f"Bearer {'k' * 16}"}


def client_of(settings: Settings, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(settings))
    return httpx.AsyncClient(transport=transport, base_url="http://heartline", headers=headers)


@pytest.mark.parametrize("path", PATHS)
async def test_a_document_is_not_made_again_for_each_reader(
    client: httpx.AsyncClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise AssertionError

    first = await client.get(path)
    for owner, name in (
        (Scorer, "__init__"),
        (native, "answer_examples"),
        (openapi, "_schemas"),
        (Artifact, "card"),
    ):
        monkeypatch.setattr(owner, name, fail)
    again = await client.get(path)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache"
    assert re.fullmatch('"[0-9a-f]{32}"', again.headers["etag"])


SAME = ["{}", "W/{}", '"other", {}', '{}, "other"', '"a,b",{}', 'W/"x" , W/{},', "*", " * "]
OTHER = ["", '"other"', "{}x", "x", "W/", "**", '"*"', '*, "other"', "w/", '"', "é"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("condition", SAME)
async def test_who_has_the_document_gets_304_without_it(
    client: httpx.AsyncClient, path: str, condition: str
) -> None:
    first = await client.get(path)
    etag = first.headers["etag"]
    answer = await client.get(path, headers={"If-None-Match": condition.format(etag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert not {"content-length", "content-type"} & set(answer.headers)
    kept = [name for name in first.headers if name not in ("content-length", "content-type")]
    for name in kept:
        assert name == "x-request-id" or answer.headers[name] == first.headers[name]


async def test_the_document_says_that_the_card_may_be_unchanged(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/model"]["get"]["responses"]
    assert {"200", "304"} <= responses.keys()
    assert "content" not in responses["304"]


async def test_conditions_may_be_spread_over_several_headers(client: httpx.AsyncClient) -> None:
    etag = (await client.get("/openapi.json")).headers["etag"]
    headers = [("If-None-Match", '"other"'), ("If-None-Match", f'"another", {etag}')]
    assert (await client.get("/openapi.json", headers=headers)).status_code == 304


@pytest.mark.parametrize("condition", OTHER)
async def test_who_has_another_document_gets_this_one(
    client: httpx.AsyncClient, condition: str
) -> None:
    etag = (await client.get("/openapi.json")).headers["etag"]
    condition = condition.format(etag[1:-1])
    answer = await client.get("/openapi.json", headers=[(b"If-None-Match", condition.encode())])
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"]) > 1000


def test_the_tag_is_that_of_the_bytes() -> None:
    assert Document({"a": 1}).etag == Document({"a": 1}).etag
    assert len({Document(content).etag for content in ({"a": 1}, {"a": 1.0}, {"a": 2}, {})}) == 4


async def test_with_keys_the_document_is_another_and_the_card_needs_one() -> None:
    keys = SecretStr(f"lab:{'k' * 16}")
    async with (
        client_of(Settings(artifact=ARTIFACT)) as opened,
        client_of(Settings(artifact=ARTIFACT, api_keys=keys)) as closed,
    ):
        with_keys, without = [await c.get("/openapi.json") for c in (closed, opened)]
        assert with_keys.headers["etag"] != without.headers["etag"]
        assert "securitySchemes" in with_keys.json()["components"]
        for condition in ("*", without.headers["etag"]):
            headers = {"If-None-Match": condition}
            refused = await closed.get("/model", headers=headers)
            assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
        known = {"If-None-Match": with_keys.headers["etag"]}
        assert (await closed.get("/openapi.json", headers=known)).status_code == 304
        card = await closed.get("/model", headers=KEY)
        known = {"If-None-Match": card.headers["etag"], **KEY}
        assert (await closed.get("/model", headers=known)).status_code == 304


@pytest.mark.parametrize("path", PATHS)
async def test_a_new_model_has_new_documents(path: str, artifact: Artifact, tmp_path: Path) -> None:
    file = tmp_path / "model.npz"
    artifact.save(file)
    app = create_app(Settings(artifact=file))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        before = await client.get(path)
        other = shifted(artifact, 0.5).save(file)
        app.state.reloader._on_reload(app.state.reloader._read_again())
        known = {"If-None-Match": before.headers["etag"]}
        after = await client.get(path, headers=known)
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert other.version in after.text
    assert artifact.version not in after.text


@pytest.mark.parametrize("path", PATHS)
def test_over_a_connection_304_has_no_body_and_the_next_request_is_answered(
    server: Server, path: str
) -> None:
    with server.client() as client:
        etag = client.get(path).headers["etag"]
        for _ in range(3):
            answer = client.get(path, headers={"If-None-Match": etag})
            assert (answer.status_code, answer.content) == (304, b"")
            assert "content-length" not in answer.headers
            assert client.get("/livez").json() == {"status": "alive"}
