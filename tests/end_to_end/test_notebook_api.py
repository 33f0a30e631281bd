"""The API for notebooks as other programs find it: beside their own files, and installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import ARTIFACT, ROOT
from tests.end_to_end.processes import environment


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run code as a notebook does: the files beside it are found first."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["model.py", "model/__init__.py"])
@pytest.mark.parametrize("before", ["", "import model; "])
def test_a_file_that_shadows_the_model_is_named(name: str, before: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("weights = [1, 2]\n")
    ended = python(f"{before}import heartline", tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"ImportError: {file} is imported in place of Heartline's own package 'model': "
        "rename it, and start Python again"
    )


def test_other_files_beside_a_notebook_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "model").mkdir()  # a folder of weights, perhaps
    ended = python("import heartline; print(heartline.__version__)", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


WITH_PANDAS_ALONE = f"""
import sys
sys.modules |= dict.fromkeys(("joblib", "matplotlib", "polars", "scipy", "sklearn"))
import heartline
model = heartline.load({str(ARTIFACT)!r})
assert "pandas" not in sys.modules
import pandas
print(*model.predict(pandas.DataFrame([model.artifact.features.example()])))
"""


def test_a_frame_is_predicted_without_the_libraries_that_train(tmp_path: Path) -> None:
    ended = python(WITH_PANDAS_ALONE, tmp_path)
    assert (ended.stdout, ended.stderr) == ("absence\n", "")


def test_the_estimator_names_the_extra_that_it_needs(tmp_path: Path) -> None:
    without = "import sys; sys.modules['sklearn'] = None; import heartline; "
    ended = python(f"{without}heartline.NeuralNetworkClassifier", tmp_path)
    error = ended.stderr.splitlines()[-1]
    assert error.startswith("ImportError: NeuralNetworkClassifier needs sklearn")
    assert error.endswith("pip install '.[train]'")
    assert python(f"{without}dir(heartline)", tmp_path).returncode == 0


def test_the_wheel_has_every_package_with_its_types(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as file:
        names = set(file.namelist())
    for package in ("heartline", "model", "service"):
        assert {f"{package}/__init__.py", f"{package}/py.typed"} <= names
    assert "model/data/table_schema.json" in names
    assert {name.split("/")[0] for name in names} - {"heartline", "model", "service"} == {
        f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    }
