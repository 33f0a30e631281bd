"""Sends requests to an application as a server would, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

Headers = Sequence[tuple[bytes, bytes]]

JSON: Headers = [(b"content-type", b"application/json")]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Asker:
    """Sends requests to one application, all on one event loop."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._runner = asyncio.Runner()

    def __call__(
        self,
        path: str,
        *pieces: bytes,
        method: str = "POST",
        headers: Headers = JSON,
        length: bool = True,
    ) -> Answer:
        """Send a body in pieces, with or without its length, and return the answer."""
        return self._runner.run(self._ask(path, pieces, method, headers, length))

    def close(self) -> None:
        self._runner.close()

    async def _ask(
        self, path: str, pieces: Sequence[bytes], method: str, headers: Headers, length: bool
    ) -> Answer:
        arriving = [_part(piece, more_body=True) for piece in pieces[:-1]]
        arriving.append(_part(pieces[-1] if pieces else b"", more_body=False))
        size = (b"content-length", b"%d" % sum(map(len, pieces)))
        sent: list[Message] = []

        async def receive() -> Message:
            if not arriving:
                await asyncio.Event().wait()  # the client stays
            return arriving.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        scope = _scope(path, method, [*headers, size] if length else headers)
        await self._app(scope, receive, send)
        start, *parts = sent
        given = {n.decode("latin-1"): v.decode("latin-1") for n, v in start["headers"]}
        return Answer(start["status"], given, b"".join(part["body"] for part in parts))


def _part(body: bytes, *, more_body: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more_body}


def _scope(path: str, method: str, headers: Headers) -> dict[str, Any]:
    raw_path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [*headers],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 9000),
        "state": {},
    }
