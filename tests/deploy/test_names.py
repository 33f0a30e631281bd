"""Every setting and every image that deploy/ names exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from service.settings import PREFIX, Settings
from tests.conftest import ROOT

FILES = sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file())
KNOWN = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]", path.read_text()))
    assert named <= KNOWN


def test_every_image_has_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [path.read_text() for path in (*FILES, ROOT / "docs" / "deploy.md")]
    tags = {tag for text in texts for tag in re.findall(r"\bheartline:(\d+\.[\w.]*\w)", text)}
    assert tags == {project["version"]}


def test_deployments_name_settings() -> None:
    text = "".join(path.read_text() for path in FILES)
    assert len(set(re.findall(rf"\b{PREFIX}\w+", text))) > 3
