"""What a running server does with more connections than it serves."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from threading import Event

import pytest

from service.connections.connection_limit import SPARE_CONNECTIONS, ConnectionLimit, Place
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.end_to_end.certificates import Certificate
from tests.end_to_end.processes import wait_until
from tests.service.connections import PATIENCE, RECORD, answers, assert_is_problem, post
from tests.service.encrypted import Client, trusting
from tests.service.threaded import Threaded, threaded

pytestmark = pytest.mark.slow

MOST = 8
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: heartline\r\n\r\n"
PART_OF_A_HEAD = LIVEZ[:-2]
PART_OF_A_BODY = post("/predict", RECORD, length=2**15)


@pytest.fixture(params=["http", "https"])
def settings(request: pytest.FixtureRequest, certificate: Certificate) -> Settings:
    tls = {"ssl_certfile": certificate.certificate, "ssl_keyfile": certificate.key}
    return Settings(
        artifact=ARTIFACT,
        max_connections=MOST,
        max_head_seconds=300,
        max_body_seconds=300,
        max_write_seconds=300,
        **(tls if request.param == "https" else {}),  # type: ignore[arg-type]
    )


@pytest.fixture
def served(settings: Settings) -> Iterator[Threaded]:
    with threaded(settings, send_buffer=8192) as served:
        yield served


@pytest.fixture
def caller(served: Threaded, settings: Settings, certificate: Certificate) -> Client:
    return Client(served.address, trusting(certificate) if settings.ssl_certfile else None)


def _ask(caller: Client, request: bytes) -> bytes:
    with caller.connected() as connection:
        connection.sendall(request)
        return connection.recv(12)[-3:]


def _hold(
    stack: ExitStack, connection: AbstractContextManager[socket.socket], sent: bytes
) -> socket.socket:
    held = stack.enter_context(connection)
    held.sendall(sent)
    return held


def _hold_busy(
    stack: ExitStack, caller: Client, served: Threaded, sent: bytes, number: int
) -> list[socket.socket]:
    """Hold connections, each with a part of a request that has been received."""
    held = []
    for _ in range(number):
        held.append(_hold(stack, caller.connected(), sent))
        busy = min(len(held), MOST + SPARE_CONNECTIONS)
        wait_until(lambda busy=busy: _busy_connections(served) == busy)  # type: ignore[misc]
    return held


def _busy_connections(served: Threaded) -> int:
    connections = list(served.server.server_state.connections)
    return sum(bool(getattr(connection, "scope", None)) for connection in connections)


def _has_ended(connection: socket.socket) -> bool:
    with suppress(ConnectionResetError, ssl.SSLEOFError):
        return connection.recv(1) == b""
    return True


@pytest.mark.parametrize("is_new", [True, False])
def test_connections_without_a_request_make_room_for_new_ones(caller: Client, is_new: bool) -> None:
    with ExitStack() as stack:
        held = []
        for _ in range(MOST + SPARE_CONNECTIONS + 2 * MOST):
            held.append(_hold(stack, caller.connected(), b"" if is_new else LIVEZ))
            assert is_new or held[-1].recv(12) == b"HTTP/1.1 200"
        assert [_ask(caller, request) for request in (LIVEZ, post("/predict", RECORD))] == [
            b"200",
            b"200",
        ]
        held[-1].sendall(post("/predict", RECORD))
        assert held[-1].recv(12)
        held[0].settimeout(PATIENCE)
        while not _has_ended(held[0]):
            pass


def test_the_connection_that_has_been_idle_longest_makes_room(caller: Client) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(caller.connected()) for _ in range(MOST)]
        for connection in (*held, held[0]):
            connection.sendall(LIVEZ)
            connection.recv(2**16)
        assert _ask(caller, LIVEZ) == b"200"
        assert _has_ended(held[1])
        held[0].sendall(LIVEZ)
        assert held[0].recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("part", [PART_OF_A_HEAD, PART_OF_A_BODY], ids=["head", "body"])
def test_above_the_limit_of_busy_connections_the_probes_alone_are_answered(
    caller: Client, served: Threaded, part: bytes
) -> None:
    with ExitStack() as stack:
        held = _hold_busy(stack, caller, served, part, MOST)
        with caller.connected() as one_more:
            one_more.sendall(post("/predict", RECORD))
            (refused,) = answers(one_more)
        for path in (b"/livez", b"/readyz", b"/metrics"):
            assert _ask(caller, LIVEZ.replace(b"/livez", path)) == b"200"
        held[0].sendall(b"\r\n" if part is PART_OF_A_HEAD else b" " * (2**15 - len(RECORD)))
        assert held[0].recv(12) == b"HTTP/1.1 200"
    assert_is_problem(refused, 503, "overloaded")
    assert b"\r\nretry-after: 1\r\n" in refused
    assert b"\r\nconnection: close\r\n" in refused


@pytest.mark.parametrize("part", [PART_OF_A_HEAD, PART_OF_A_BODY], ids=["head", "body"])
def test_far_above_the_limit_slow_requests_make_room_for_probes(
    caller: Client, served: Threaded, part: bytes
) -> None:
    with ExitStack() as stack:
        held = _hold_busy(stack, caller, served, part, MOST + SPARE_CONNECTIONS + MOST)
        assert _ask(caller, LIVEZ) == b"200"
        while not _has_ended(held[MOST]):
            pass
        held[0].sendall(b"\r\n" if part is PART_OF_A_HEAD else b" " * (2**15 - len(RECORD)))
        assert held[0].recv(12) == b"HTTP/1.1 200"


def test_an_answer_that_is_not_read_yet_is_not_lost(caller: Client) -> None:
    files = b"GET /static/swagger-ui/swagger-ui.css HTTP/1.1\r\nHost: h\r\n\r\n"
    with ExitStack() as stack:
        reading = _hold(stack, caller.connected(), files)
        assert reading.recv(12) == b"HTTP/1.1 200"
        for _ in range(2 * MOST):
            _hold(stack, caller.connected(), b"")
        received = 0
        while received < 180_000:
            part = reading.recv(2**16)
            assert part
            received += len(part)


@pytest.mark.parametrize("hello", [b"", b"\x16\x03\x01\x02\x00"])
@pytest.mark.parametrize("settings", ["https"], indirect=True)
def test_handshakes_make_room_for_new_connections(caller: Client, hello: bytes) -> None:
    with ExitStack() as stack:
        held = [
            _hold(stack, caller.silent(), hello) for _ in range(MOST + SPARE_CONNECTIONS + 2 * MOST)
        ]
        assert _ask(caller, post("/predict", RECORD)) == b"200"
        assert _has_ended(held[0])


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_handshake_has_the_deadline_of_a_head(
    certificate: Certificate, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(
        artifact=ARTIFACT,
        max_head_seconds=1,
        ssl_certfile=certificate.certificate,
        ssl_keyfile=certificate.key,
    )
    with threaded(settings) as served:
        caller = Client(served.address, trusting(certificate))
        with caller.silent() as held:
            held.sendall(sent)
            assert _has_ended(held)
        wait_until(lambda: not served.server.server_state.connections)
        assert _ask(caller, LIVEZ) == b"200"
    assert not [record for record in caplog.records if record.levelname != "INFO"]


@pytest.mark.parametrize("settings", ["https"], indirect=True)
def test_a_client_that_is_quicker_than_the_event_loop_is_answered(
    served: Threaded, caller: Client
) -> None:
    with caller.connected() as first:
        first.sendall(LIVEZ)
        assert first.recv(12) == b"HTTP/1.1 200"
        loop, is_asked = served.connection().loop, Event()
        loop.call_soon_threadsafe(is_asked.wait, PATIENCE)
        with ExitStack() as stack:
            held = [stack.enter_context(caller.silent()) for _ in range(4)]
            pairs = [_begun(connection, caller.context) for connection in held]
            is_asked.set()
            for connection, (inside, outside, secured) in zip(held, pairs, strict=True):
                while True:
                    try:
                        secured.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        connection.sendall(outside.read())
                        inside.write(connection.recv(2**16))


def _begun(
    connection: socket.socket, context: ssl.SSLContext | None
) -> tuple[ssl.MemoryBIO, ssl.MemoryBIO, ssl.SSLObject]:
    """Send the first message of a handshake."""
    assert context
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(inside, outside, server_hostname="127.0.0.1")
    with suppress(ssl.SSLWantReadError):
        secured.do_handshake()
    connection.sendall(outside.read())
    return inside, outside, secured


class Fake:
    """A connection that can be evicted, or not."""

    def __init__(self, connections: set[Fake], can_be_evicted: bool) -> None:
        self._connections = connections
        self._can_be_evicted = can_be_evicted
        connections.add(self)

    def evict(self) -> bool:
        if self._can_be_evicted:
            self._connections.discard(self)
        return self._can_be_evicted


def test_a_connection_is_cut_off_where_none_can_make_room() -> None:
    connections: set[Fake] = set()
    limit = ConnectionLimit(2)
    places = []
    for _ in range(2 + SPARE_CONNECTIONS + 1):
        fake = Fake(connections, can_be_evicted=False)
        places.append(limit.admit(connections))
        limit.idles(fake)
        limit.has_spare(fake)
    assert places == [Place.WITHIN] * 2 + [Place.ABOVE] * SPARE_CONNECTIONS + [Place.NONE]


def test_a_connection_that_has_ended_makes_no_room() -> None:
    connections: set[Fake] = set()
    limit = ConnectionLimit(1)
    first = Fake(connections, can_be_evicted=True)
    limit.idles(first)
    limit.forget(first)
    Fake(connections, can_be_evicted=True)
    assert limit.admit(connections) is Place.ABOVE
    assert first in connections
