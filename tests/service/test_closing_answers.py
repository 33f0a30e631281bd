"""Answers to HTTP/1.0: whole, without chunks, and ended by the end of the connection."""

from __future__ import annotations

import json

import pytest

from tests.service.conftest import Server
from tests.service.connections import connected
from tests.service.samples import example

LINE = json.dumps(example()).encode() + b"\n"


def _answer(server: Server, path: str, media_type: str, body: bytes, extra: str = "") -> bytes:
    head = (
        f"POST {path} HTTP/1.0\r\nContent-Type: {media_type}\r\n{extra}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with connected(server) as connection:
        connection.sendall(head.encode() + body)
        return b"".join(iter(lambda: connection.recv(2**16), b""))


@pytest.mark.parametrize("extra", ["", "Connection: keep-alive\r\n"])
@pytest.mark.parametrize("rows", [0, 1, 3000])
def test_a_reported_stream_is_ended_by_the_connection(
    server: Server, rows: int, extra: str
) -> None:
    path = "/predict/batch?on_error=report"
    answer = _answer(server, path, "application/x-ndjson", LINE * rows, extra)
    head, _, lines = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert [json.loads(line)["predicted_class"] for line in lines.splitlines()] == [0] * rows


def test_an_answer_of_known_length_has_it(server: Server) -> None:
    head, _, body = _answer(server, "/predict", "application/json", LINE).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body)["predicted_class"] == 0
