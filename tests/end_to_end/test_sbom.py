import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT


def made(file: Path) -> bytes:
    command = [ROOT / "scripts" / "sbom", file]
    subprocess.run(command, cwd=file.parent, check=True, capture_output=True)
    return file.read_bytes()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("sbom") / "sbom.json")


def test_the_list_of_parts_has_every_locked_one_with_its_version(parts: bytes) -> None:
    document = json.loads(parts)
    assert document["bomFormat"] == "CycloneDX"
    listed = {(part["name"], part["version"]) for part in document["components"]}
    locked = (ROOT / "requirements" / "serve.txt").read_text()
    assert listed == set(re.findall(r"^([\w-]+)==([^ ]+)", locked, re.MULTILINE))
    assert len(listed) > 15


def test_the_same_lock_gives_the_same_bytes(parts: bytes, tmp_path: Path) -> None:
    assert made(tmp_path / "another.json") == parts
