"""Load: clients that send the same record over and over, each on a connection of its own."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.end_to_end.processes import PATIENCE
from tests.service.samples import FEATURES, JSON

BODY = json.dumps(FEATURES.example()).encode()


class Answer(NamedTuple):
    status: int
    body: bytes


class Load:
    """What the clients have met: how often each answer, every loss, when they were refused."""

    def __init__(self, port: int, pause_seconds: float) -> None:
        self.port = port
        self.pause_seconds = pause_seconds
        self.answers: Counter[Answer] = Counter()
        self.last_answer = 0.0
        self.lost: list[Exception] = []
        self.refused: list[float] = []
        self.is_over = False
        self._counting = threading.Condition()

    def run_client(self) -> None:
        """Send until stopped, or until no server can be connected to."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self.is_over and not self._is_refused(connection):
            try:
                connection.request("POST", "/predict", BODY, JSON)
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(error)
                connection.close()
            else:
                with self._counting:
                    self.answers[Answer(response.status, body)] += 1
                    self.last_answer = time.monotonic()
                    self._counting.notify_all()
            if self.pause_seconds:
                time.sleep(self.pause_seconds)
        connection.close()

    def wait_for_answers(self, more: int) -> None:
        """Wait until so many more requests have been answered."""
        with self._counting:
            wanted = self.answers.total() + more
            arrived = self._counting.wait_for(lambda: self.answers.total() >= wanted, PATIENCE)
        assert arrived, f"no answers any more; lost: {self.lost[-3:]}"

    def _is_refused(self, connection: http.client.HTTPConnection) -> bool:
        if connection.sock is None:
            try:
                connection.connect()
            except ConnectionRefusedError:
                self.refused.append(time.monotonic())
                return True
            except OSError as error:
                self.lost.append(error)
        return False


@contextmanager
def load(port: int, clients: int, pause_seconds: float = 0) -> Iterator[Load]:
    """Run clients for as long as the block; each pauses between two requests."""
    running = Load(port, pause_seconds)
    threads = [threading.Thread(target=running.run_client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.is_over = True
        for thread in threads:
            thread.join()
