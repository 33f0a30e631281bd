from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from service.app import create_app
from service.protocols.native.scoring import Scorer
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.samples import example

pytestmark = pytest.mark.anyio

OURS, THEIRS = "https://app.example", "https://evil.example"
KEY = "k" * 32
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,traceparent,x-request-id",
}


@pytest.fixture
async def open_client() -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(artifact=ARTIFACT, cors_origins=(OURS,), api_keys=SecretStr(f"lab:{KEY}"))
    transport = httpx.ASGITransport(create_app(settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        yield client


async def test_by_default_no_other_origin_is_let_in(client: httpx.AsyncClient) -> None:
    before = await client.options("/predict", headers={"Origin": OURS, **PREFLIGHT})
    assert before.status_code == 405
    response = await client.post("/predict", json=example(), headers={"Origin": OURS})
    for answer in (before, response):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_an_origin_of_the_setting_is_let_in_without_a_key_for_the_question(
    open_client: httpx.AsyncClient,
) -> None:
    before = await open_client.options("/predict", headers={"Origin": OURS, **PREFLIGHT})
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == OURS
    assert before.headers["access-control-allow-methods"] == "GET, POST"
    assert "access-control-allow-credentials" not in before.headers
    assert before.headers["x-content-type-options"] == "nosniff"


async def test_its_pages_can_read_answers_refusals_and_crashes(
    open_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"Origin": OURS, "Authorization": f"Bearer {KEY}"}
    good = await open_client.post("/predict", json=example(), headers=key)
    refused = await open_client.post("/predict", json=example(), headers={"Origin": OURS})
    monkeypatch.setattr(Scorer, "predict", None)
    crashed = await open_client.post("/predict", json=example(), headers=key)
    assert [good.status_code, refused.status_code, crashed.status_code] == [200, 401, 500]
    for answer in (good, refused, crashed):
        assert answer.headers["access-control-allow-origin"] == OURS
        assert answer.headers["access-control-expose-headers"] == "X-Request-ID"
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", [THEIRS, "null", f"{OURS}.evil.example", "http://app.example"])
async def test_another_origin_is_not(open_client: httpx.AsyncClient, origin: str) -> None:
    before = await open_client.options("/predict", headers={"Origin": origin, **PREFLIGHT})
    assert before.status_code == 400
    headers = {"Origin": origin, "Authorization": f"Bearer {KEY}"}
    response = await open_client.post("/predict", json=example(), headers=headers)
    for answer in (before, response):
        assert "access-control-allow-origin" not in answer.headers
        assert origin not in answer.text
