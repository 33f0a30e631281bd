from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from model.artifact.artifact import Artifact
from model.artifact.card import card_path
from tests.end_to_end.load import load
from tests.end_to_end.processes import (
    COMMAND,
    calling,
    logged,
    started,
    wait_until,
    wait_until_ready,
)
from tests.end_to_end.swaps import followers, swap_under_load
from tests.exposition import Series, read, series
from tests.model import corruption as c
from tests.variants import shifted


def test_every_answer_under_thirty_swaps_is_that_of_the_version_that_it_states() -> None:
    swaps = swap_under_load(swaps=30, workers=2, clients=8)
    assert (swaps.wrong, swaps.lost) == (0, 0)
    assert len(swaps.answers) == 2


def with_a_lone_surrogate_in_its_name(path: Path) -> None:
    card_path(path).unlink()
    path.write_bytes(c.with_metadata({"name": "heart\ud800"}))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def deleted(path: Path) -> None:
    path.rmdir()


def versions(port: int) -> set[str]:
    with calling(f"http://127.0.0.1:{port}") as client:
        return {client.get("/readyz").json()["model_version"] for _ in range(10)}


def scrape(port: int) -> dict[Series, float]:
    with calling(f"http://127.0.0.1:{port}") as client:
        return read(client.get("/metrics").text)


def models(port: int) -> list[Series]:
    return [key for key in scrape(port) if key[0] == "heartline_model_info"]


def reloads(port: int) -> tuple[float, ...]:
    """Return how many were refused and swapped in, in all workers."""
    samples = scrape(port)
    name = "heartline_model_reloads_total"
    return tuple(samples[series(name, result=result)] for result in ("refused", "swapped"))


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_files_change_nothing_and_a_good_one_is_swapped_in(
    tmp_path: Path, artifact: Artifact, workers: int
) -> None:
    path, log = tmp_path / "heart.npz", tmp_path / "log"
    served = artifact.save(path)

    def wait_for_lines(message: str, number: int) -> None:
        wait_until(lambda: [line["message"] for line in logged(log)].count(message) == number)

    with started(
        [COMMAND, "serve", "--workers", str(workers)],
        log,
        HEARTLINE_ARTIFACT=str(path),
        HEARTLINE_RELOAD_SECONDS="0.1",
    ) as process:
        port = wait_until_ready(process)
        with load(port, clients=4) as clients:
            spoils: list[Callable[[Path], None]] = [
                with_a_lone_surrogate_in_its_name,
                cut_short,
                a_folder,
                deleted,
            ]
            for times, spoil in enumerate(spoils, start=1):
                spoil(path)
                wait_for_lines("model refused", times * followers(workers))
                clients.wait_for_answers(20)
                assert versions(port) == {served.version}
                assert models(port) == [
                    series("heartline_model_info", name="heart", version=served.version)
                ]
            good = shifted(artifact, 0.5).save(path)
            wait_for_lines("model swapped", followers(workers))
            assert versions(port) == {good.version}
            clients.wait_for_answers(20)
        assert reloads(port) == (len(spoils) * workers, workers)
        assert clients.lost == []
        assert {answer.status for answer in clients.answers} == {200}


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_swaps_at_once(tmp_path: Path, artifact: Artifact, workers: int) -> None:
    path, log = tmp_path / "heart.npz", tmp_path / "log"
    artifact.save(path)
    with started(
        [COMMAND, "serve", "--workers", str(workers)],
        log,
        HEARTLINE_ARTIFACT=str(path),
        HEARTLINE_RELOAD_SECONDS="3600",
    ) as process:
        port = wait_until_ready(process)
        good = shifted(artifact, 0.5).save(path)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: log.read_text().count("model swapped") == followers(workers))
        assert versions(port) == {good.version}
