"""A client that sends head and body one by one, as those of Python do, on one connection."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from itertools import cycle

from benchmarks.servers import PATIENCE, Question, ServerFailure
from benchmarks.wrk import sent

BLANK_LINE = b"\r\n\r\n"


def times(port: int, questions: Sequence[Question], seconds: float) -> list[float]:
    """Return the seconds that each answer took, the questions asked in turn for so long."""
    found = []
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        deadline = time.perf_counter() + seconds
        for request in cycle([sent(port, question) for question in questions]):
            head, end, body = request.partition(BLANK_LINE)
            begun = time.perf_counter()
            connection.sendall(head + end)
            connection.sendall(body)
            answer = connection.recv(2**16)
            while not answer.endswith(b"}"):  # as every answer does, and no head
                answer += connection.recv(2**16)
            found.append(time.perf_counter() - begun)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise ServerFailure(f"a body sent after its head is answered {answer[:12]!r}")
            if begun > deadline:
                return found
    raise AssertionError
