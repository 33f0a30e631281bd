"""The packages whose insides are used are those that the adapters were written for."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from service.adapters import versions
from service.adapters.versions import WRITTEN_FOR, VersionError, check_versions
from tests.conftest import ROOT
from tests.end_to_end.processes import run


def test_the_installed_ones_are() -> None:
    check_versions()


def test_the_bounds_of_the_package_are_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for package, wanted in WRITTEN_FOR.items():
        major, minor = map(int, wanted.split("."))
        assert f"{package}>={wanted},<{major}.{minor + 1}" in project["dependencies"]


@pytest.mark.parametrize("installed", ["0.53.9", "0.55.0", "0.540.1", "0.5", "1.54.0"])
def test_another_minor_version_is_refused(installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", lambda _: installed)
    with pytest.raises(VersionError, match=f"^fastapi {installed} is installed"):
        check_versions()


@pytest.mark.parametrize("installed", ["0.54", "0.54.0", "0.54.12"])
def test_a_patch_of_it_is_not(installed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "WRITTEN_FOR", {"uvicorn": "0.54"})
    monkeypatch.setattr(versions, "version", lambda _: installed)
    check_versions()


@pytest.mark.slow
def test_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    metadata = tmp_path / "uvicorn-9.0.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: uvicorn\nVersion: 9.0.0\n")
    done = run("serve", PYTHONPATH=f"{ROOT}:{tmp_path}")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "heartline: uvicorn 9.0.0 is installed, and this version of Heartline needs uvicorn 0.54: "
        "install 'heartline' again, with its dependencies"
    ]
