"""The tutorial and the notebook run as they stand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.end_to_end.processes import environment
from tests.golden.blocks import BLOCK
from tests.golden.tutorial import TABLE, TUTORIAL, with_outputs

EXAMPLES = ROOT / "examples"
NOTEBOOK = EXAMPLES / "penguins.ipynb"

RUN = """
import ast, json, pathlib, sys
names = {}
for number, cell in enumerate(json.loads(pathlib.Path(sys.argv[1]).read_text())["cells"]):
    if cell["cell_type"] == "code":
        for statement in ast.parse("".join(cell["source"])).body:
            exec(compile(ast.Interactive([statement]), f"cell {number}", "single"), names)
"""
"""Runs the code cells in order and shows the values of expressions, as Jupyter does of the last.

It takes the place of a kernel, which would bring twenty packages into every environment of tests.
"""


def test_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    page = TUTORIAL.read_text()
    assert settled(with_outputs(page, tmp_path)) == settled(page)


def settled(page: str) -> str:
    """Return a page without the last digits of numbers, which are those of a processor."""
    page = re.sub(r"\b[0-9a-f]{12}\b", "VERSION", page)
    return re.sub(r"\d\.\d{7,}(e-\d+)?", lambda number: f"{float(number[0]):.7f}", page)


def test_the_tutorial_has_all_commands_and_the_mount_of_the_readme() -> None:
    code = [code for language, code in BLOCK.findall(TUTORIAL.read_text()) if language == "sh"]
    commands = re.findall(r"^\.venv/bin/heartline (\w+)", "".join(code), re.MULTILINE)
    assert commands == ["init", "train", "evaluate", "serve"]
    (mount,) = [block for block in code if block.startswith("docker ")]
    assert mount.replace("penguins.npz", "own.npz") in (ROOT / "README.md").read_text()
    first_rows = BLOCK.findall(TUTORIAL.read_text())[0][1].splitlines()
    assert set(first_rows) <= set((ROOT / TABLE).read_text().splitlines())


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-W", "default::UserWarning", "-c", RUN, NOTEBOOK.name],
        cwd=folder,
        env=environment(MPLBACKEND="Agg", PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert (
        "UserWarning: values outside of what training saw, in 2 of 40 rows: bill_length_mm"
        in ended.stderr
    )
    assert (folder / "penguins.npz").exists()
    return ended.stdout


def test_the_notebook_runs(printed: str) -> None:
    assert printed.count("Model('species', 6 columns, Adelie, Chinstrap, Gentoo)\n") == 2
    assert "\naccuracy " in printed
    assert "\nnp.True_\n" in printed, "a frame of Polars gives the same answers"
    assert "\ndata frame, row 1, column body_mass_g: not a value of this column; " in printed


def test_the_notebook_holds_no_outputs() -> None:
    notebook: dict[str, Any] = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
