"""Servers: real processes on a core of their own, and the questions that they are asked."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.conftest import ROOT

SERVER_CORES = "0"
CLIENT_CORES = "1"
ALL_CORES = "0,1"

PATIENCE = 120.0
"""Seconds after which a server will not start any more, or not stop."""

TOLERANCE = 1e-6
JSON = {"Content-Type": "application/json"}
QUIET = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Settings that turn the telemetry of the peers off."""


class ServerFailure(Exception):
    """A server that does not start, or answers something else than it should."""


class Refused(ServerFailure):
    """A server that answers a question with another status than 200."""


class Question(NamedTuple):
    """A request about some rows, and where in the answer the last one's probability stands."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = JSON
    rows: int = 1
    place: Sequence[str | int] = ()
    probability: float = 0.0


@dataclass(frozen=True)
class Server:
    """How a server is started and what it is asked.

    Parameters
    ----------
    name : str
        What the command line calls it.
    title : str
        What the table calls it.
    command : sequence of str
        Its words; ``{port}`` stands for the port.
    record : Question
        About one record.
    batches : mapping of str to Question
        About 1,000 records, by the form in which they come.
    variables : mapping of str to str
        Added to the environment; ``{port}`` likewise.
    mix : sequence of Question
        About other records, to be asked in turn; the record alone if left out.
    ready : Question, optional
        Answered with 200 as soon as it is ready; the record if left out.
    prepare : callable, optional
        Called before it is started; raises ServerFailure when it cannot be.
    """

    name: str
    title: str
    command: Sequence[str]
    record: Question
    batches: Mapping[str, Question] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    mix: Sequence[Question] = ()
    ready: Question | None = None
    prepare: Callable[[], None] = lambda: None


class Running:
    """A server that answers."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, seconds_to_start: float
    ) -> None:
        self.port = port
        self.seconds_to_start = seconds_to_start
        self._root = psutil.Process(process.pid)

    def check(self, question: Question) -> None:
        """Ask once, and raise ServerFailure unless the probability is the right one."""
        status, content = ask(self.port, question)
        if status != http.client.OK:
            raise Refused(f"{question.path} answers {status}: {content[:200]!r}")
        found = reduce(_step, question.place, json.loads(content))
        if abs(found - question.probability) > TOLERANCE:
            raise ServerFailure(f"{question.path} answers {found}, not {question.probability}")

    def resident_mib(self) -> float:
        """Return the resident memory of all its processes."""
        total = 0
        for process in [self._root, *self._root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total / 2**20

    def peak_mib(self) -> float:
        """Return the most resident memory so far, summed over all its processes."""
        total = 0
        for process in [self._root, *self._root.children(recursive=True)]:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return total / 2**10

    def processor_seconds(self) -> float:
        """Return the processor time of its first process so far, to the nanosecond."""
        tasks = Path(f"/proc/{self._root.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _step(answer: Any, key: str | int) -> Any:
    return answer[key]


def _free_port() -> int:
    """Return a port for servers that do not accept 0; another process may take it meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(port: int, question: Question) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(question.method, question.path, question.body, dict(question.headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@contextmanager
def running(server: Server, log: Path, cores: str = SERVER_CORES) -> Iterator[Running]:
    """Run a server for as long as the block, from its first good answer on; its errors are kept.

    Standard output is a pipe that is read on the other core.

    Raises
    ------
    ServerFailure
        When it ends, or gives none in time; with the last line of what it wrote.
    """
    port = _free_port()
    words = [word.format(port=port) for word in server.command]
    variables = {name: value.format(port=port) for name, value in server.variables.items()}
    with log.open("wb") as output:
        begun = time.perf_counter()
        reader = subprocess.Popen(
            ["taskset", "-c", CLIENT_CORES, "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        process = subprocess.Popen(
            ["taskset", "-c", cores, *words],
            cwd=ROOT,
            env=environment({"PORT": str(port), **variables}),
            stdin=subprocess.DEVNULL,
            stdout=reader.stdin,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_for_answer(process, port, server.ready or server.record, begun + PATIENCE, log)
            yield Running(process, port, time.perf_counter() - begun)
        finally:
            stop(process)
            reader.communicate()


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without settings of Heartline, and with these."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HEARTLINE_") and not name.lower().endswith("_proxy")
    }
    return {**kept, **QUIET, "PYTHONPATH": str(ROOT), **variables}


def _wait_for_answer(
    process: subprocess.Popen[bytes], port: int, question: Question, deadline: float, log: Path
) -> None:
    while process.poll() is None and time.perf_counter() < deadline:
        with suppress(OSError, http.client.HTTPException):
            if ask(port, question)[0] == http.client.OK:
                return
        time.sleep(0.002)
    raise ServerFailure(f"it does not start: {last_line(log.read_text())}")


def last_line(text: str) -> str:
    """Return what most programs end with when they fail: the reason."""
    return next(reversed(text.strip().splitlines()), "no reason given")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        family = [root, *root.children(recursive=True)]
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=10)
    for survivor in left:
        with suppress(psutil.NoSuchProcess):
            survivor.kill()
    psutil.wait_procs(left, timeout=10)
    process.wait(PATIENCE)
