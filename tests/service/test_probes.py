import httpx
import pytest

from model.artifact import Artifact

pytestmark = pytest.mark.anyio


async def test_livez_is_alive(client: httpx.AsyncClient) -> None:
    response = await client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_readyz_tells_the_model_version(
    client: httpx.AsyncClient, artifact: Artifact
) -> None:
    response = await client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "model_version": artifact.version}
