"""heartline predict, as a user runs it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.processes import COMMAND, environment, run, started, stop, wait_until
from tests.service.files.samples import write
from tests.service.samples import example

LONG = [example()] * 3_000
"""Rows of the file that is repeated until scoring it takes long enough to be stopped."""

STOPPED_AMID_IMPORT = """
import os, sys
library, number = sys.argv[1], int(sys.argv[2])
del sys.argv[1:3]
from service import cli

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == library:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Finder())
cli.main()
"""
"""Runs the command, which gets a signal when it begins to import a library."""

PANICKING = """
import os
import polars

def panic(*arguments, **options):
    os.write(2, b"thread panicked at 735.1937")
    raise polars.exceptions.PanicException("735.1937")

polars.read_csv = panic
from service import cli
cli.main()
"""


def test_the_exit_code_shows_whether_rows_were_refused(tmp_path: Path) -> None:
    source, answers = tmp_path / "rows.csv", tmp_path / "answers.parquet"
    write(source, [example(), example()])
    ended = run("predict", str(source), "-o", str(answers))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"scored     2 rows, {answers}\n"
    write(source, [example(), example(age=735.1937)])
    ended = run("predict", str(source), "-o", str(answers))
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout == (
        f"scored     1 rows, {answers}\nrejected   1 rows, {tmp_path / 'answers.rejected.*'}\n"
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
    assert log.read_text() == "heartline: stopped; nothing was written\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("library", ["polars", "service.files.score_file"])
def test_a_stop_amid_the_imports_of_the_command_leaves_nothing(
    tmp_path: Path, number: int, library: str
) -> None:
    source = write(tmp_path / "rows.csv", LONG)
    ended = subprocess.run(
        [
            *(sys.executable, "-c", STOPPED_AMID_IMPORT, library, f"{number:d}"),
            *("predict", str(source), "-o", str(tmp_path / "answers.csv")),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (-number, "")
    assert ended.stderr == "heartline: stopped; nothing was written\n"
    assert {*tmp_path.iterdir()} == {source}


def test_what_a_panic_prints_is_discarded(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.csv", [example()])
    ended = subprocess.run(
        [sys.executable, "-c", PANICKING, "predict", str(source), "-o", str(tmp_path / "a.csv")],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"heartline: {source}: cannot be read as csv\n"
    assert {*tmp_path.iterdir()} == {source}


def test_standard_output_that_is_full_leaves_the_answers_and_the_exit_code(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.csv", [example(), example(age=5)])
    answers = tmp_path / "answers.csv"
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [COMMAND, "predict", str(source), "-o", str(answers)],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 3
    assert ended.stderr == "heartline: standard output: No space left on device\n"
    assert answers.exists()


@pytest.mark.parametrize("closed", ["<&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(tmp_path: Path, closed: str) -> None:
    source, answers = write(tmp_path / "rows.csv", [example()] * 3), tmp_path / "answers.csv"
    line = f'exec "{COMMAND}" predict "{source}" -o "{answers}" {closed}'
    assert subprocess.run(["sh", "-c", line], env=environment(), check=False).returncode == 0
    assert answers.read_text().count("\n") == 4


@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
def test_a_file_that_grows_too_large_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    source = write(tmp_path / "rows.csv", LONG)
    answers = tmp_path / f"answers{suffix}"
    line = f'ulimit -f 1; exec "{COMMAND}" predict "{source}" -o "{answers}"'
    ended = subprocess.run(
        ["sh", "-c", line], env=environment(), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"heartline: {answers}: File too large\n"
    assert {*tmp_path.iterdir()} == {source}


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
