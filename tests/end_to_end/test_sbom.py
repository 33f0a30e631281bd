import json
import re
import subprocess
from pathlib import Path

from tests.conftest import ROOT


def test_the_list_of_parts_has_every_locked_one_with_its_version(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    subprocess.run([ROOT / "scripts" / "sbom", file], cwd=tmp_path, check=True, capture_output=True)
    document = json.loads(file.read_text())
    assert document["bomFormat"] == "CycloneDX"
    listed = {(part["name"], part["version"]) for part in document["components"]}
    locked = (ROOT / "requirements" / "serve.txt").read_text()
    assert listed == set(re.findall(r"^([\w-]+)==([^ ]+)", locked, re.MULTILINE))
    assert len(listed) > 15


def test_the_same_lock_gives_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        subprocess.run([ROOT / "scripts" / "sbom", file], check=True, capture_output=True)
    assert files[0].read_bytes() == files[1].read_bytes()
