import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from model.inference.predictor import Predictor
from tests.conftest import ROOT
from tests.end_to_end.processes import PATIENCE, environment, free_port, started, wait_until_ready

VENV = os.environ.get("VENV", ".venv")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which only the serving parts are installed."""
    path = tmp_path_factory.mktemp("clone") / "heartline"
    subprocess.run(["git", "clone", "-q", ROOT, path], check=True)
    subprocess.run(["scripts/install"], cwd=path, check=True, capture_output=True)
    return path


def test_scripts_serve_answers_the_curl_that_it_prints(
    clone: Path, tmp_path: Path, predictor: Predictor
) -> None:
    port, log = free_port(), tmp_path / "log"
    with started(["scripts/serve"], log, clone, HEARTLINE_PORT=str(port)) as process:
        assert wait_until_ready(process) == port
        printed = log.read_text()
        curl = printed[printed.index("curl ") : printed.index("}'") + 2]
        answer = subprocess.run(
            ["sh", "-c", curl], capture_output=True, check=True, timeout=PATIENCE
        ).stdout
    assert f"API docs: http://127.0.0.1:{port}/docs" in printed
    example = predictor.features.example()
    expected = predictor.predict_records([example])[0]
    assert json.loads(answer)["probability"] == pytest.approx(expected, rel=0, abs=1e-12)


def test_the_curl_of_scripts_serve_is_that_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    (curl, *_) = re.findall(r"curl .*?}'", readme, re.DOTALL)
    script = (ROOT / "scripts" / "serve").read_text().replace("$address", "http://127.0.0.1:8000")
    assert curl in script


def test_the_second_install_changes_nothing(clone: Path) -> None:
    before = (clone / VENV / "installed").stat()
    subprocess.run(["scripts/install"], cwd=clone, check=True)
    assert (clone / VENV / "installed").stat() == before


@pytest.mark.parametrize(
    ("command", "purpose", "extra"),
    [
        ("train heart", "training", "train"),
        ("predict rows.csv -o answers.csv", "scoring files", "files"),
        ("export artifacts/heart.npz --onnx heart.onnx", "exporting", "onnx"),
    ],
)
def test_the_serving_parts_say_what_other_commands_lack(
    clone: Path, command: str, purpose: str, extra: str
) -> None:
    ended = subprocess.run(
        [f"{VENV}/bin/heartline", *command.split()],
        cwd=clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert re.fullmatch(
        rf"heartline: {purpose} needs \w+: in the checkout, scripts/install all or "
        rf"pip install '\.\[{extra}\]'\n",
        ended.stderr,
    )


def test_the_serving_parts_say_what_tracing_lacks(clone: Path) -> None:
    ended = subprocess.run(
        [f"{VENV}/bin/heartline", "serve"],
        cwd=clone,
        env=environment(HEARTLINE_TRACING="true"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert re.fullmatch(
        r"heartline: HEARTLINE_TRACING: it needs opentelemetry\.\w+: "
        r"in the checkout, scripts/install tracing or pip install '\.\[tracing\]'\n",
        ended.stderr,
    )


@pytest.mark.parametrize(
    ("stand_in", "said"),
    [
        ("missing", "install: missing is missing: install Python 3.11 or newer\n"),
        ("old", "install: Python 3.9.2 is too old: install 3.11 or newer, and name it: "),
        ("bare", "cannot make a virtual environment: on Debian, apt-get install python3-venv\n"),
    ],
)
def test_install_says_what_is_missing(tmp_path: Path, stand_in: str, said: str) -> None:
    for name, body in {
        "old": 'case "$1" in --version) echo "Python 3.9.2";; *) exit 1;; esac',
        "bare": 'case "$2" in *ensurepip*) exit 1;; esac',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    ended = subprocess.run(
        [ROOT / "scripts" / "install"],
        env=environment(PYTHON=stand_in, PATH=f"{tmp_path}:/usr/bin:/bin"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
