from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from model.artifact.artifact import Artifact
from tests.end_to_end.load import load
from tests.end_to_end.processes import (
    COMMAND,
    PATIENCE,
    calling,
    logged,
    started,
    wait_until,
    wait_until_ready,
    workers_of,
)
from tests.end_to_end.swaps import followers
from tests.variants import shifted


def command(workers: int) -> list[str]:
    return [COMMAND, "serve", "--workers", str(workers)]


def wait_for_workers(process: subprocess.Popen[bytes], log: Path, number: int) -> set[int]:
    """Wait until so many workers run and their parent knows that they have started."""

    def all_started() -> bool:
        workers = workers_of(process)
        reported = {
            line["pid"] for line in logged(log) if line["message"] == "a worker has started"
        }
        return len(workers) == number and workers <= reported

    wait_until(all_started)
    return workers_of(process)


def test_a_killed_worker_is_replaced_and_no_more_than_its_own_requests_fail(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with started(command(3), log) as process:
        port = wait_until_ready(process)
        wait_for_workers(process, log, 3)
        with load(port, clients=6) as clients:
            for _ in range(3):
                clients.wait_for_answers(50)
                lost = len(clients.lost)
                victim = min(workers_of(process))
                os.kill(victim, signal.SIGKILL)
                clients.wait_for_answers(50)
                assert victim not in wait_for_workers(process, log, 3)
                assert len(clients.lost) - lost <= 6
        assert {answer.status for answer in clients.answers} == {200}
        assert clients.refused == []
    assert [line["message"] for line in logged(log)].count("a worker ended") == 3


def test_a_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(command(2), log, HEARTLINE_WORKER_TIMEOUT_SECONDS="5") as process:
        wait_until_ready(process)
        hung = min(wait_for_workers(process, log, 2))
        os.kill(hung, signal.SIGSTOP)
        wait_until(lambda: hung not in workers_of(process))
        assert hung not in wait_for_workers(process, log, 2)


def test_a_worker_asked_to_stop_loses_nothing_and_is_replaced(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(command(2), log) as process:
        port = wait_until_ready(process)
        reported = min(wait_for_workers(process, log, 2))
        with load(port, clients=4) as clients:
            clients.wait_for_answers(20)
            os.kill(reported, signal.SIGTERM)
            wait_until(lambda: reported not in workers_of(process))
            wait_for_workers(process, log, 2)
            clients.wait_for_answers(20)
        assert clients.lost == []
        assert clients.refused == []
        assert {answer.status for answer in clients.answers} == {200}


def test_a_new_worker_starts_with_the_last_good_model(tmp_path: Path, artifact: Artifact) -> None:
    path, log = tmp_path / "heart.npz", tmp_path / "log"
    artifact.save(path)
    with started(
        command(2), log, HEARTLINE_ARTIFACT=str(path), HEARTLINE_RELOAD_SECONDS="0.1"
    ) as process:
        port = wait_until_ready(process)
        workers = wait_for_workers(process, log, 2)
        last_good = shifted(artifact, 0.5).save(path)
        wait_until(lambda: log.read_text().count("model swapped") == followers(2))
        path.write_bytes(b"not a model")
        wait_until(lambda: log.read_text().count("model refused") == followers(2))
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not workers & workers_of(process))
        replaced = wait_for_workers(process, log, 2)
        with calling(f"http://127.0.0.1:{port}") as client:
            versions = {client.get("/readyz").json()["model_version"] for _ in range(20)}
        assert versions == {last_good.version}
        assert workers_of(process) == replaced
    assert log.read_text().count("model refused") == followers(2)


def test_a_new_worker_has_the_keys_of_the_others(tmp_path: Path) -> None:
    file, log = tmp_path / "keys", tmp_path / "log"
    file.write_text(f"lab:{'k' * 16}")
    with started(command(2), log, HEARTLINE_API_KEYS_FILE=str(file)) as process:
        port = wait_until_ready(process)
        workers = wait_for_workers(process, log, 2)
        file.unlink()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not workers & workers_of(process))
        wait_for_workers(process, log, 2)
        answer = httpx.get(
            f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {'k' * 16}"}
        )
    assert 'heartline_key_requests_total{key_name="lab"} 1.0' in answer.text


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(command(2), log) as process:
        port = wait_until_ready(process)
        workers = wait_for_workers(process, log, 2)
        process.kill()
        process.wait(PATIENCE)
        wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/livez")
