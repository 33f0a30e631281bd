"""A contract that is written in one file and named in one place is served like the first one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from model.artifact.artifact import Artifact
from service.app import create_app
from service.protocols.contracts import CONTRACTS
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.samples import PROBLEM
from tests.service.tiny_contract import TinyContract
from tests.variants import shifted

pytestmark = pytest.mark.anyio

KEY = "k" * 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(ARTIFACT, tmp_path / "served.npz"))


@pytest.fixture
def app(path: Path) -> Any:
    settings = Settings(artifact=path, api_keys=SecretStr(f"app:{KEY}"))
    return create_app(settings, contracts=(*CONTRACTS, TinyContract))


@pytest.fixture
def client(app: Any) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {KEY}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://heartline", headers=headers)


@pytest.fixture
def row(artifact: Artifact) -> list[float]:
    return [float(value) for value in artifact.features.example().values()]


async def test_both_contracts_answer_from_one_model(
    client: httpx.AsyncClient, artifact: Artifact, row: list[float]
) -> None:
    tiny = await client.post("/tiny/rows", json=[row, row])
    native = await client.post("/predict", json=artifact.features.example())
    assert tiny.json() == [native.json()["probability"]] * 2
    assert "x-request-id" in tiny.headers


async def test_its_requests_and_rows_are_counted(
    client: httpx.AsyncClient, row: list[float]
) -> None:
    await client.post("/tiny/rows", json=[row, row])
    text = (await client.get("/metrics")).text
    assert 'heartline_requests_total{route="/tiny/rows",status="200"} 1.0' in text
    rows = [
        line for line in text.splitlines() if line.startswith("heartline_rows_predicted_total{")
    ]
    assert sum(float(line.split()[-1]) for line in rows) == 2


@pytest.mark.parametrize(
    ("headers", "method", "url", "body", "status", "slug"),
    [
        ({}, "POST", "/tiny/rows", b"[1e300]", 500, "internal-error"),
        ({}, "POST", "/tiny/rows", b"[" + b"1e300," * 12 + b"1e300]", 422, "invalid-input"),
        ({}, "GET", "/tiny/rows", b"", 405, "method-not-allowed"),
        ({}, "GET", "/tiny/nothing", b"", 404, "not-found"),
        ({"Authorization": "none"}, "POST", "/tiny/rows", b"[]", 401, "unauthorized"),
        ({"Content-Length": "99999999"}, "POST", "/tiny/rows", b"", 413, "content-too-large"),
    ],
)
async def test_its_errors_have_its_own_form(
    client: httpx.AsyncClient,
    headers: dict[str, str],
    method: str,
    url: str,
    body: bytes,
    status: int,
    slug: str,
) -> None:
    answer = await client.request(method, url, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"].startswith(f"{slug}: ")


@pytest.mark.parametrize("url", ["/predict", "/nothing", "/tin"])
async def test_other_paths_keep_their_form(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.get(url)
    assert answer.headers["content-type"] == PROBLEM


async def test_it_is_documented(client: httpx.AsyncClient, artifact: Artifact) -> None:
    operation = (await client.get("/openapi.json")).json()["paths"]["/tiny/rows"]["post"]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert example == artifact.golden_probabilities[:1].tolist()
    assert operation["security"]


async def test_a_new_model_answers_in_both(
    app: Any, client: httpx.AsyncClient, path: Path, artifact: Artifact, row: list[float]
) -> None:
    before = (await client.post("/tiny/rows", json=row)).json()
    shifted(artifact, 0.5).save(path)
    assert app.state.reloader._read_again().outcome == "swapped"
    (after,) = (await client.post("/tiny/rows", json=row)).json()
    native = await client.post("/predict", json=artifact.features.example())
    assert after == native.json()["probability"] != before
