"""heartline predict on a Dask cluster whose scheduler and workers are started by their commands."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from model.inference.predictor import Predictor
from tests.end_to_end.processes import (
    COMMAND,
    environment,
    run,
    started,
    stop,
    wait_until,
)
from tests.service.files.samples import answered
from tests.service.samples import FEATURES, example, random_records

DASK = str(Path(sys.executable).with_name("dask"))
FILES, ROWS = 40, 10_000
SCHEDULER = re.compile(r"Scheduler at: +(\S+)\n")
RECORDS = random_records(50, 8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of files that repeat the same rows, each with ids of its own; one has a bad row."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = pl.concat([pl.DataFrame(RECORDS)] * (ROWS // len(RECORDS)))
    for number in range(FILES):
        ids = pl.arange(number * ROWS, (number + 1) * ROWS, eager=True).alias("id")
        rows.with_columns(ids).write_parquet(folder / f"{number:02}.parquet")
    pl.DataFrame([example(id=FILES * ROWS, age=5)]).write_parquet(folder / "bad.parquet")
    return folder


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and its two workers."""
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    with ExitStack() as stack:
        log = tmp_path / "scheduler"
        stack.enter_context(started([DASK, "scheduler", *here, "--port", "0"], log))
        wait_until(lambda: bool(SCHEDULER.search(log.read_text())))
        (address,) = SCHEDULER.findall(log.read_text())
        worker = [DASK, "worker", address, *here, "--no-nanny"]
        workers = [
            stack.enter_context(
                started([*worker, "--nthreads", "1"], tmp_path / f"worker-{number}")
            )
            for number in range(2)
        ]
        wait_until(lambda: log.read_text().count("Register worker") == len(workers))
        yield address, workers


def test_every_row_is_scored_once_though_a_worker_is_killed(
    data: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]], predictor: Predictor
) -> None:
    address, workers = cluster
    scored = data.parent / "scored"
    command = [COMMAND, "predict", f"{data}/*.parquet", "-o", str(scored), "--cluster", address]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len(list(scored.glob(".heartline-*/*.parquet"))) > 3)
        workers[0].send_signal(signal.SIGKILL)
        assert process.poll() is None
        assert workers[0].wait() == -signal.SIGKILL
        assert len(list(scored.glob(".heartline-*/*.parquet"))) < FILES
        reported, _ = process.communicate()
    assert process.returncode == 3
    assert reported.splitlines()[0] == f"scored     {FILES * ROWS} rows, {scored}"
    names = sorted(path.name for path in data.iterdir())
    assert sorted(path.name for path in scored.iterdir()) == sorted(
        [*names, "bad.rejected.parquet"]
    )
    answers = pl.concat(pl.read_parquet(scored / name).drop("row") for name in names)
    assert answers["id"].to_list() == list(range(FILES * ROWS))
    due = pl.DataFrame([answered(predictor, record) for record in RECORDS])
    assert answers.drop("id").equals(pl.concat([due] * (FILES * ROWS // len(RECORDS))))


def test_a_cluster_of_this_machine_writes_all_or_nothing(data: Path, tmp_path: Path) -> None:
    scored = tmp_path / "scored"
    (data / "99.csv").write_text("735.1937\n")
    ended = run("predict", f"{data}/*", "-o", str(scored), "--cluster")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1].startswith(
        f"heartline: {data / '99.csv'}: no known column; "
    )
    assert "735.1937" not in ended.stderr
    assert list(scored.iterdir()) == []


def test_codes_are_refused_on_a_cluster_too(tmp_path: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    pl.DataFrame([example()]).write_parquet(folder / "codes.parquet")
    named = FEATURES.with_names_only().example()
    pl.DataFrame([named]).write_parquet(folder / "names.parquet")
    scored = tmp_path / "scored"
    ended = run(
        *("predict", f"{folder}/*", "-o", str(scored), "--cluster"), HEARTLINE_CODES="names"
    )
    assert ended.returncode == 3
    assert pl.read_parquet(scored / "names.parquet").height == 1
    assert pl.read_parquet(scored / "codes.rejected.parquet").height == 1


def test_a_scheduler_that_is_not_there_is_said_in_a_line(data: Path, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        ended = run("predict", f"{data}/*", "-o", str(tmp_path / "scored"), "--cluster", address)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"heartline: {address}: no Dask scheduler responds at this address\n"


def test_a_stop_of_the_command_leaves_nothing(data: Path, tmp_path: Path) -> None:
    scored, log = tmp_path / "scored", tmp_path / "log"
    command = [COMMAND, "predict", f"{data}/*", "-o", str(scored), "--cluster"]
    with started(command, log) as process:
        wait_until(lambda: any(scored.glob(".heartline-*/*.parquet")))
        assert stop(process, signal.SIGINT) == -signal.SIGINT
    assert list(scored.iterdir()) == []
    assert log.read_text().splitlines()[-1] == "heartline: stopped; nothing was written"
