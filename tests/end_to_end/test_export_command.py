"""heartline export: an ONNX file that gives the model's probabilities, or none at all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner, Result

from model.artifact.artifact import Artifact
from model.errors import ExportError
from model.export import onnx_export
from model.export.onnx_graph import onnx_model
from model.schema.classes import predicted_classes
from service.cli import cli
from tests.conftest import ARTIFACT, ROOT
from tests.end_to_end.processes import environment, run
from tests.end_to_end.test_interrupts import KINDS, bad_output
from tests.golden.pages import BLOCK
from tests.variants import shifted

PAGE = (ROOT / "docs" / "export.md").read_text()


def export(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


def test_the_command_writes_a_file_and_prints_the_deviation(tmp_path: Path) -> None:
    path = tmp_path / "new" / "heart.onnx"
    ended = run("export", str(ARTIFACT), "--onnx", str(path))
    assert (ended.returncode, ended.stderr) == (0, "")
    written, version, deviation = ended.stdout.splitlines()
    assert written == f"onnx       {path}"
    assert version == f"version    {Artifact.load(ARTIFACT).version}"
    found = re.fullmatch(r"deviation  (\S+) in 2016 rows, at most 1e-12 allowed", deviation)
    assert found
    assert 0.0 <= float(found[1]) <= 1e-12
    assert [*tmp_path.rglob("*.*")] == [path]
    onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_the_example_of_the_page_prints_what_the_model_gives(tmp_path: Path) -> None:
    (code,) = [code for language, code in BLOCK.findall(PAGE) if language == "python"]
    export(ARTIFACT, "--onnx", tmp_path / "heart.onnx")
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    artifact = Artifact.load(ARTIFACT)
    (probability,) = artifact.predictor().predict_records([artifact.features.example()])
    found = re.fullmatch(r"{'(\w+)': (\S+), '(\w+)': \S+} (\w+)\n", ended.stdout)
    assert found
    first, given, second, label = found.groups()
    assert (first, second) == artifact.labels
    assert float(given) == pytest.approx(1.0 - probability, abs=1e-12)
    (predicted,) = predicted_classes(np.array([probability]), artifact.threshold)
    assert label == artifact.labels[predicted]


def test_an_earlier_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "heart.onnx"
    path.write_text("earlier")
    assert export(ARTIFACT, "--onnx", path).exit_code == 0
    assert path.stat().st_size > 1000
    assert [*tmp_path.iterdir()] == [path]


def test_a_graph_that_deviates_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "heart.onnx"
    path.write_text("earlier")
    monkeypatch.setattr(
        onnx_export, "onnx_model", lambda artifact: onnx_model(shifted(artifact, 1e-9))
    )
    ended = export(ARTIFACT, "--onnx", path)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert isinstance(ended.exception, ExportError)
    assert "\n" not in str(ended.exception)
    assert path.read_text() == "earlier"
    assert [*tmp_path.iterdir()] == [path]


def test_an_artifact_that_fails_a_check_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_text("no archive")
    path = tmp_path / "bad.onnx"
    ended = run("export", str(tmp_path / "bad.npz"), "--onnx", str(path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"heartline: {tmp_path / 'bad.npz'}: the archive check failed: ")
    assert not path.exists()


@pytest.mark.parametrize("name", ["heart.npz", "heart", ".onnx"])
def test_a_file_name_must_end_in_onnx(tmp_path: Path, name: str) -> None:
    ended = export(ARTIFACT, "--onnx", tmp_path / name)
    assert ended.exit_code == 2
    assert "Invalid value for --onnx: the file name must end in .onnx" in ended.stderr
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("link", ["same", "symbolic", "hard"])
def test_the_artifact_is_never_replaced(tmp_path: Path, link: str) -> None:
    artifact = tmp_path / "artifact.onnx"
    shutil.copy(ARTIFACT, artifact)
    path = artifact if link == "same" else tmp_path / "other.onnx"
    if link == "symbolic":
        path.symlink_to(artifact)
    if link == "hard":
        path.hardlink_to(artifact)
    ended = export(artifact, "--onnx", path)
    assert ended.exit_code == 2
    assert "Invalid value for --onnx: the file holds the artifact" in ended.stderr
    assert path.read_bytes() == artifact.read_bytes() == ARTIFACT.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path, kind: str) -> None:
    path = bad_output(tmp_path, kind, ".onnx")
    before = sorted(tmp_path.rglob("*"))
    ended = export(ARTIFACT, "--onnx", path)
    assert isinstance(ended.exception, OSError)
    assert str(ended.exception.filename).startswith(str(path))
    assert sorted(tmp_path.rglob("*")) == before


FULL_DISK = """
import resource
from service.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
main()
"""


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "heart.onnx"
    ended = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "export", ARTIFACT, "--onnx", path],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"heartline: {path}: File too large\n"
    assert [*tmp_path.iterdir()] == []


def test_without_the_extra_the_command_names_it(tmp_path: Path) -> None:
    (tmp_path / "onnx.py").write_text("raise ModuleNotFoundError('', name='onnx')")
    search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    path = tmp_path / "heart.onnx"
    ended = run("export", str(ARTIFACT), "--onnx", str(path), PYTHONPATH=search)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "heartline: exporting needs onnx: in the checkout, scripts/install all or "
        "pip install '.[onnx]'\n"
    )
    assert not path.exists()
