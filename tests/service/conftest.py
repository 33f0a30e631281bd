"""A real server, started as an operator would start it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from tests.conftest import ARTIFACT
from tests.end_to_end.certificates import Certificate, self_signed
from tests.end_to_end.processes import COMMAND, http_client, logged, started, wait_until_ready


@dataclass(frozen=True)
class Server:
    url: str
    log: Path

    def client(self) -> httpx.Client:
        return http_client(self.url)

    def log_lines(self) -> list[dict[str, Any]]:
        return logged(self.log)

    def log_of(self, request_id: str) -> dict[str, Any]:
        """Wait for the access log's line on a request: it is written after the answer."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for line in self.log_lines():
                if line.get("request_id") == request_id and line["logger"] == "heartline.access":
                    return line
            time.sleep(0.01)
        raise AssertionError(f"no line of the access log has the request id {request_id}")


@contextmanager
def running_server(log: Path, **settings: str) -> Iterator[Server]:
    with started(
        [COMMAND, "serve"], log, **{"HEARTLINE_ARTIFACT": str(ARTIFACT), **settings}
    ) as process:
        yield Server(f"http://127.0.0.1:{wait_until_ready(process)}", log)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1, and its key."""
    return self_signed(tmp_path_factory.mktemp("certificate"), "service")


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Undo what configure_logging does to the process."""
    loggers = [
        logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.error", "uvicorn.access")
    ]
    before = [(log, log.level, log.handlers[:], log.propagate) for log in loggers]
    # dictConfig closes all handlers that it knows; a library's would close the captured output.
    with patch.object(logging, "_handlerList", []):
        yield
    for log, level, handlers, propagate in before:
        log.setLevel(level)
        log.handlers[:] = handlers
        log.propagate = propagate
