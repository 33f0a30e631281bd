"""Answers of unknown length to HTTP/1.0: it has no chunks, so that closing ends them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

CONTENT_LENGTH = b"content-length"


def end_by_closing(cycle: RequestResponseCycle) -> None:
    """Have an answer without Content-Length sent as it is; uvicorn would send it in chunks.

    uvicorn closes the connection after an answer to HTTP/1.0.
    """
    send_on = cycle.send

    async def send(message: ASGISendEvent) -> None:
        _expect(cycle, dict(message))
        await send_on(message)

    cycle.send = send  # type: ignore[method-assign]


def _expect(cycle: RequestResponseCycle, message: dict[str, Any]) -> None:
    """Let uvicorn take any length for the right one."""
    if message["type"] == "http.response.start":
        if CONTENT_LENGTH not in dict(message["headers"]):
            cycle.chunked_encoding = False
            cycle.expected_content_length = sys.maxsize
    elif cycle.expected_content_length > sys.maxsize // 2 and not message.get("more_body"):
        cycle.expected_content_length = len(message.get("body", b""))
