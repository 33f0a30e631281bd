"""Where a request ends, whatever it says; and that each is answered before the next is read."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from service.connections.framing import CHUNKED_SLICE_BYTES
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.service.conftest import Server
from tests.service.connections import RECORD, connected, post, statuses
from tests.service.wire import Connection, run

OPEN = Settings(artifact=ARTIFACT)
SMALL = Settings(artifact=ARTIFACT, max_record_bytes=1024)
KEY = "k" * 16
KEYED = Settings(artifact=ARTIFACT, api_keys=f"laboratory:{KEY}")
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
BATCH = b'{"instances": [%b]}' % RECORD
LAST_CHUNK = b"0\r\n\r\n"

both_ways = pytest.mark.parametrize("fast", [True, False], ids=["fast", "slow"])


def chunked(path: str, body: bytes, *headers: str, after: bytes = LAST_CHUNK) -> bytes:
    """Return a request whose body comes in two chunks."""
    head = post(path, b"", "Transfer-Encoding: chunked", *headers)
    head = head.replace(b"Content-Length: 0\r\n", b"")
    parts = (body[:50], body[50:])
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + after


def hasty(request: bytes) -> list[bytes]:
    return [request]


def head_first(request: bytes) -> list[bytes]:
    head, blank, body = request.partition(b"\r\n\r\n")
    return [head + blank, body]


def in_threes(request: bytes) -> list[bytes]:
    return [request[place : place + 3] for place in range(0, len(request), 3)]


cut_any_way = pytest.mark.parametrize("cut", [hasty, head_first, in_threes])

# A client that half-closes


class Reluctant:
    """An event loop that leaves undone what it is asked to do soon."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_soon(self, *_: Any) -> None:
        pass


@both_ways
@pytest.mark.parametrize("is_tls", [False, True])
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post("/predict", RECORD), 200),
        (chunked("/predict", RECORD), 200),
        (post("/predict", b"{}"), 422),
        (post("/predict/batch", BATCH), 200),
        (LIVEZ, 200),
        (LIVEZ.replace(b"GET", b"HEAD"), 200),
        (LIVEZ.replace(b"livez", b"nothing"), 404),
    ],
    ids=range(7),
)
def test_an_answer_that_is_not_sent_yet_is_sent_when_the_client_sends_no_more(
    request_: bytes, status: int, is_tls: bool, fast: bool
) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast, is_tls=is_tls)
        other = asyncio.create_task(asyncio.sleep(60))
        connection.state.tasks.add(other)  # With others at work, answers are held for a moment.
        connection.protocol.loop = Reluctant(asyncio.get_running_loop())
        connection.protocol.data_received(request_)
        cycle = connection.protocol.cycle  # none where the fast path has answered
        await connection.until(lambda: cycle is None or cycle.response_complete)
        connection.end()
        assert connection.wire.statuses() == [status]
        other.cancel()

    run(scenario)


@both_ways
@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("request_", [post("/predict", RECORD), post("/predict/batch", BATCH)])
def test_what_arrived_before_the_end_is_answered_after_it(
    request_: bytes, number: int, fast: bool
) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        connection.protocol.connections.add(object())  # Else a plain request is answered at once.
        connection.protocol.data_received(request_ * number)
        connection.end()
        assert await connection.answers(number) == [200] * number
        assert connection.wire.is_closed

    run(scenario)


def test_a_plain_request_over_tls_is_answered_though_the_client_has_closed() -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, is_tls=True)
        connection.protocol.connections.add(object())
        connection.protocol.data_received(post("/predict", RECORD))
        connection.end()
        assert connection.wire.statuses() == [200]

    run(scenario)


@both_ways
def test_what_is_cut_short_behind_a_whole_request_gets_no_answer(fast: bool) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        connection.protocol.connections.add(object())
        connection.protocol.data_received(post("/predict", RECORD) + LIVEZ[:-1])
        connection.end()
        assert await connection.answers(1) == [200]
        assert connection.wire.is_closed

    run(scenario)


def test_requests_that_have_arrived_are_answered_while_the_server_stops() -> None:
    async def scenario() -> None:
        connection = Connection(OPEN)
        connection.protocol.data_received(LIVEZ * 3)
        connection.protocol.shutdown()
        assert await connection.answers(3) == [200] * 3
        assert connection.wire.is_closed

    run(scenario)


# Upgrade

H2C = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQAoAAAAAIA",
)
UPGRADES = {
    "h2c": H2C,
    "websocket": (
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
    ),
    "two": ("connection: upgrade", "upgrade: a, b", "Upgrade: c/1"),
}


@both_ways
@cut_any_way
@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("make", [post, chunked])
@pytest.mark.parametrize(("path", "body"), [("/predict", RECORD), ("/predict/batch", BATCH)])
def test_upgrade_is_ignored_and_the_body_is_the_requests(
    path: str,
    body: bytes,
    make: Callable[..., bytes],
    upgrade: str,
    cut: Callable[[bytes], list[bytes]],
    fast: bool,
) -> None:
    async def scenario() -> None:
        expected, connection = Connection(OPEN, fast=fast), Connection(OPEN, fast=fast)
        await expected.send(make(path, body, "X-Request-ID: mine"), METRICS)
        asked = make(path, body, "X-Request-ID: mine", *UPGRADES[upgrade])
        await connection.send(*cut(asked + METRICS + LIVEZ))
        assert await connection.answers(3) == [200] * 3
        await expected.answers(2)
        first = [wire.written.split(b"HTTP/1.1")[1] for wire in (connection.wire, expected.wire)]
        assert first[0] == first[1]

    run(scenario)


@both_ways
@cut_any_way
@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_a_request_in_the_body_of_one_with_upgrade_is_no_request(
    path: str, upgrade: str, cut: Callable[[bytes], list[bytes]], fast: bool
) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        await connection.send(*cut(post(path, METRICS, *UPGRADES[upgrade])))
        assert await connection.answers(1) == [422]
        assert b"heartline_requests_total" not in connection.wire.written

    run(scenario)


@both_ways
def test_upgrade_in_http_1_0_is_ignored_too(fast: bool) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        asked = post("/predict", RECORD, *H2C).replace(b"HTTP/1.1", b"HTTP/1.0")
        await connection.send(*head_first(asked), METRICS)
        assert await connection.answers(1) == [200]
        assert connection.wire.is_closed

    run(scenario)


@pytest.mark.parametrize("ending", [b"", METRICS])
def test_connect_is_not_implemented_and_nothing_behind_it_is_read(ending: bytes) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN)
        await connection.send(b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n" + ending, METRICS)
        assert await connection.answers(1) == [501]
        assert connection.wire.is_closed

    run(scenario)


@pytest.mark.slow
def test_curl_gets_its_prediction_though_it_offers_http_2(server: Server) -> None:
    command = ["curl", "-sS", "--http2", f"{server.url}/predict", "-d", RECORD.decode()]
    done = subprocess.run(
        [*command, "-H", "Content-Type: application/json", "-w", "%{http_version} %{http_code}"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.endswith(b"}1.1 200")


def test_javas_client_gets_its_prediction_though_it_offers_http_2(server: Server) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Content-Length: %d\r\nHost: localhost\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
        b"User-Agent: Java-http-client/21.0.2\r\nContent-Type: application/json\r\n\r\n"
    )
    with connected(server) as connection:
        connection.sendall(head % len(RECORD))
        connection.sendall(RECORD)
        connection.sendall(LIVEZ.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert statuses(connection) == [200, 200]


# Trailers and chunks

START = chunked("/predict", RECORD, after=b"")
ENDLESS = {
    "trailers": (b"0\r\n", b"a:\r\n"),
    "long trailers": (b"0\r\n", b"a: %b\r\n" % (b"x" * 1000)),
    "a trailer's name": (b"0\r\n", b"x"),
    "a trailer's value": (b"0\r\na: ", b"x"),
    "a chunk's size": (b"", b"0"),
    "a chunk's extension": (b"1;a=", b"x"),
    "a last chunk's extension": (b"0;a=", b"x"),
    "extensions": (b"", b"1;%b\r\n \r\n" % (b"x" * 1000)),
}


@both_ways
@pytest.mark.parametrize("form", ENDLESS)
@pytest.mark.parametrize("size", [1000, 2**18])
def test_what_frames_a_body_in_chunks_is_limited_as_a_head_is(
    form: str, size: int, fast: bool
) -> None:
    start, more = ENDLESS[form]

    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        await connection.send(START + start)
        sent = 0
        while not connection.wire.is_closed:
            assert sent < OPEN.max_head_bytes + 2 * size
            await connection.send(more * max(1, size // len(more)))
            sent += size
            for _ in range(size // CHUNKED_SLICE_BYTES):
                await asyncio.sleep(0)
        assert connection.wire.statuses() == [431]

    run(scenario)


@both_ways
def test_trailers_never_become_headers(fast: bool) -> None:
    trailers = b"0\r\nAuthorization: Bearer %b\r\n\r\n" % KEY.encode()

    async def scenario() -> None:
        connection = Connection(KEYED, fast=fast)
        await connection.send(chunked("/predict", RECORD, after=trailers))
        assert await connection.answers(1) == [401]

    run(scenario)


@both_ways
def test_a_connection_goes_on_whatever_its_trailers_say(fast: bool) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        for number in range(1, 4):
            trailers = b"0\r\nConnection: close\r\nUpgrade: h2c\r\n\r\n"
            await connection.send(chunked("/predict", RECORD, after=trailers))
            assert await connection.answers(number) == [200] * number
            assert not connection.wire.is_closed

    run(scenario)


@both_ways
@cut_any_way
@pytest.mark.parametrize("trailer", [b"Host: other", b"Content-Encoding: gzip", b"X: y", b"e:"])
def test_a_body_with_trailers_is_answered_as_without(
    trailer: bytes, cut: Callable[[bytes], list[bytes]], fast: bool
) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        sent = chunked("/predict", RECORD, after=b"0;e=1\r\n%b\r\n\r\n" % trailer)
        await connection.send(*cut(sent + LIVEZ))
        assert await connection.answers(2) == [200, 200]

    run(scenario)


@both_ways
def test_a_length_in_the_trailers_contradicts_the_chunks(fast: bool) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        await connection.send(
            chunked("/predict", RECORD, after=b"0\r\nContent-Length: 3\r\n\r\n") + METRICS
        )
        assert await connection.answers(1) == [400]
        assert connection.wire.is_closed

    run(scenario)


@both_ways
@pytest.mark.parametrize("extension", [b"", b";name=value"])
def test_a_body_in_chunks_of_a_byte_is_taken_at_any_length(extension: bytes, fast: bool) -> None:
    body = RECORD.ljust(10_000)
    chunks = b"".join(b"1%b\r\n%c\r\n" % (extension, byte) for byte in body)

    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        await connection.send(START.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + chunks + LAST_CHUNK)
        assert await connection.answers(1) == [200]

    run(scenario)


def test_small_chunks_do_not_hold_the_loop() -> None:
    async def scenario() -> None:
        connection = Connection(OPEN)
        await connection.send(START)
        connection.protocol.data_received(b"1\r\n \r\n" * 40_000)
        received = [len(connection.protocol.cycle.body)]
        while connection.protocol._slices:
            await asyncio.sleep(0)
            received.append(connection.protocol._content_bytes)
        assert max(b - a for a, b in pairwise(received)) < 2**14

    run(scenario)


# Requests that do not wait for answers

TINY = b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n"


@both_ways
@pytest.mark.parametrize("request_", [TINY, post("/predict", RECORD), chunked("/predict", RECORD)])
def test_of_pipelined_requests_one_is_with_the_application_at_a_time(
    request_: bytes, fast: bool
) -> None:
    number = 100

    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        connection.protocol.data_received(request_ * number)
        assert not connection.wire.is_read
        while len(connection.wire.statuses()) < number:
            assert len(connection.state.tasks) <= 1
            assert not connection.protocol.pipeline
            await asyncio.sleep(0)
        assert await connection.answers(number) == [200] * number
        assert connection.wire.is_read

    run(scenario)


@both_ways
@pytest.mark.parametrize("request_", [TINY, post("/predict", RECORD), chunked("/predict", RECORD)])
def test_no_request_is_begun_while_the_client_reads_no_answers(request_: bytes, fast: bool) -> None:
    async def scenario() -> None:
        connection = Connection(OPEN, fast=fast)
        await connection.send(request_)
        assert await connection.answers(1) == [200]
        connection.protocol.pause_writing()
        await connection.send(request_ * 50)
        assert await connection.answers(1) == [200]
        assert not connection.wire.is_read
        assert connection.protocol.timeout_keep_alive_task is None
        connection.protocol._run_out(1)  # The deadline is of what the client was asked for.
        assert not connection.wire.is_closed
        connection.protocol.resume_writing()
        assert await connection.answers(51) == [200] * 51
        assert connection.wire.is_read

    run(scenario)


def test_what_waits_is_not_added_to_however_often_the_application_reads() -> None:
    async def scenario() -> None:
        connection = Connection(OPEN)
        connection.protocol.data_received(TINY * 10)
        connection.protocol.flow.resume_reading()
        assert not connection.wire.is_read
        assert await connection.answers(10) == [200] * 10

    run(scenario)


@both_ways
@cut_any_way
def test_requests_of_every_kind_are_answered_in_order_however_they_are_cut(
    cut: Callable[[bytes], list[bytes]], fast: bool
) -> None:
    kinds = [
        (LIVEZ, 200),
        (post("/predict", RECORD), 200),
        (b"\r\n" + post("/predict", b"\r\n\r\n" * 9), 422),
        (chunked("/predict", RECORD + b"\r\n\r\n" * 30), 200),
        (
            chunked("/predict", b"", after=b"0\r\na: b\r\n\r\n").replace(
                b"0\r\n\r\n0\r\n\r\n", b""
            ),
            422,
        ),
        (post("/predict", RECORD, *H2C), 200),
        (post("/predict", b" " * 2000), 413),
        (LIVEZ.replace(b"GET", b"HEAD"), 200),
        (post("/predict/batch", BATCH), 200),
    ]
    order = [*kinds, *reversed(kinds), *kinds]

    async def scenario() -> None:
        connection = Connection(SMALL, fast=fast)
        await connection.send(*cut(b"".join(request for request, _ in order)))
        assert await connection.answers(len(order)) == [status for _, status in order]

    run(scenario)


def test_what_arrives_after_a_refusal_is_not_read() -> None:
    async def scenario() -> None:
        connection = Connection(OPEN)
        connection.protocol.data_received(LIVEZ + b"\x00\r\n\r\n" + METRICS)
        assert await connection.answers(2) == [200, 400]
        assert connection.wire.is_closed

    run(scenario)
