"""Answers of unknown length to HTTP/1.0: it has no chunks, so that closing ends them."""

from __future__ import annotations

import sys

from starlette.types import Message

from service.adapters.uvicorn_internals import RequestResponseCycle

CONTENT_LENGTH = b"content-length"


def end_by_closing(cycle: RequestResponseCycle) -> None:
    """Have an answer without Content-Length sent as it is; uvicorn would send it in chunks.

    uvicorn closes the connection after an answer to HTTP/1.0.
    """
    send_on = cycle.send

    async def send(message: Message) -> None:
        _expect(cycle, message)
        await send_on(message)  # type: ignore[arg-type]

    cycle.send = send  # type: ignore[assignment, method-assign]


def _expect(cycle: RequestResponseCycle, message: Message) -> None:
    """Let uvicorn take any length for the right one."""
    if message["type"] == "http.response.start":
        if CONTENT_LENGTH not in dict(message["headers"]):
            cycle.chunked_encoding = False
            cycle.expected_content_length = sys.maxsize
    elif cycle.expected_content_length > sys.maxsize // 2 and not message.get("more_body"):
        cycle.expected_content_length = len(message.get("body", b""))
