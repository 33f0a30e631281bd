"""A stream of rows that are reported one by one is never held whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.types import Message

from tests.service.samples import example

CHUNK_ROWS, CHUNKS = 50, 20

PLAIN = f"{json.dumps(example())}\n"
NAMED = f"{json.dumps(example(sex='male'))}\n"
HEADER = f"{','.join(example())}\n"
CELLS = f"{','.join(map(str, example().values()))}\n"


def _chunks(header: str, line: str) -> Iterator[Message]:
    chunk = (line * CHUNK_ROWS).encode()
    yield {"type": "http.request", "body": header.encode(), "more_body": True}
    for _ in range(CHUNKS):
        yield {"type": "http.request", "body": chunk, "more_body": True}
    yield {"type": "http.request", "body": b"", "more_body": False}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("media_type", "header", "line"),
    [
        ("application/x-ndjson", "", PLAIN),
        ("application/x-ndjson", "", NAMED),
        ("text/csv", HEADER, CELLS),
    ],
    ids=["NDJSON", "names of codes", "CSV"],
)
async def test_a_stream_is_never_held_whole(
    app: FastAPI, media_type: str, header: str, line: str
) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": "/predict/batch",
        "raw_path": b"/predict/batch",
        "query_string": b"on_error=report",
        "headers": [(b"content-type", media_type.encode())],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 9000),
        "state": {},
    }
    arriving = _chunks(header, line)
    received = answered = waiting = 0

    async def receive() -> Message:
        nonlocal received, waiting
        waiting = max(waiting, received - answered)
        message = next(arriving)
        received += message["body"].count(b"\n")
        return message

    async def send(message: Message) -> None:
        nonlocal answered
        answered += message.get("body", b"").count(b"\n")

    await app(scope, receive, send)
    assert answered == received == CHUNK_ROWS * CHUNKS + len(header.splitlines())
    # Each piece is answered before the next but one is read.
    assert waiting <= 2 * CHUNK_ROWS + 1
