"""What all tests share: the committed artifact, and an application that serves it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from service.app import create_app
from service.settings import Settings

for name in [name for name in os.environ if name == "PORT" or name.startswith("HEARTLINE_")]:
    del os.environ[name]  # the tests' settings are their own

ROOT = Path(__file__).parents[1]
ARTIFACT = ROOT / "artifacts" / "heart.npz"


def read_json(text: str) -> Any:
    """Read JSON to nine decimals: the last digits of a figure are those of a processor."""
    return json.loads(text, parse_float=lambda digits: round(float(digits), 9))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def artifact() -> Artifact:
    return Artifact.load(ARTIFACT)


@pytest.fixture(scope="session")
def predictor(artifact: Artifact) -> Predictor:
    return artifact.predictor()


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return create_app(Settings(artifact=ARTIFACT))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    # raise_app_exceptions: what a test makes crash is answered as a server would answer it.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        yield client


@pytest.fixture
def record(artifact: Artifact) -> dict[str, Any]:
    return dict(artifact.features.example())
