"""An application asked without a server: what arrives, and when, is the test's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import Message

from service.wire.peer import PEER, Peer
from tests.exposition import read, total


class Exchange:
    """One request to `POST /predict/batch`, or another path, and what is answered.

    Attributes
    ----------
    peer : Peer
        The client.
    sent : list of dict
        The messages of the application.
    """

    def __init__(self, app: FastAPI, headers: dict[str, str], target: str) -> None:
        self._app = app
        path, _, query = target.partition("?")
        self.peer = Peer()
        self.sent: list[Message] = []
        self._arriving: asyncio.Queue[Message] = asyncio.Queue()
        self._scope = {
            "type": "http", "method": "POST", "path": path, "query_string": query.encode(),
            "headers": [(n.lower().encode(), v.encode()) for n, v in headers.items()],
            "state": {PEER: self.peer},
        }  # fmt: skip

    def arrives(self, body: bytes, *, more: bool = False) -> None:
        """Let a part of the body arrive."""
        self._arriving.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leaves(self) -> None:
        """Let the client close the connection."""
        self._arriving.put_nowait({"type": "http.disconnect"})

    async def run(self) -> None:
        """Let the application answer."""
        async with asyncio.timeout(60):
            await self._app(self._scope, self._arriving.get, self.send)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(part.get("body", b"") for part in self.sent[1:])

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


async def answered(
    app: FastAPI, headers: dict[str, str], target: str, parts: Iterable[bytes]
) -> Exchange:
    """Return the exchange of a body that arrives in parts."""
    exchange = Exchange(app, headers, target)
    for part in parts:
        exchange.arrives(part, more=True)
    exchange.arrives(b"")
    await exchange.run()
    return exchange


async def metric(app: FastAPI, name: str) -> float:
    """Return the sum of a metric over its labels."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://heartline") as client:
        return total(read((await client.get("/metrics")).text), name)
