"""How many batches are at work at once, and what the others meet meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from service.app import create_app
from service.errors import Overloaded
from service.inference.admission import Admission
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.samples import JSON, PROBLEM, example

pytestmark = pytest.mark.anyio

BATCH = json.dumps({"instances": [example()] * 3}).encode()
MOST = 2


class Upload:
    """A batch whose last byte is held back."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield BATCH[:-1]
        self.begun.set()
        await self.goes_on.wait()
        yield BATCH[-1:]


@pytest.fixture
async def narrow() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(artifact=ARTIFACT, max_batches=MOST))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        yield client


async def test_one_batch_too_many_is_503_at_once_and_the_others_are_answered(
    narrow: httpx.AsyncClient,
) -> None:
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        uploads = [Upload() for _ in range(MOST)]
        posts = [
            tasks.create_task(narrow.post("/predict/batch", content=upload, headers=JSON))
            for upload in uploads
        ]
        for upload in uploads:
            await upload.begun.wait()
        refused = await narrow.post("/predict/batch", content=BATCH, headers=JSON)
        single = await narrow.post("/predict", json=example())
        probes = [await narrow.get(path) for path in ("/livez", "/readyz", "/metrics")]
        for upload in uploads:
            upload.goes_on.set()
    assert (refused.status_code, refused.headers["content-type"]) == (503, PROBLEM)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "urn:heartline:problem:overloaded"
    assert {answer.status_code for answer in (single, *probes)} == {200}
    assert [(await post).status_code for post in posts] == [200] * MOST
    assert (await narrow.post("/predict/batch", content=BATCH, headers=JSON)).status_code == 200


@pytest.mark.parametrize("body", [b"{", b" " * (8 * 2**20 + 1), b'{"instances": [{"age": 5}]}'])
async def test_a_refused_batch_gives_its_place_back(narrow: httpx.AsyncClient, body: bytes) -> None:
    for _ in range(MOST + 1):
        answer = await narrow.post("/predict/batch", content=body, headers=JSON)
        assert answer.status_code in (413, 422)


async def test_a_crash_gives_the_place_back() -> None:
    admission = Admission(1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), admission.place():
            raise ZeroDivisionError
    with admission.place(), pytest.raises(Overloaded), admission.place():
        pass


async def test_between_two_batches_everybody_else_has_a_turn() -> None:
    admission, order = Admission(2), []

    async def batch() -> None:
        async with admission.turn():
            order.append("batch")

    async def other() -> None:
        order.append("other")
        await asyncio.sleep(0)
        order.append("other")

    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for run in (batch, batch, other):
            tasks.create_task(run())
    assert order == ["other", "batch", "other", "batch"]
