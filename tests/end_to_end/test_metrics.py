"""Metrics of several workers, with real processes, through a worker's death."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest

from model.artifact.artifact import Artifact
from tests.end_to_end.processes import (
    COMMAND,
    PATIENCE,
    calling,
    started,
    stop,
    wait_until_ready,
    workers_of,
)
from tests.exposition import Series, read, series, total

CLIENTS = 4


class Service:
    """Two workers and what is known of them from outside."""

    def __init__(self, client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
        self.client = client
        self.url = str(client.base_url)
        self.process = process
        self.log = log

    def scrape(self) -> dict[Series, float]:
        """Ask until a worker answers; the one that is asked may just be killed."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                return read(self.client.get("/metrics").text)
            except httpx.TransportError:
                continue
        raise AssertionError("no worker answers")

    def scrape_until(self, name: str, least: float) -> None:
        deadline = time.monotonic() + PATIENCE
        while (value := self.scrape()[series(name)]) < least:
            assert time.monotonic() < deadline, f"{name} stays at {value}"

    def kill_a_worker(self) -> None:
        os.kill(min(workers_of(self.process)), signal.SIGKILL)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    log = tmp_path / "log"
    command = [COMMAND, "serve", "--workers", "2", "--log-level", "warning"]
    with started(command, log) as process:
        port = wait_until_ready(process)
        with calling(f"http://127.0.0.1:{port}") as client:
            service = Service(client, process, log)
            service.scrape_until("heartline_workers", 2)
            yield service


def ask_until(stopped: Event, url: str, record: dict[str, float]) -> Counter[str]:
    """Send good and bad requests; return how many got which status, and how many none."""
    answers: Counter[str] = Counter()
    bodies = [record, {**record, "age": -1}, record]
    while not stopped.is_set():
        with httpx.Client(base_url=url) as client:
            try:
                while not stopped.is_set():
                    body = bodies[answers.total() % len(bodies)]
                    answers[str(client.post("/predict", json=body).status_code)] += 1
            except httpx.TransportError:
                answers["none"] += 1
    return answers


def scrape_until(stopped: Event, scrape: Callable[[], dict[Series, float]]) -> int:
    """Return how often a counter went back."""
    before: dict[Series, float] = {}
    back = 0
    while not stopped.is_set():
        now = scrape()
        back += sum(now[name] < value for name, value in before.items() if is_counter(name))
        before = now
    return back


def is_counter(series: Series) -> bool:
    name, _ = series
    return name.startswith("heartline_") and name.endswith(("_total", "_bucket", "_count", "_sum"))


def test_killed_workers_take_no_count_with_them(service: Service, artifact: Artifact) -> None:
    record = artifact.features.example()
    stopped = Event()
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        clients = [pool.submit(ask_until, stopped, service.url, record) for _ in range(CLIENTS)]
        went_back = pool.submit(scrape_until, stopped, service.scrape)
        try:
            for deaths in (1, 2, 3):
                service.kill_a_worker()
                service.scrape_until("heartline_worker_deaths_total", deaths)
                service.scrape_until("heartline_workers", 2)
        finally:
            stopped.set()
        answers = sum((client.result() for client in clients), Counter())
    assert went_back.result() == 0
    samples = service.scrape()
    for status in ("200", "422"):
        counted = samples[series("heartline_requests_total", route="/predict", status=status)]
        assert answers[status] <= counted <= answers[status] + answers["none"]
    asked = total(samples, "heartline_requests_total", route="/predict")
    assert answers.total() - answers["none"] <= asked <= answers.total()
    rows = total(samples, "heartline_rows_predicted_total")
    assert answers["200"] <= rows <= answers["200"] + answers["none"]
    # On a machine at its limit, uvicorn may take a worker for hung and kill one more.
    assert answers["none"] <= CLIENTS * samples[series("heartline_worker_deaths_total")]
    assert samples[series("heartline_requests_in_flight")] == 1


def test_any_worker_answers_for_all_and_nothing_is_left_behind(
    service: Service, artifact: Artifact
) -> None:
    record = artifact.features.example()
    for _ in range(40):  # each on a connection of its own, so that both workers get some
        service.client.post("/predict", json=record).raise_for_status()
    scrapes = [service.scrape() for _ in range(20)]
    for samples in scrapes:
        assert samples[series("heartline_rows_predicted_total", class_="absence")] == 40
        labels = {labels for name, labels in samples if name == "process_cpu_seconds_total"}
        assert labels == {frozenset({("worker", "0")}), frozenset({("worker", "1")})}
    assert stop(service.process) == 0
    assert service.log.read_text() == ""
