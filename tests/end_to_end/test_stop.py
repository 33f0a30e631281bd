from __future__ import annotations

import json
import signal
import socket
import ssl
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.end_to_end.certificates import self_signed
from tests.end_to_end.load import BODY, load
from tests.end_to_end.processes import (
    COMMAND,
    PATIENCE,
    listening_port,
    served_url,
    started,
    stop,
    wait_until,
    wait_until_ready,
)
from tests.service.encrypted import Client
from tests.service.samples import PROBLEM

FILE = b"GET /static/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: heartline\r\n\r\n"
UNFINISHED = (
    b"POST /predict HTTP/1.1\r\nHost: heartline\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY[:10])
)


def command(workers: int) -> list[str]:
    return [COMMAND, "serve", "--workers", str(workers)]


def wait_until_not_ready(url: str) -> httpx.Response:
    deadline = time.monotonic() + PATIENCE
    while (answer := httpx.get(f"{url}/readyz")).status_code == 200:
        assert time.monotonic() < deadline
    return answer


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            return
    raise AssertionError("the service goes on listening")


@pytest.mark.parametrize("workers", [1, 3])
def test_no_request_is_lost_when_the_service_stops_under_load(tmp_path: Path, workers: int) -> None:
    with started(command(workers), tmp_path / "log", HEARTLINE_DRAIN_SECONDS="2") as process:
        port = wait_until_ready(process)
        url = f"http://127.0.0.1:{port}"
        with load(port, clients=8) as clients:
            clients.wait_for_answers(100)
            process.send_signal(signal.SIGTERM)
            stopping = wait_until_not_ready(url)
            assert httpx.get(f"{url}/livez").status_code == 200
            clients.wait_for_answers(100)
            assert process.wait(PATIENCE) == 0
    assert stopping.status_code == 503
    assert stopping.headers["content-type"] == PROBLEM
    assert "stopping" in stopping.json()["detail"]
    assert clients.lost == []
    assert {answer.status for answer in clients.answers} == {200}
    assert len(clients.refused) == 8
    assert min(clients.refused) > clients.last_answer


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot drop SYN packets")
@pytest.mark.parametrize("workers", [1, 2])
def test_connections_while_the_listener_drops_packets_are_answered(
    tmp_path: Path, workers: int
) -> None:
    answers: list[tuple[float, bytes]] = []

    def call_until_refused() -> None:
        with suppress(ConnectionRefusedError):
            while True:
                started_at = time.monotonic()
                answer = ask_from_afar(port)
                answers.append((time.monotonic() - started_at, answer))

    with started(command(workers), tmp_path / "log") as process:
        port = wait_until_ready(process)
        callers = [Thread(target=call_until_refused) for _ in range(4)]
        for caller in callers:
            caller.start()
        process.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join()
        assert process.wait(PATIENCE) == 0
    assert {answer[:15] for _, answer in answers} == {b"HTTP/1.1 200 OK"}
    # What was not calls at first was sent again, which no system does sooner.
    assert max(waited for waited, _ in answers) > 0.2


def ask_from_afar(port: int) -> bytes:
    """Ask on a connection whose first packets alone have the longest life."""
    with socket.socket() as connection:
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        connection.connect(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
        connection.sendall(UNFINISHED + BODY[10:])
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


@pytest.mark.parametrize("workers", [1, 2])
def test_before_it_is_ready_the_service_is_not_there(tmp_path: Path, workers: int) -> None:
    log = tmp_path / "log"
    with started(command(workers), log):
        url = served_url(log)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(httpx.ConnectError):
                assert httpx.get(f"{url}/readyz").status_code == 200
                return
    raise AssertionError("the service did not get ready")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_ctrl_c_ends_the_service_at_once(tmp_path: Path, workers: int) -> None:
    log = tmp_path / "log"
    with started(command(workers), log, HEARTLINE_DRAIN_SECONDS="300") as process:
        port = wait_until_ready(process)
        process.send_signal(signal.SIGINT)
        assert wait_until_not_ready(f"http://127.0.0.1:{port}").status_code == 503
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    levels = {json.loads(line)["level"] for line in log.read_text().splitlines()}
    assert levels == {"INFO"}


def test_a_second_sigterm_does_not_cut_the_drain_short(tmp_path: Path) -> None:
    dates = set()

    def has_ticked() -> bool:
        """Return whether the server's loop, which sets the date, has outlived two changes of it."""
        dates.add(httpx.get(f"{url}/livez").raise_for_status().headers["date"])
        return len(dates) > 2

    with started(command(1), tmp_path / "log", HEARTLINE_DRAIN_SECONDS="300") as process:
        url = f"http://127.0.0.1:{wait_until_ready(process)}"
        process.send_signal(signal.SIGTERM)
        wait_until_not_ready(url)
        process.send_signal(signal.SIGTERM)
        wait_until(has_ticked)
        assert stop(process, signal.SIGINT) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_that_does_not_end_is_cut_off(tmp_path: Path, workers: int) -> None:
    with started(command(workers), tmp_path / "log", HEARTLINE_FINISH_SECONDS="1") as process:
        port = wait_until_ready(process)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(UNFINISHED)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_in_flight_is_finished_after_the_drain(tmp_path: Path, workers: int) -> None:
    with started(command(workers), tmp_path / "log", HEARTLINE_FINISH_SECONDS="30") as process:
        port = wait_until_ready(process)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(UNFINISHED)
            process.send_signal(signal.SIGTERM)
            wait_until_refused(port)
            connection.sendall(BODY[10:])
            answer = connection.makefile("rb").read()
        assert process.wait(PATIENCE) == 0
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in answer
    assert b'{"probability":' in answer


@pytest.mark.parametrize(("kind", "finish", "write"), [("https", "1", "300"), ("http", "300", "1")])
def test_clients_that_do_not_read_do_not_hold_up_the_stop(
    tmp_path: Path, kind: str, finish: str, write: str
) -> None:
    service = self_signed(tmp_path, "service")
    flags = ["--ssl-certfile", str(service.certificate), "--ssl-keyfile", str(service.key)]
    settings = {"HEARTLINE_FINISH_SECONDS": finish, "HEARTLINE_MAX_WRITE_SECONDS": write}
    context = ssl.create_default_context(cafile=service.certificate) if kind == "https" else None
    with (
        started(command(1) + (flags if context else []), tmp_path / "log", **settings) as process,
        ExitStack() as stack,
    ):
        caller = Client(("127.0.0.1", listening_port(process)), context)
        stack.enter_context(caller.silent())
        for request in (FILE, FILE * 20):
            reading = stack.enter_context(caller.connected())
            reading.sendall(request)
            assert reading.recv(12) == b"HTTP/1.1 200"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
