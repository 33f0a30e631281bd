"""Real processes: the heartline command as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.conftest import ROOT

COMMAND = str(Path(sys.executable).parent / "heartline")
PATIENCE = 60.0
"""Seconds after which a process hangs; nothing is measured with it."""


NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For a client of plain HTTP: to load the usual authorities takes it longer than many tests."""


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment, with settings of its own; nothing drains."""
    ours = {"HEARTLINE_DRAIN_SECONDS": "0", "HEARTLINE_PORT": "0"}
    return {**os.environ, **ours, **variables}


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port for a program that does not accept 0: the system gives it to no other process."""
    with socket.socket() as held:
        # A server that sets this too may listen on the port of a socket that does not listen.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )


@contextmanager
def started(
    command: list[str], log: Path, cwd: Path = ROOT, /, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for as long as the block; its output goes to a file."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment(**variables), stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    """Send a signal and return the exit code."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def logged(log: Path) -> list[dict[str, Any]]:
    """Return the lines of a log that are whole: a reader may meet the last one half written."""
    *lines, _ = log.read_text().split("\n")
    return [json.loads(line) for line in lines]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listening_port(process: subprocess.Popen[bytes]) -> int:
    """Wait until a process listens, and return its port."""
    ports: list[int] = []

    def is_listening() -> bool:
        assert process.poll() is None, "the process has ended"
        connections = psutil.Process(process.pid).net_connections("tcp")
        ports.extend(each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN)
        return bool(ports)

    wait_until(is_listening)
    return ports[0]


def served_url(log: Path) -> str:
    """Wait until a service has logged where it is going to listen, and return that."""
    wait_until(lambda: '"serving"' in log.read_text())
    (url,) = (str(line["url"]) for line in logged(log) if line["message"] == "serving")
    return url


def wait_until_ready(process: subprocess.Popen[bytes]) -> int:
    """Wait until a service is ready, and return its port."""
    port = listening_port(process)

    def is_ready() -> bool:
        assert process.poll() is None, "the service has ended"
        with suppress(httpx.TransportError):
            return client.get("/readyz").status_code == httpx.codes.OK
        return False

    with calling(f"http://127.0.0.1:{port}") as client:
        wait_until(is_ready)
    return port


def http_client(url: str, **headers: str) -> httpx.Client:
    """Return a client of plain HTTP."""
    return httpx.Client(base_url=url, headers=headers, verify=NO_AUTHORITIES, trust_env=False)


def calling(url: str) -> httpx.Client:
    """Return a client that connects anew for each request: any worker may take it."""
    return http_client(url, Connection="close")


def workers_of(process: subprocess.Popen[bytes]) -> set[int]:
    """Return the ids of the workers, leaving out what multiprocessing keeps for itself."""
    workers = set()
    for child in _reported_by(f"/proc/{process.pid}/task/{process.pid}/children").split():
        if b"spawn_main" in _reported_by(f"/proc/{int(child)}/cmdline"):
            workers.add(int(child))
    return workers


def _reported_by(path: str) -> bytes:
    """Return the contents of a file of a process; nothing if it has ended."""
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
