"""Ctrl-C, SIGTERM and outputs that cannot be written, in every command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from model.recipes import recipes
from model.recipes.recipes import Recipe
from service.cli import cli
from tests.conftest import ARTIFACT, ROOT
from tests.end_to_end.processes import COMMAND, PATIENCE, environment, run

VERIFY = ("verify", str(ARTIFACT))


@pytest.mark.parametrize(
    ("command", "module", "number"),
    [
        (VERIFY, "numpy", signal.SIGINT),
        (("train", "heart"), "pandas", signal.SIGINT),
        (("train", "heart"), "model.recipes.reruns", signal.SIGTERM),  # the last: the work begins
        (("evaluate", "heart"), "matplotlib", signal.SIGTERM),
        (("init", "rows.csv", "--target", "ill"), "polars", signal.SIGINT),
        (("predict", "rows.csv", "-o", "answers.csv"), "numpy", signal.SIGINT),
        (("serve", "--port", "1"), "fastapi", signal.SIGINT),
    ],
)
def test_a_signal_ends_a_command_while_it_imports_without_a_word(
    command: tuple[str, ...], module: str, number: int, tmp_path: Path
) -> None:
    """Python tells on standard error each module that it has imported."""
    process = subprocess.Popen(
        [COMMAND, *command],
        cwd=tmp_path,
        env=environment(PYTHONPROFILEIMPORTTIME="1", HEARTLINE_ARTIFACT=str(ARTIFACT)),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if line.split()[-1] == module:
            break
    process.send_signal(number)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == -number
    assert output == ""
    assert [line for line in errors.splitlines() if not line.startswith("import time:")] == []
    assert list(tmp_path.iterdir()) == []


STOPPED_WHILE_IT_TRIES_TO_WRITE = """
import os, signal
from service.cli import main
fsync = os.fsync
def stopped(descriptor):
    fsync(descriptor)
    signal.raise_signal(signal.SIGTERM)
os.fsync = stopped
main()
"""


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_signal_before_the_work_leaves_no_file_that_only_tried_the_output(
    tmp_path: Path, command: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_IT_TRIES_TO_WRITE, command, "heart"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGTERM, "", "")
    assert list(tmp_path.iterdir()) == []


def test_what_is_being_written_is_finished_before_the_signal_ends_the_process() -> None:
    program = """
import signal
from service.console.interrupts import die_of_signals, finishing
die_of_signals()
with finishing():
    signal.raise_signal(signal.SIGTERM)
    print("written", flush=True)
print("not reached", flush=True)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGTERM, "written\n", "")


def never(*_: object) -> None:
    raise AssertionError("the work has begun")


def bad_output(folder: Path, kind: str, suffix: str) -> Path:
    (folder / "file").write_text("")
    (folder / f"folder{suffix}" / "report.html").mkdir(parents=True)
    return {
        "a folder": folder / f"folder{suffix}",
        "under a file": folder / "file" / f"new{suffix}",
        "too long a name": folder / f"{'n' * 300}{suffix}",
        "a folder with too long a name": folder / ("n" * 300) / f"new{suffix}",
        "read-only": Path("/proc/self/fdinfo") / f"new{suffix}",
    }[kind]


KINDS = ["a folder", "under a file", "too long a name", "a folder with too long a name",
         "read-only"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("command", "suffix"), [("train", ".npz"), ("evaluate", "")])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, suffix: str, kind: str
) -> None:
    check_refused(tmp_path, monkeypatch, command, suffix, kind)


SMALL_DISK = """
import resource, sys
from model.data import first_schema
from model.reports import evidence
from model.recipes.recipes import Recipe
from service.cli import main
Recipe.train = evidence.judge = first_schema.read_source = None
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
main()
"""
"""A process in which each file is full after a few bytes, as on a full disk; no work begins."""


@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        (["train", "heart"], ".npz"),
        (["evaluate", "heart"], ""),
        (["init", "rows.csv", "--target", "ill"], ".toml"),
    ],
)
def test_a_full_disk_is_found_before_the_work_and_nothing_is_left(
    tmp_path: Path, command: list[str], suffix: str
) -> None:
    path = tmp_path / "new" / f"new{suffix}"
    ended = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, *command, "--output", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"heartline: {path}")
    assert ended.stderr.endswith(": File too large\n")
    assert [*tmp_path.iterdir()] == []


def check_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, suffix: str, kind: str
) -> None:
    monkeypatch.setattr(Recipe, "train", never)
    monkeypatch.setattr("model.reports.evidence.judge", never)
    path = bad_output(folder, kind, suffix)
    before = sorted(folder.rglob("*"))
    ended = CliRunner().invoke(cli, [command, "heart", "--output", str(path)])
    assert isinstance(ended.exception, OSError)
    assert str(ended.exception.filename).startswith(str(path))
    assert ended.exception.strerror
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("beside", ["new.json", "new.md"])
def test_a_card_that_cannot_be_written_is_refused_before_the_work_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    monkeypatch.setattr(Recipe, "train", never)
    (tmp_path / beside).mkdir()
    ended = CliRunner().invoke(cli, ["train", "heart", "--output", str(tmp_path / "new.npz")])
    assert isinstance(ended.exception, IsADirectoryError)


@pytest.mark.parametrize("kind", ["/dev/zero", "FIFO", "folder", "missing", "under a file"])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_rows_that_are_no_regular_file_are_refused(tmp_path: Path, command: str, kind: str) -> None:
    os.mkfifo(tmp_path / "FIFO")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    data = tmp_path / {"under a file": "file/rows.csv"}.get(kind, kind)
    output = tmp_path / "new" / "own.npz"
    ended = CliRunner().invoke(
        cli, [command, "heart", "--data", str(data), "--output", str(output)]
    )
    assert str(ended.exception).startswith(f"{data}: ")
    assert not output.parent.exists()


@pytest.mark.parametrize("kind", ["/dev/zero", "FIFO", "folder", "missing"])
def test_special_files_are_no_artifacts(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "FIFO")
    (tmp_path / "folder").mkdir()
    ended = CliRunner().invoke(cli, ["verify", str(tmp_path / kind)])
    assert str(ended.exception).startswith(f"{tmp_path / kind}: the file check failed: ")


def test_an_error_of_the_system_is_one_line_and_a_code(tmp_path: Path) -> None:
    (tmp_path / "file.npz").write_text("")
    ended = run("train", "heart", "--output", str(tmp_path / "file.npz" / "new.npz"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"heartline: {tmp_path}/file.npz/new.npz: Not a directory\n"


@pytest.mark.parametrize(
    ("output", "code", "told"),
    [
        (">/dev/full", 1, "heartline: standard output: No space left on device\n"),
        (">/dev/full 2>&1", 1, ""),
        (">&- 2>&-", 0, ""),
    ],
)
def test_an_output_that_takes_nothing_is_one_line_at_most(
    output: str, code: int, told: str
) -> None:
    ended = subprocess.run(
        ["sh", "-c", f"exec {COMMAND} verify {ARTIFACT} {output}"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", told)


def test_a_pipe_that_nobody_reads_any_more_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [COMMAND, *VERIFY],
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_training_again_keeps_the_file_and_training_something_else_needs_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tutorial.npz"

    def train(*arguments: str) -> str:
        command = ["train", "heart-tutorial", "--output", str(path), *arguments]
        ended = CliRunner().invoke(cli, command, catch_exceptions=False)
        return ended.output

    train()
    before, inode = path.read_bytes(), path.stat().st_ino
    assert train().startswith(f"unchanged  {path}: the run gave the same bytes\nversion ")
    assert path.stat().st_ino == inode
    with monkeypatch.context() as patch:
        patch.setattr(recipes.Recipe, "train", never)
        with pytest.raises(Exception, match="holds the model of another seed"):
            train("--seed", "3")
    assert path.read_bytes() == before
    assert train("--seed", "3", "--force").startswith(f"artifact   {path}\n")
    assert path.read_bytes() != before
