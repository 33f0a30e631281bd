"""How single predictions fare while many clients send the largest batches without a pause."""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import heartline
from benchmarks.figures import Figures
from benchmarks.patients import Patients
from benchmarks.servers import PATIENCE, Question, ServerFailure, running
from benchmarks.wrk import load
from tests.conftest import ARTIFACT

CLIENTS = 64
ROWS = 10_000
SECONDS = 10
SETTLING_SECONDS = 1.0
"""All clients begin at once, which is a burst of its own."""
PROBES = ("/livez", "/readyz", "/metrics")
EXPECTED = {http.client.OK, http.client.SERVICE_UNAVAILABLE}


def measure(folder: Path) -> Figures:
    """Return latencies of single predictions, how many batches were answered, and how many not.

    Raises
    ------
    ServerFailure
        When a probe, or a single prediction, was not answered with 200.
    """
    patients, figures = Patients(ARTIFACT), Figures()
    server = heartline.quiet(patients)
    with running(server, folder / "overload.log") as started, Crowd(started.port) as crowd:
        time.sleep(SETTLING_SECONDS)
        found = load(started.port, server.record, 1, SECONDS)
    crowd.check()
    for name, value in found.times().items():
        figures[f"{name}_us"] = value
    figures["answered"] = crowd.batches[http.client.OK]
    figures["refused"] = crowd.batches[http.client.SERVICE_UNAVAILABLE]
    return figures


class Crowd:
    """Clients that send, and one that probes, for as long as the context.

    Attributes
    ----------
    batches, probes : Counter of int
        The statuses that were answered.
    """

    def __init__(self, port: int) -> None:
        self.batches, self.probes = Counter[int](), Counter[int]()
        batch = heartline.batches(Patients(ARTIFACT), ROWS)["objects"]
        probes = [Question("GET", path, b"") for path in PROBES]
        self._over = threading.Event()
        self._port = port
        asked = [([batch], self.batches, 0.0)] * CLIENTS + [(probes, self.probes, 0.2)]
        self._threads = [threading.Thread(target=self._ask, args=questions) for questions in asked]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raise ServerFailure unless all probes were good, and batches good or refused."""
        if self.probes.keys() != {http.client.OK} or not self.batches.keys() <= EXPECTED:
            raise ServerFailure(f"batches: {dict(self.batches)}, probes: {dict(self.probes)}")

    def _ask(self, questions: Sequence[Question], statuses: Counter[int], pause: float) -> None:
        # It shares its core with wrk, which would else wait for it and not for the server.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        while not self._over.wait(pause):
            for method, path, body, headers, *_ in questions:
                connection.request(method, path, body, dict(headers))
                response = connection.getresponse()
                response.read()
                statuses[response.status] += 1
        connection.close()
