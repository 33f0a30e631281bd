"""The log of a service whose standard output is full, broken or closed."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.end_to_end.processes import (
    COMMAND,
    calling,
    environment,
    started,
    stop,
    wait_until,
    wait_until_ready,
    workers_of,
)
from tests.exposition import read, total
from tests.service.samples import example

REQUESTS = 100
"""The lines of as many do not fit into a small pipe."""


@contextmanager
def serving(workers: int, stdout: int, errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [COMMAND, "serve", "--workers", str(workers)]
    with errors.open("wb") as stderr:
        process = subprocess.Popen(command, env=environment(), stdout=stdout, stderr=stderr)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def ask(port: int) -> None:
    with calling(f"http://127.0.0.1:{port}") as client:
        assert {client.get("/livez").status_code for _ in range(REQUESTS)} == {200}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_log_that_is_not_read_stops_neither_the_service_nor_its_stop(
    tmp_path: Path, workers: int
) -> None:
    errors = tmp_path / "errors"
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with serving(workers, writer, errors) as process:
        os.close(writer)
        port = wait_until_ready(process)
        ask(port)
        if workers > 1:  # the parent logs too
            before = workers_of(process)
            os.kill(min(before), signal.SIGKILL)
            wait_until(lambda: len(workers_of(process) - before) == 1)
            wait_until_ready(process)
        assert stop(process) == 0
    with os.fdopen(reader) as lines:
        *whole, _ = lines.read().split("\n")
    assert all(json.loads(line)["timestamp"] for line in whole)
    assert errors.read_bytes() == b""


def test_a_log_whose_reader_comes_back_has_every_line(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with serving(1, writer, tmp_path / "errors") as process:
        os.close(writer)
        port = wait_until_ready(process)
        ask(port)
        process.send_signal(signal.SIGTERM)
        with os.fdopen(reader) as lines:
            log = [json.loads(line) for line in lines]
        assert process.wait(60) == 0
    assert sum(line.get("route") == "/livez" for line in log) == REQUESTS
    assert log[-1]["message"].startswith("Finished server process")


@pytest.mark.parametrize(
    ("output", "workers"), [("a disk that is full", 2), ("a pipe without a reader", 1)]
)
def test_lines_that_cannot_be_written_are_counted(
    tmp_path: Path, output: str, workers: int
) -> None:
    errors = tmp_path / "errors"
    if output == "a disk that is full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, stdout = os.pipe()
        os.close(reader)
    with serving(workers, stdout, errors) as process:
        os.close(stdout)
        port = wait_until_ready(process)
        ask(port)

        def dropped() -> float:
            with calling(f"http://127.0.0.1:{port}") as client:
                page = client.get("/metrics").text
            return total(read(page), "heartline_log_lines_dropped_total")

        wait_until(lambda: dropped() >= REQUESTS)
        assert stop(process) == 0
    assert errors.read_bytes() == b""


@pytest.mark.parametrize(("variables", "is_text"), [({}, True), ({"LOG_FORMAT": "json"}, False)])
def test_a_terminal_gets_lines_for_people_from_every_process(
    tmp_path: Path, variables: dict[str, str], is_text: bool
) -> None:
    terminal, stdout = pty.openpty()
    command = [COMMAND, "serve", "--workers", "2"]
    settings = {f"HEARTLINE_{name}": value for name, value in variables.items()}
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(
            command, env=environment(**settings), stdout=stdout, stderr=errors
        )
    try:
        wait_until_ready(process)
        wait_until(lambda: len(workers_of(process)) == 2)
        before = workers_of(process)
        os.kill(min(before), signal.SIGKILL)  # the parent logs too
        wait_until(lambda: len(workers_of(process) - before) == 1)
        wait_until_ready(process)  # a worker that is killed may lose its lines
    finally:
        stop(process)
    os.close(stdout)
    lines = everything(terminal).decode().splitlines()
    assert any("a worker ended" in line for line in lines)
    assert any("heartline.access" in line for line in lines)
    assert {line.startswith("{") for line in lines} == {not is_text}


def everything(terminal: int) -> bytes:
    """Return what is left to read of a terminal whose other side is closed."""
    pieces = []
    with suppress(OSError):  # as Linux says that there is no more
        while piece := os.read(terminal, 2**16):
            pieces.append(piece)
    os.close(terminal)
    return b"".join(pieces)


@pytest.mark.parametrize(("closed", "workers"), [("12", 1), ("012", 2)])
def test_standard_streams_that_are_closed_are_no_sockets_and_no_crash(
    tmp_path: Path, closed: str, workers: int
) -> None:
    close = " ".join(f"{number}>&-" for number in closed)
    words = f"exec {COMMAND} serve --workers {workers} {close}"
    with started(["sh", "-c", words], tmp_path / "log") as process:
        wait_until_ready(process)
        for pid in (process.pid, *workers_of(process)):
            for number in closed:
                assert Path(f"/proc/{pid}/fd/{number}").readlink() == Path(os.devnull)
        assert stop(process) == 0


@pytest.mark.parametrize("path", ["/predict", "/predict?"])
def test_a_process_that_is_killed_loses_the_lines_of_one_turn_at_most(
    tmp_path: Path, path: str
) -> None:
    reader, writer = os.pipe()
    with serving(1, writer, tmp_path / "errors") as process:
        os.close(writer)
        port = wait_until_ready(process)
        with calling(f"http://127.0.0.1:{port}") as client:
            statuses = [client.post(path, json=example()).status_code for _ in range(REQUESTS)]
            process.kill()
        process.wait()
    assert set(statuses) == {200}
    with os.fdopen(reader) as lines:
        log = [json.loads(line) for line in lines]
    assert sum(line.get("route") == "/predict" for line in log) >= REQUESTS - 1


@pytest.mark.parametrize("sink", ["a pipe", "a file", "a socket"])
def test_a_stop_writes_the_line_of_every_request(tmp_path: Path, sink: str) -> None:
    path = tmp_path / "log"
    with ExitStack() as stack:
        if sink == "a pipe":
            reader, writer = os.pipe()
        elif sink == "a socket":
            reader, writer = (end.detach() for end in socket.socketpair())
        else:
            writer = os.open(path, os.O_WRONLY | os.O_CREAT)
            reader = os.open(path, os.O_RDONLY)
        lines = stack.enter_context(os.fdopen(reader))
        with serving(1, writer, tmp_path / "errors") as process:
            os.close(writer)
            port = wait_until_ready(process)
            with calling(f"http://127.0.0.1:{port}") as client:
                for _ in range(REQUESTS):
                    assert client.post("/predict", json=example()).status_code == 200
            assert stop(process) == 0
        log = [json.loads(line) for line in lines]
    assert sum(line.get("route") == "/predict" for line in log) == REQUESTS
    assert log[-1]["message"].startswith("Finished server process")
