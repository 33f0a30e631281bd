"""The commands of docs/deploy.md that install the wheel, run in a copy of this checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ARTIFACT, ROOT
from tests.deploy.commands import commands
from tests.end_to_end.processes import environment, started, wait_until_ready

pytestmark = pytest.mark.slow


def test_a_wheel_is_installed_and_served_as_shown(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("model", "service", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for suffix in (".npz", ".json"):
        shutil.copy(ARTIFACT.with_suffix(suffix), tmp_path / f"model{suffix}")
    *install, serve = commands()["A wheel"].splitlines()
    variables = environment(PYTHONPATH="")
    subprocess.run(
        ["sh", "-ec", "\n".join(install)], cwd=tmp_path, env=variables, check=True, text=True
    )
    command = re.sub(r"--host \S+", "--host 127.0.0.1", serve).split()
    with started(command, tmp_path / "log", tmp_path, PYTHONPATH="") as process:
        assert wait_until_ready(process)
