"""The commands of docs/deploy.md; scripts/deploy-check runs those that install a wheel."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.deploy.commands import commands
from tests.end_to_end.processes import COMMAND, environment, started, wait_until_ready

KEY = "only-for-this-test"


def test_the_sections_with_commands_are_known() -> None:
    tried_here = {"Checks to make"}
    tried_by_deploy_check = {"A wheel"}
    tried_by_hand = {"systemd"}
    not_tried = {"Compose", "Kubernetes"}  # the page says so; their files are validated
    known = tried_here | tried_by_deploy_check | tried_by_hand | not_tried
    assert commands().keys() == known


def test_systemd_gets_the_same_wheel() -> None:
    wheel, systemd = (commands()[name].splitlines()[:4] for name in ("A wheel", "systemd"))
    as_root = [
        line.replace("sudo ", "").replace("/opt/heartline-0.2.0", "heartline") for line in systemd
    ]
    assert as_root == wheel


@pytest.mark.slow
def test_the_checks_after_a_deployment_pass(tmp_path: Path) -> None:
    with started(
        [COMMAND, "serve"], tmp_path / "log", HEARTLINE_API_KEYS=f"checks:{KEY}"
    ) as process:
        url = f"http://127.0.0.1:{wait_until_ready(process)}"
        checked = subprocess.run(
            ["bash", "-ec", f"set -o pipefail\n{commands()['Checks to make']}"],
            env=environment(URL=url, KEY=KEY),
            capture_output=True,
            text=True,
            check=True,
        )
    assert "}401\n" in checked.stdout
    assert "heartline_build_info{" in checked.stdout
