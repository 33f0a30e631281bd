"""Planted defects: applications that misread lines as an earlier version did.

Each defect rewrites the request body before the application reads it. So it does not depend on how
the application is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.service.careful import lines_of

Defect = Callable[[bytes], bytes]


def planted(app: ASGIApp, defect: Defect, media_type: str) -> ASGIApp:
    """Return an application with a defect in how it reads uncompressed bodies of one media type."""

    async def defective(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if headers.get(b"content-type") != media_type.encode() or b"content-encoding" in headers:
            await app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        changed: list[Message] = [
            {"type": "http.request", "body": defect(body), "more_body": False}
        ]

        async def receive_changed() -> Message:
            return changed.pop() if changed else await receive()

        kept = [header for header in scope["headers"] if header[0] != b"content-length"]
        await app({**scope, "headers": kept}, receive_changed, send)

    return defective


def lines_are_joined(body: bytes) -> bytes:
    """Parse all lines joined as one list, and accept it if it has as many records as lines."""
    lines = lines_of(body)
    try:
        records = json.loads(b"[%b]" % b",".join(lines))
    except (ValueError, RecursionError):
        return body
    is_list_of_theirs = len(records) == len(lines) and all(type(r) is dict for r in records)
    return _as_lines(records) if is_list_of_theirs else body


def ids_are_floats(body: bytes) -> bytes:
    """Pass whole numbers through a 64-bit float."""
    try:
        records = [json.loads(line, parse_int=_through_a_float) for line in lines_of(body)]
    except (ValueError, RecursionError):
        return body
    return _as_lines(records)


def cells_are_stripped(body: bytes) -> bytes:
    """Strip the white space around each line, also where it belongs to a cell."""
    return b"\n".join(map(bytes.strip, lines_of(body)))


def nesting_is_not_caught(body: bytes) -> bytes:
    """Parse each line, and let the RecursionError of deep nesting through."""
    for line in lines_of(body):
        try:
            json.loads(line)
        except ValueError:
            return body
    return body


def _as_lines(records: list[Any]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def _through_a_float(digits: str) -> int:
    return int(float(digits))
