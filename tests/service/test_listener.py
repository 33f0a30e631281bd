from __future__ import annotations

import json
import logging
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from service.server import serve as server
from service.server.listener import ListenError, bind, shown_address
from service.settings import Settings
from tests.conftest import ARTIFACT


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1:8000"),
        ("localhost", "localhost:8000"),
        ("::1", "[::1]:8000"),
        ("::", "[::]:8000"),
        ("fe80::1%eth0", "[fe80::1%eth0]:8000"),
    ],
)
def test_an_ipv6_address_is_shown_in_brackets(host: str, shown: str) -> None:
    assert shown_address(Settings(host=host)) == shown


def test_an_ipv6_address_that_is_taken_is_named_in_brackets() -> None:
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=rf"^cannot listen on \[::1\]:{port}: "):
            bind(Settings(host="::1", port=port))


@pytest.fixture
def signals_restored() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_the_log_has_the_chosen_port_after_an_ipv6_address_in_brackets(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    logging_restored: None,
    signals_restored: None,
) -> None:
    ports = []

    def answer(*given: Any) -> None:
        with given[-1] as listening:
            ports.append(listening.getsockname()[1])

    monkeypatch.setattr(server, "answer", answer)
    server.serve(Settings(host="::1", port=0, artifact=ARTIFACT))
    logging.getLogger().handlers[0].flush()
    (line,) = capfd.readouterr().out.splitlines()
    assert json.loads(line)["url"] == f"http://[::1]:{ports[0]}"
