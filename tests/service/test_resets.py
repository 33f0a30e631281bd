"""What a running server logs of clients that leave amid their answers."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from service.connections.connection import LimitedProtocol
from service.settings import Settings
from tests.conftest import ARTIFACT
from tests.end_to_end.certificates import Certificate
from tests.end_to_end.processes import wait_until
from tests.service.connections import RECORD, post
from tests.service.encrypted import Client, trusting
from tests.service.long_answers import LONG_ANSWERS, get
from tests.service.threaded import Threaded, threaded

RESET = struct.pack("ii", 1, 0)
FILE = get("/static/swagger-ui/swagger-ui-bundle.js")
REQUESTS = {
    **LONG_ANSWERS,
    "page": get("/docs"),
    "prediction": post("/predict", RECORD),
    "file before others": FILE + post("/predict", RECORD) + get("/livez"),
    "file before a part": FILE + post("/predict", RECORD, length=2**15),
    "prediction before a file": post("/predict", RECORD) + FILE,
}


@pytest.fixture(scope="module", params=["http", "https"])
def settings(request: pytest.FixtureRequest, certificate: Certificate) -> Settings:
    tls = {"ssl_certfile": certificate.certificate, "ssl_keyfile": certificate.key}
    return Settings(
        artifact=ARTIFACT,
        **(tls if request.param == "https" else {}),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Threaded]:
    with threaded(settings, send_buffer=8192) as served:
        yield served


@pytest.mark.parametrize("ending", ["reset", "closed", "TLS closed"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_client_that_leaves_is_a_line_of_the_access_log_and_no_other(
    served: Threaded,
    settings: Settings,
    certificate: Certificate,
    caplog: pytest.LogCaptureFixture,
    name: str,
    ending: str,
) -> None:
    caplog.set_level("INFO", "heartline.connection")
    state = served.server.server_state
    caller = Client(served.address, trusting(certificate) if settings.ssl_certfile else None)
    with caller.connected() as connection:
        connection.sendall(REQUESTS[name])
        assert connection.recv(12) == b"HTTP/1.1 200"
        if ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        elif ending == "TLS closed" and isinstance(connection, ssl.SSLSocket):
            with suppress(OSError):  # the answer comes where the end of TLS is expected
                connection.unwrap()
    wait_until(lambda: not state.connections and not state.tasks)
    assert not caplog.records


def test_the_answer_to_a_request_before_the_last_one_stops(
    served: Threaded, settings: Settings, certificate: Certificate
) -> None:
    caller = Client(served.address, trusting(certificate) if settings.ssl_certfile else None)
    state = served.server.server_state
    with caller.connected() as connection:
        connection.sendall(REQUESTS["file before others"])
        assert connection.recv(12) == b"HTTP/1.1 200"
        (answered,) = [
            other.cycle
            for other in state.connections
            if isinstance(other, LimitedProtocol) and other.flow.is_held
        ]
    assert answered
    wait_until(lambda: not state.connections and not state.tasks)
    assert answered.disconnected
    assert not answered.response_complete
