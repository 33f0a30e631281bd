"""What a running server does with clients that are slow, endless, broken, or too many."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from service.connections.connection import UNWANTED_BYTES
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.exposition import read, series
from tests.service.conftest import Server, running_server
from tests.service.connections import (
    PATIENCE,
    RECORD,
    answers,
    assert_is_problem,
    connected,
    post,
    send,
    statuses,
)
from tests.service.samples import JSON, PROBLEM
from tests.service.threaded import threaded

pytestmark = pytest.mark.slow

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: heartline\r\n\r\n"
LAST_LIVEZ = b"GET /livez HTTP/1.1\r\nHost: heartline\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for no longer than a second or two."""
    seconds = {"HEAD": "1", "BODY": "1", "IDLE": "2"}
    settings = {f"HEARTLINE_MAX_{name}_SECONDS": value for name, value in seconds.items()}
    log = tmp_path_factory.mktemp("strict") / "log"
    with running_server(log, **settings) as server:
        yield server


@pytest.fixture(autouse=True)
def still_answers(strict: Server) -> Iterator[None]:
    yield
    with strict.client() as client:
        assert client.post("/predict", content=RECORD, headers=JSON).status_code == 200


def _dribble(connection: socket.socket, data: bytes) -> None:
    """Send slowly, which is what the server must bear, until it closes."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while True:
            connection.sendall(data)
            time.sleep(0.05)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.1\r\nX: %b\r\n\r\n" % (b"x" * (60 * 2**20)),
        b"GET /%b HTTP/1.1\r\nHost: h\r\n\r\n" % (b"x" * (60 * 2**20)),
        b"GET /livez HTTP/1.1\r\n%b\r\n" % (b"X: y\r\n" * 2**22),
        b"GET /livez HTTP/1.1\r\nX: %b\r\n\r\n" % (b"x" * 2**14),
    ],
    ids=["a header of 60 MB", "a path of 60 MB", "4 million headers", "a little too long"],
)
def test_a_head_that_is_too_long_is_431(strict: Server, head: bytes) -> None:
    with connected(strict) as connection:
        send(connection, head)
        (answer,) = answers(connection)
    problem = assert_is_problem(answer, 431, "head-too-large")
    assert "16384" in problem["detail"]


def test_a_head_that_is_just_short_enough_is_taken_in_one_piece_or_many(strict: Server) -> None:
    start, end = LAST_LIVEZ[:-2] + b"X: ", b"\r\n\r\n"
    head = start + b"x" * (2**14 - len(start + end)) + end
    for size in (len(head), 1000):
        with connected(strict) as connection:
            for place in range(0, len(head), size):
                connection.sendall(head[place : place + size])
                time.sleep(0.01)  # so that each arrives alone: a client sees no event for that
            assert statuses(connection) == [200]


@pytest.mark.parametrize("before", [LIVEZ, post("/predict", RECORD)], ids=range(2))
@pytest.mark.parametrize("size", [2**14 + 100, 2**20])
def test_a_head_behind_another_request_is_measured_too(
    strict: Server, before: bytes, size: int
) -> None:
    with connected(strict) as connection:
        send(connection, before + LIVEZ[:-2] + b"X: " + b"x" * size + b"\r\n\r\n")
        first, *others = answers(connection)
    assert first.startswith(b"HTTP/1.1 200 ")
    assert not [answer for answer in others if not answer.startswith(b"HTTP/1.1 431 ")]


def test_a_large_body_is_not_taken_for_a_head(strict: Server) -> None:
    padded = RECORD.ljust(2**16)
    with connected(strict) as connection:
        connection.sendall(post("/predict", padded))
        connection.sendall(post("/predict", padded, "Connection: close"))
        assert statuses(connection) == [200, 200]


@pytest.mark.parametrize("before", [[], [LIVEZ] * 2, [post("/predict", RECORD)]], ids=range(3))
@pytest.mark.parametrize("is_silent", [True, False])
def test_a_head_that_takes_too_long_is_408(
    strict: Server, before: list[bytes], is_silent: bool
) -> None:
    with connected(strict) as connection:
        connection.sendall(b"".join(before) + b"GET /livez HTTP/1.1\r\nX: ")
        if not is_silent:
            _dribble(connection, b"x")
        *answered, last = answers(connection)
    assert len(answered) == len(before)
    assert_is_problem(last, 408, "too-slow")


def test_empty_lines_do_not_keep_a_connection(strict: Server) -> None:
    with connected(strict) as connection:
        connection.sendall(LIVEZ)
        _dribble(connection, b"\r\n")
        assert statuses(connection) == [200, 408]


def test_a_connection_without_a_request_is_closed_without_an_answer(strict: Server) -> None:
    with connected(strict) as silent, connected(strict) as idle:
        idle.sendall(LIVEZ)
        assert (statuses(silent), statuses(idle)) == ([], [200])


@pytest.mark.parametrize("request_before", [LIVEZ, post("/predict", RECORD)], ids=range(2))
def test_between_two_requests_there_is_more_time_than_a_head_has(
    tmp_path: Path, request_before: bytes
) -> None:
    settings = {"HEARTLINE_MAX_HEAD_SECONDS": "1", "HEARTLINE_MAX_IDLE_SECONDS": "60"}
    with running_server(tmp_path / "log", **settings) as server, connected(server) as connection:
        connection.sendall(request_before)
        assert connection.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        with connected(server) as later:  # it is closed after the time that a head has
            assert later.recv(1) == b""
        connection.sendall(LAST_LIVEZ)
        assert statuses(connection) == [200, 200]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize("is_silent", [True, False])
def test_a_body_that_takes_too_long_is_408(strict: Server, path: str, is_silent: bool) -> None:
    with connected(strict) as connection:
        connection.sendall(post(path, b"{", length=60_000))
        if not is_silent:
            _dribble(connection, b" ")
        (answer,) = answers(connection)
    assert_is_problem(answer, 408, "too-slow")
    with strict.client() as client:
        operation = client.get("/openapi.json").json()["paths"][path]["post"]
    shown = operation["responses"]["408"]["content"][PROBLEM]["example"]
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == shown


TRAILERS = b"1\r\n{\r\n0\r\n" + b"x: y\r\n" * 10_000


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize(("framing", "body", "status"), [
    ("Content-Length: 60000", b"{", 408),
    ("Transfer-Encoding: chunked", TRAILERS, 431),
])  # fmt: skip
def test_a_body_that_the_connection_rejects_is_counted_and_logged_with_the_status_that_was_sent(
    strict: Server, path: str, framing: str, body: bytes, status: int
) -> None:
    request_id = uuid.uuid4().hex
    labels = {"route": path, "status": str(status)}
    head = post(path, b"", framing, f"X-Request-ID: {request_id}")
    request = head.replace(b"Content-Length: 0\r\n", b"") + body
    with strict.client() as client:
        before = read(client.get("/metrics").text)
        with connected(strict) as connection:
            send(connection, request)
            assert statuses(connection) == [status]
        assert strict.log_of(request_id)["status"] == status
        after = read(client.get("/metrics").text)
    counted = {key: after[key] - before[key] for key in after if ("route", path) in key[1]}
    requests = {key: count for key, count in counted.items() if key[0].endswith("requests_total")}
    assert {key for key, count in requests.items() if count} == {
        series("heartline_requests_total", **labels)
    }


def test_what_is_left_of_a_refused_body_does_not_keep_a_connection(strict: Server) -> None:
    with connected(strict) as connection:
        connection.sendall(post("/predict", b"{", length=2**30))
        _dribble(connection, b" ")
        assert statuses(connection) == [413]


def test_a_long_body_that_is_not_needed_is_read_slowly_to_its_end() -> None:
    length = 3 * UNWANTED_BYTES
    with (
        threaded(Settings(artifact=ARTIFACT)) as served,
        socket.create_connection(served.address, PATIENCE) as client,
    ):
        client.sendall(post("/predict", b" " * (UNWANTED_BYTES - 1), length=length))
        assert client.recv(12) == b"HTTP/1.1 413"
        flow, is_paused = served.connection().flow, Event()
        pause_reading = flow.pause_reading

        def pause_and_tell() -> None:
            is_paused.set()
            pause_reading()

        flow.pause_reading = pause_and_tell
        client.sendall(b" " * UNWANTED_BYTES)
        assert is_paused.wait(PATIENCE)
        client.sendall(b" " * (UNWANTED_BYTES + 1) + LAST_LIVEZ)
        assert statuses(client)[-1] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"\x00" * 1000,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        post("/predict", b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
        + b"ZZ\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
)
def test_what_is_not_http_is_400(strict: Server, sent: bytes) -> None:
    with connected(strict) as connection:
        connection.sendall(sent)
        (answer,) = answers(connection)
    assert_is_problem(answer, 400, "not-http")


def test_garbage_after_a_request_does_not_take_its_answer(strict: Server) -> None:
    with connected(strict) as connection:
        connection.sendall(post("/predict", RECORD) + b"\x00\x00")
        assert statuses(connection)[0] == 200


@pytest.mark.parametrize("ending", [b"", b"GET /livez HT", b"\x00"])
def test_pipelined_requests_are_answered_in_order(strict: Server, ending: bytes) -> None:
    bad = post("/predict", b"{}")
    requests = [post("/predict", RECORD), LIVEZ, bad, LIVEZ] * 50
    with connected(strict) as connection:
        connection.sendall(b"".join(requests) + (ending or LAST_LIVEZ))
        assert statuses(connection)[:200] == [200, 200, 422, 200] * 50


def _resident_bytes(server: Server) -> int:
    (started,) = re.findall(r"Started server process \[(\d+)\]", server.log.read_text())
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{started}/status").read_text())
    return 1024 * int(kilobytes)


SHORT = b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "number"),
    [(SHORT, 7), (LIVEZ, 1), (post("/predict", RECORD), 1)],
    ids=range(3),
)
def test_a_flood_of_pipelined_requests_does_not_pile_up(
    strict: Server, request_: bytes, number: int
) -> None:
    before = _resident_bytes(strict)
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            connection = stack.enter_context(connected(strict))
            connection.settimeout(0.5)
            flood = memoryview(request_ * (10 * 2**20 // len(request_)))
            with contextlib.suppress(TimeoutError):
                while flood:
                    flood = flood[connection.send(flood[: 2**16]) :]
        assert connection.recv(12) == b"HTTP/1.1 200"
        assert _resident_bytes(strict) - before < 64 * 2**20


def test_a_request_in_single_bytes_is_answered(strict: Server) -> None:
    with connected(strict) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post("/predict", RECORD, "Connection: close"):
            connection.sendall(bytes([byte]))
        assert statuses(connection) == [200]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (post("/predict", RECORD), [200]),
        (post("/predict", RECORD) + LIVEZ, [200, 200]),
        (post("/predict/batch", b'{"instances": [%b]}' % RECORD.ljust(2**17)), [200]),
        (post("/predict", RECORD[:-1], length=len(RECORD)), []),
        (b"GET /livez HT", []),
        (b"", []),
    ],
    ids=["whole", "two", "batch", "cut in the body", "cut in the head", "nothing"],
)
def test_a_half_closed_connection_gets_the_answers_it_is_owed(
    strict: Server, sent: bytes, expected: list[int]
) -> None:
    with connected(strict) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(connection) == expected
