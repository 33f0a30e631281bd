"""What all tests share: the committed artifact, and an application that serves it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import settings

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from service.app import create_app
from service.settings import Settings
from tests.examples import FAST

for name in [name for name in os.environ if name == "PORT" or name.startswith("HEARTLINE_")]:
    del os.environ[name]  # the tests' settings are their own

# How long an example may take is no promise: it depends on what else the machine does.
settings.register_profile("whole", deadline=None)
settings.register_profile(FAST, deadline=None, max_examples=20)
settings.load_profile("whole")

ROOT = Path(__file__).parents[1]
ARTIFACT = ROOT / "artifacts" / "heart.npz"
PROCESSES = {ROOT / "tests" / "clients", ROOT / "tests" / "end_to_end"}
"""Folders whose tests start processes."""
SLOW = {"certificate", "heart_run", "irises", "moons_run", "server"}
"""Fixtures that start processes, or train for long."""


def read_json(text: str) -> Any:
    """Read JSON to nine decimals: the last digits of a figure are those of a processor."""
    return json.loads(text, parse_float=lambda digits: round(float(digits), 9))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow by its folder or by a fixture; other slow tests are marked in place."""
    for item in items:
        fixtures = getattr(item, "fixturenames", [])
        if PROCESSES.intersection(item.path.parents) or SLOW.intersection(fixtures):
            item.add_marker(pytest.mark.slow)


def refuse_to_start(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a test that starts a process must be marked as slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let no other test start a process, so that nothing slow joins the fast ones unseen."""
    if item.get_closest_marker("slow"):
        return (yield)
    with patch.object(subprocess, "Popen", refuse_to_start):
        return (yield)


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
