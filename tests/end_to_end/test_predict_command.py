"""heartline predict, as a user runs it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.processes import COMMAND, environment, run, started, stop, wait_until
from tests.service.files.samples import write
from tests.service.samples import example

LONG = [example()] * 3_000
"""Rows of the file that is repeated until scoring it takes long enough to be stopped."""


def test_the_exit_code_tells_whether_rows_were_refused(tmp_path: Path) -> None:
    source, answers = tmp_path / "rows.csv", tmp_path / "answers.parquet"
    write(source, [example(), example()])
    ended = run("predict", str(source), "-o", str(answers))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"scored     2 rows, {answers}\n"
    write(source, [example(), example(age=735.1937)])
    ended = run("predict", str(source), "-o", str(answers))
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout == (
        f"scored     1 rows, {answers}\nrefused    1 rows, {tmp_path / 'answers.rejected.*'}\n"
    )
    ended = run("predict", str(tmp_path / "none.csv"), "-o", str(answers))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"heartline: {tmp_path / 'none.csv'}: No such file or directory\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_nothing(tmp_path: Path, number: int) -> None:
    source, log = tmp_path / "rows.ndjson", tmp_path / "log"
    write(source, LONG)
    source.write_bytes(source.read_bytes() * 300)
    command = [COMMAND, "predict", str(source), "-o", str(tmp_path / "answers.csv")]
    with started(command, log) as process:
        wait_until(lambda: any(tmp_path.glob(".heartline-*/answers.csv")))
        assert stop(process, number) == -number
    assert {path.name for path in tmp_path.iterdir()} == {"rows.ndjson", "log"}
    assert log.read_text() == ""


def test_a_bar_is_shown_on_a_terminal(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.csv", LONG)
    controller, terminal = pty.openpty()
    subprocess.run(
        [COMMAND, "predict", str(source), "-o", str(tmp_path / "answers.csv")],
        env=environment(TERM="xterm"),
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        check=True,
    )
    os.close(terminal)
    assert "%" in os.read(controller, 100_000).decode()
    os.close(controller)


def test_the_threshold_of_the_operator_decides(tmp_path: Path) -> None:
    source, answers = write(tmp_path / "rows.csv", [example()]), tmp_path / "answers.csv"
    for threshold, label in (("0.001", "presence"), ("0.999", "absence")):
        run("predict", str(source), "-o", str(answers), HEARTLINE_THRESHOLD=threshold)
        assert f",{label}," in answers.read_text()


def test_codes_are_refused_where_the_setting_says_so(tmp_path: Path) -> None:
    source, answers = write(tmp_path / "rows.csv", [example()]), tmp_path / "answers.csv"
    for codes, code in (("any", 0), ("names", 3)):
        ended = run("predict", str(source), "-o", str(answers), HEARTLINE_CODES=codes)
        assert ended.returncode == code
