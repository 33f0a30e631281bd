"""Connections of a client that knows no HTTP: what is sent, and when, is the test's own."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.service.conftest import Server
from tests.service.samples import PROBLEM, example

RECORD = json.dumps(example()).encode()
PATIENCE = 30.0
"""Seconds after which a server hangs; nothing is measured with it."""


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        yield connection


def post(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """Return a request; `length` announces another than the body has."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: heartline",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def send(connection: socket.socket, data: bytes) -> None:
    """Send all that the server takes before it closes."""
    with suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(data)


def answers(connection: socket.socket) -> list[bytes]:
    """Return all that comes until the server closes, one answer after the other."""
    received = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(2**16):
            received += chunk
    return [b"HTTP/1.1 " + part for part in received.split(b"HTTP/1.1 ")[1:]]


def statuses(connection: socket.socket) -> list[int]:
    return [int(answer[9:12]) for answer in answers(connection)]


def assert_is_problem(answer: bytes, status: int, slug: str) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    problem: dict[str, Any] = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert f"content-type: {PROBLEM}".encode() in head.lower()
    assert b"content-length: %d" % len(body) in head.lower()
    assert (problem["status"], problem["type"]) == (status, f"urn:heartline:problem:{slug}")
    assert problem["title"]
    assert problem["detail"]
    return problem
