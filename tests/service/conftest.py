"""A real server, started as an operator would start it."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ARTIFACT

HEARTLINE = Path(sys.executable).with_name("heartline")


@dataclass(frozen=True)
class Server:
    url: str
    log: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False)

    def log_lines(self) -> list[dict[str, Any]]:
        """Read what is whole: a reader may meet the last line half written."""
        *lines, _ = self.log.read_text().split("\n")
        return [json.loads(line) for line in lines]

    def log_of(self, request_id: str) -> dict[str, Any]:
        """Wait for the access log's line on a request: it is written after the answer."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for line in self.log_lines():
                if line.get("request_id") == request_id and line["logger"] == "heartline.access":
                    return line
            time.sleep(0.01)
        raise AssertionError(f"no line of the access log has the request id {request_id}")


def clean_environment(**settings: str) -> dict[str, str]:
    ours = ("HEARTLINE_", "PORT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "HEARTLINE_ARTIFACT": str(ARTIFACT), **settings}


@contextmanager
def running_server(log: Path, **settings: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", log)
    environment = clean_environment(HEARTLINE_PORT=str(port), **settings)
    with log.open("wb") as output:
        process = subprocess.Popen([HEARTLINE, "serve"], stdout=output, env=environment)
    try:
        _wait_until_ready(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    with server.client() as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    raise AssertionError("the server did not become ready")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.fixture
def settings_free(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Take every setting out of the environment."""
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    return os.environ


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Undo what configure_logging does to the process."""
    loggers = [
        logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.error", "uvicorn.access")
    ]
    before = [(log, log.level, log.handlers[:], log.propagate) for log in loggers]
    yield
    for log, level, handlers, propagate in before:
        log.setLevel(level)
        log.handlers[:] = handlers
        log.propagate = propagate
