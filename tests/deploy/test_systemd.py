"""The unit of deploy/systemd, as systemd reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.stopping import seconds_to_stop
from tests.end_to_end.processes import COMMAND

UNITS = ROOT / "deploy" / "systemd"
UNIT = UNITS / "heartline.service"
DROP_INS = sorted(path.name for path in (UNITS / "heartline.service.d").glob("*.conf"))

pytestmark = pytest.mark.slow


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A copy of the folder whose unit names a command that exists here."""
    folder = shutil.copytree(UNITS, tmp_path / "systemd")
    unit = folder / "heartline.service"
    unit.write_text(unit.read_text().replace("/opt/heartline/bin/heartline", COMMAND))
    return folder


def test_systemd_accepts_the_unit_and_its_drop_ins(units: Path) -> None:
    verified = analyze("verify", "--man=no", str(units / "heartline.service"))
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("name", ["heartline.service", *DROP_INS])
def test_a_misspelt_directive_would_be_found(units: Path, name: str) -> None:
    (file,) = units.rglob(name)
    file.write_text(re.sub(r"^(LoadCredential|Restart)=", r"\1x=", file.read_text(), flags=re.M))
    verified = analyze("verify", "--man=no", str(units / "heartline.service"))
    assert "Unknown key" in verified.stderr


def test_the_exposure_of_the_unit_is_below_two() -> None:
    report = analyze("security", "--offline=yes", "--threshold=20", "--no-pager", str(UNIT))
    assert report.returncode == 0, report.stdout


def test_systemd_waits_for_as_long_as_a_stop_may_take() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert int(seconds) > seconds_to_stop({})
