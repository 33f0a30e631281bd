"""What a running server does with clients that do not read their answers."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle

import pytest

from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.end_to_end.certificates import Certificate
from tests.end_to_end.processes import wait_until
from tests.service.connections import PATIENCE, RECORD, answers, post
from tests.service.encrypted import Client, trusting
from tests.service.long_answers import LAST, LONG_ANSWERS, STREAM, STREAMS, lines
from tests.service.threaded import Threaded, threaded

pytestmark = pytest.mark.slow

SEND_BUFFER = 8192
PLACES = 4


@pytest.fixture(params=["http", "https"])
def settings(request: pytest.FixtureRequest, certificate: Certificate) -> Settings:
    tls = {"ssl_certfile": certificate.certificate, "ssl_keyfile": certificate.key}
    return Settings(
        artifact=ARTIFACT,
        max_write_seconds=1,
        max_batches=PLACES,
        **(tls if request.param == "https" else {}),  # type: ignore[arg-type]
    )


@pytest.fixture
def served(settings: Settings) -> Iterator[Threaded]:
    with threaded(settings, send_buffer=SEND_BUFFER) as served:
        yield served


@pytest.fixture
def caller(served: Threaded, settings: Settings, certificate: Certificate) -> Client:
    return Client(served.address, trusting(certificate) if settings.ssl_certfile else None)


def _is_reset(connection: socket.socket, seconds: float = PATIENCE) -> bool:
    """Wait for the end without reading anything."""
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(1000 * seconds))


def _batch_status(caller: Client) -> bytes:
    with caller.connected() as connection:
        connection.sendall(post("/predict/batch", b'{"instances": [%b]}' % RECORD, LAST))
        (answer,) = answers(connection)
    return answer[9:12]


def test_a_client_that_reads_nothing_is_disconnected(
    caller: Client, served: Threaded, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        held = {}
        for name, request in LONG_ANSWERS.items():
            if name not in STREAMS:
                held[name] = stack.enter_context(caller.connected())
                held[name].sendall(request)
        for connection in held.values():
            assert _is_reset(connection)
        wait_until(lambda: not served.server.server_state.connections)
        wait_until(lambda: not served.server.server_state.tasks)
    assert not [record for record in caplog.records if record.levelname != "INFO"]


def test_what_a_client_that_reads_nothing_held_is_given_back(
    caller: Client, served: Threaded
) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(caller.connected()) for _ in range(PLACES)]
        for connection, request in zip(held, cycle(STREAMS.values()), strict=False):
            connection.sendall(request)
        wait_until(lambda: len(served.server.server_state.tasks) == len(held))
        assert _batch_status(caller) == b"503"
        for connection in held:
            assert _is_reset(connection)
        wait_until(lambda: not served.server.server_state.tasks)
        assert _batch_status(caller) == b"200"


def test_a_client_that_reads_too_slowly_is_disconnected(caller: Client) -> None:
    with caller.connected() as connection:
        connection.sendall(LONG_ANSWERS["file"])
        deadline = time.monotonic() + PATIENCE
        while not _is_reset(connection, 0.3):
            assert time.monotonic() < deadline
            connection.recv(2**12)


@pytest.mark.parametrize(
    "request_", [LONG_ANSWERS["last batch"], lines(STREAM, "application/x-ndjson", LAST)]
)
def test_a_client_that_reads_slowly_gets_all_of_it(caller: Client, request_: bytes) -> None:
    with caller.connected() as connection:
        connection.sendall(request_)
        received = _read(connection, 2**15)
        for _ in range(6):
            time.sleep(0.3)  # the client's slowness: longer than the deadline in all
            received += _read(connection, 2**14)
        received += b"".join(iter(lambda: connection.recv(2**16), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    is_whole = b"content-length: %d\r\n" % len(body) in head
    assert is_whole or body.endswith(b"\r\n0\r\n\r\n")


def test_what_the_kernel_sends_counts_as_read() -> None:
    with (
        threaded(Settings(artifact=ARTIFACT, max_write_seconds=1)) as served,
        Client(served.address, None).connected() as connection,
    ):
        connection.sendall(LONG_ANSWERS["file"] * 5)
        received = 0
        for _ in range(20):  # far less than the kernel holds
            received += len(_read(connection, 2**14))
            time.sleep(0.15)  # likewise
        while received < 5 * 1_700_000:
            part = connection.recv(2**16)
            assert part
            received += len(part)


def _read(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += connection.recv(size - len(received))
    return received
