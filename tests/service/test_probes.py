import httpx
import pytest

from model.artifact.artifact import Artifact
from model.inference.single_row import SingleRow

pytestmark = pytest.mark.anyio


async def test_livez_is_alive(client: httpx.AsyncClient) -> None:
    response = await client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_readyz_shows_the_model_version(
    client: httpx.AsyncClient, artifact: Artifact
) -> None:
    response = await client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "model_version": artifact.version}


async def test_readyz_notices_when_single_records_come_out_wrong(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SingleRow, "output", lambda *_: 0.5)
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert (await client.get("/livez")).status_code == 200
