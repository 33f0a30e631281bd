import os
import pty
import re
import subprocess
from pathlib import Path

from tests.end_to_end.processes import COMMAND, environment, run
from tests.terminal import read_all


def test_evaluating_writes_a_report_and_shows_its_progress(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "evaluate", "heart-tutorial", "--output", str(tmp_path / "report")],
        env=environment(TERM="xterm", COLUMNS="100"),
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
    ) as process:
        os.close(terminal)
        shown = read_all(controller)
        printed = process.communicate()[0]
    assert process.returncode == 0
    for phase in ("cross-validation", "learning curve", "figures"):
        assert phase in shown
    assert "100%" in shown
    assert printed.splitlines() == [
        f"report     {tmp_path / 'report' / 'report.md'}",
        f"one page   {tmp_path / 'report' / 'report.html'}",
    ]
    page = (tmp_path / "report" / "report.md").read_text()
    assert "0.278311 before the last" in page
    for name in re.findall(r"\]\((\S+\.png)\)", page):
        assert (tmp_path / "report" / name).read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_used_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("x,y,moon\n" + "0.5,0.5,0\n" * 30)
    ended = run(
        "evaluate", "moons", "--data", str(tmp_path / "own.csv"), "--output", str(tmp_path / "r")
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        f"heartline: {tmp_path / 'own.csv'}: 0 rows of lower (moon); cross-validation needs "
        "at least 10 of each class: add rows of this class\n"
    )
    assert not (tmp_path / "r").exists()
