"""Sends generated requests of all kinds to a real server of two workers, at full speed.

Run by ``scripts/fuzz``. The same seed sends the same requests.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import click

from tests.end_to_end.hostile import Answer, Connection, Exchange, exchange
from tests.end_to_end.processes import COMMAND, free_port, started, stop, wait_until_ready
from tests.service import hostile
from tests.service.samples import PROBLEM

CONNECTIONS = 16


class Fuzzer:
    """Several connections to a server, and what came of what was sent on them.

    Parameters
    ----------
    port : int
        Where the server listens.
    patience : float
        Seconds after which an answer that has not come will not come.
    """

    def __init__(self, port: int, patience: float) -> None:
        self._port = port
        self._patience = patience
        self._connections = [self._connect() for _ in range(CONNECTIONS)]
        self.statuses: Counter[int] = Counter()
        self.sent = 0
        self.slowest = 0.0

    def send(self, exchanges: list[Exchange]) -> None:
        """Send one on each connection, then hold what comes to what must."""
        begun = time.perf_counter()
        for connection, sent in zip(self._connections, exchanges, strict=True):
            connection.send(sent)
        for number, sent in enumerate(exchanges):
            answers = self._connections[number].answers(sent)
            self.slowest = max(self.slowest, time.perf_counter() - begun)
            self._check(sent, answers)
            if self._connections[number].is_closed:
                self._connections[number] = self._connect()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _check(self, sent: Exchange, answers: list[Answer]) -> None:
        self.sent += len(sent.methods)
        self.statuses.update(answer.status for answer in answers)
        must_answer = sent.is_http and sent.ending != "aborted"
        assert not must_answer or len(answers) == len(sent.methods), (sent, answers)
        for answer in answers:
            check_answer(answer, sent)

    def _connect(self) -> Connection:
        return Connection(self._port, self._patience)


def check_answer(answer: Answer, sent: Exchange) -> None:
    """Refuse what is an error of the server, has no shape, or tells what was sent."""
    # 501 refuses a transfer coding or CONNECT: RFC 9110 has no other status for these.
    assert answer.status < 500 or answer.status == 501, (sent, answer)
    if answer.media_type == PROBLEM and answer.body:
        told = hostile.without_loc(json.loads(answer.body))
        assert not [mark for mark in hostile.MARKS if mark in told], (sent, answer)
    elif answer.status >= 400 and answer.media_type != PROBLEM:
        # What is no HTTP is refused by uvicorn itself.
        assert answer.body == b"Invalid HTTP request received.", (sent, answer)


def children(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@click.command()
@click.option("--requests", default=200_000, show_default=True, help="How many to send.")
@click.option("--seed", default=1, show_default=True, help="Of the generator.")
@click.option("--patience", default=10.0, show_default=True, help="Seconds that tell a hang.")
def main(requests: int, seed: int, patience: float) -> None:
    """Fuzz a server; the first thing that is not as it must be ends it."""
    rng, port = Random(seed), free_port()
    command = [COMMAND, "serve", "--port", str(port), "--workers", "2", "--log-level", "warning"]
    # A batch refused for want of a place would tell nothing of itself.
    places = {"HEARTLINE_MAX_BATCHES": str(CONNECTIONS)}
    with (
        TemporaryDirectory() as folder,
        started(command, log := Path(folder) / "log", **places) as process,
    ):
        wait_until_ready(port, process)
        workers = children(process.pid)
        fuzzer, begun = Fuzzer(port, patience), time.monotonic()
        while fuzzer.sent < requests:
            fuzzer.send([exchange(rng) for _ in range(CONNECTIONS)])
        seconds = time.monotonic() - begun
        fuzzer.close()
        assert children(process.pid) == workers, "a worker died"
        stop(process)
        events = [json.loads(line) for line in log.read_text().splitlines()]
    assert not [event for event in events if event["level"] != "WARNING"]
    click.echo(f"{fuzzer.sent} requests in {seconds:.0f} s, {fuzzer.sent / seconds:.0f} a second")
    click.echo(f"slowest round of {CONNECTIONS}: {1000 * fuzzer.slowest:.0f} ms")
    click.echo(f"statuses: {dict(sorted(fuzzer.statuses.items()))}; workers that died: 0")


if __name__ == "__main__":
    main()
