"""Every setting that deploy/ names exists."""

from __future__ import annotations

import re
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


def test_deployments_name_settings() -> None:
    text = "".join(path.read_text() for path in FILES)
    assert len(set(re.findall(rf"\b{PREFIX}\w+", text))) > 3
