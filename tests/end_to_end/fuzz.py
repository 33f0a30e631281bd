"""Sends generated requests of all kinds to a real server of two workers, at full speed.

Run by ``scripts/fuzz``. The same seed sends the same requests.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import click

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from tests.conftest import ARTIFACT
from tests.end_to_end.connection import Connection
from tests.end_to_end.hostile import OWN_ID, Exchange, Sent, exchange
from tests.end_to_end.processes import COMMAND, started, stop, wait_until_ready
from tests.service.asking import Answer
from tests.service.hostile import without_loc
from tests.service.questions import check, marks_in
from tests.service.samples import PROBLEM

CONNECTIONS = 16


class WrongAnswer(Exception):
    """An exchange that was answered wrongly, or not at all.

    Parameters
    ----------
    sent : Exchange
        The exchange.
    error : Exception
        The failed check.
    """

    def __init__(self, sent: Exchange, error: BaseException) -> None:
        super().__init__(f"{sent}\n{error!r}")
        self.sent = sent


class Fuzzer:
    """Several connections to a server, and the figures of what was sent on them.

    Parameters
    ----------
    port : int
        Where the server listens.
    predictor : Predictor
        The model that it serves.
    patience : float
        Seconds after which an answer that has not come will not come.
    """

    def __init__(self, port: int, predictor: Predictor, patience: float) -> None:
        self._port = port
        self._predictor = predictor
        self._patience = patience
        self._connections = [self._connect() for _ in range(CONNECTIONS)]
        self.statuses: Counter[int] = Counter()
        self.forms: Counter[str] = Counter()
        self.sent = 0
        self.slowest = 0.0

    def send(self, exchanges: list[Exchange]) -> None:
        """Send one on each connection, then check the answers.

        Raises
        ------
        WrongAnswer
            At the first wrong answer, or none where one must come.
        """
        begun = time.perf_counter()
        for connection, sent in zip(self._connections, exchanges, strict=True):
            connection.send(sent)
        for number, sent in enumerate(exchanges):
            try:
                answers = self._connections[number].answers(sent)
                self.slowest = max(self.slowest, time.perf_counter() - begun)
                self._check(sent, answers)
            except Exception as error:
                raise WrongAnswer(sent, error) from error
            if self._connections[number].is_closed:
                self._connections[number] = self._connect()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _check(self, sent: Exchange, answers: list[Answer]) -> None:
        self.sent += len(sent.requests)
        self.statuses.update(answer.status for answer in answers)
        self.forms.update(one.question.form if one.question else "other" for one in sent.requests)
        must_answer = sent.is_http and sent.ending in ("open", "half-closed")
        assert not must_answer or len(answers) == len(sent.requests), answers
        for one, answer in zip(sent.requests, answers, strict=False):
            check_answer(answer, one, self._predictor)

    def _connect(self) -> Connection:
        return Connection(self._port, self._patience)


def check_answer(answer: Answer, sent: Sent, predictor: Predictor) -> None:
    """Check that an answer is well formed, and the right one."""
    assert answer.status < 500 or answer.status == HTTPStatus.NOT_IMPLEMENTED, answer
    assert answer.headers.get("x-request-id") != OWN_ID.decode(), answer
    if answer.status >= 400:
        assert answer.headers["content-type"] == PROBLEM, answer
        assert not answer.body or not marks_in(without_loc(json.loads(answer.body))), answer
    if sent.version == "1.0":
        assert "transfer-encoding" not in answer.headers, answer
    if sent.refused:
        assert answer.status == sent.refused, answer
    elif sent.question:
        check(sent.question, answer, predictor)


def children(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@click.command()
@click.option("--requests", default=200_000, show_default=True, help="How many to send.")
@click.option("--seed", default=1, show_default=True, help="Of the generator.")
@click.option(
    "--patience",
    default=10.0,
    show_default=True,
    help="Seconds after which a request counts as hung.",
)
def main(requests: int, seed: int, patience: float) -> None:
    """Fuzz a server until the first wrong answer, which is shown with the seed."""
    rng = Random(seed)
    click.echo(f"seed {seed}")
    command = [COMMAND, "serve", "--workers", "2", "--log-level", "warning"]
    # A batch that is rejected by the limit would test nothing.
    places = {"HEARTLINE_MAX_BATCHES": "1000"}
    with (
        TemporaryDirectory() as folder,
        started(command, log := Path(folder) / "log", **places) as process,
    ):
        port = wait_until_ready(process)
        workers = children(process.pid)
        predictor = Artifact.load(ARTIFACT).predictor()
        fuzzer, begun = Fuzzer(port, predictor, patience), time.monotonic()
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
    click.echo(f"forms: {dict(fuzzer.forms.most_common())}")
    click.echo(f"statuses: {dict(sorted(fuzzer.statuses.items()))}; workers that died: 0")


if __name__ == "__main__":
    main()
