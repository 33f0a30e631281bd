"""Write the OpenAPI document, the golden rows' answers, and the answers in README and docs/."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from model.artifact.artifact import Artifact
from service.app import create_app
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.golden import pages, tutorial

HERE = Path(__file__).parent


async def predictions(app: FastAPI, artifact: Artifact) -> list[dict[str, Any]]:
    """Return golden records with the probabilities that POST /predict answers."""
    golden = []
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        for row in artifact.features.golden_inputs().tolist():
            record = dict(zip(artifact.features.names, row, strict=True))
            response = await client.post("/predict", json=record)
            golden.append({"record": record, "probability": response.json()["probability"]})
    return golden


def read(name: str) -> Any:
    return json.loads((HERE / name).read_text())


def _write(name: str, document: object) -> None:
    (HERE / name).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    app = create_app(Settings(artifact=ARTIFACT))
    _write("openapi.json", app.openapi())
    _write("predictions.json", asyncio.run(predictions(app, Artifact.load(ARTIFACT))))
    pages.refresh()
    tutorial.refresh()
