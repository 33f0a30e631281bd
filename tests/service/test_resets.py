"""What a running server logs of clients that leave amid their answers."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

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


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_client_that_leaves_is_a_line_of_the_access_log_and_no_other(
    served: Threaded,
    settings: Settings,
    certificate: Certificate,
    caplog: pytest.LogCaptureFixture,
    name: str,
    is_reset: bool,
) -> None:
    caplog.set_level("INFO", "heartline.connection")
    state = served.server.server_state
    caller = Client(served.address, trusting(certificate) if settings.ssl_certfile else None)
    with caller.connected() as connection:
        connection.sendall(REQUESTS[name])
        assert connection.recv(12) == b"HTTP/1.1 200"
        if is_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    wait_until(lambda: not state.connections and not state.tasks)
    assert not caplog.records
