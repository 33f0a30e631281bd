import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from model.data.heart import HEART_FILE
from tests.conftest import ARTIFACT, ROOT, read_json
from tests.end_to_end.processes import COMMAND, environment
from tests.golden.readme import BLOCK, ask, shown, with_pictures

README = (ROOT / "README.md").read_text()
BLOCKS = BLOCK.findall(README)
ANSWERED = [
    (language, code, answer)
    for (language, code), (kind, answer) in pairwise(BLOCKS)
    if kind == "json"
]
COMMANDS = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]


@pytest.mark.parametrize(("language", "code", "answer"), ANSWERED)
def test_an_example_gives_the_answer_that_stands_below_it(
    language: str, code: str, answer: str, address: str
) -> None:
    real = ask(language, code.replace("http://127.0.0.1:8000", address))
    assert read_json(json.dumps(real)) == read_json(answer)


def test_there_are_examples_with_answers() -> None:
    assert [language for language, _, _ in ANSWERED] == ["sh", "sh", "python"]


def test_training_on_a_file_of_ones_own_works_as_told(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text(
        "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,class\n"
        + HEART_FILE.read_text().replace(" ", ",")
    )
    (command,) = [line for line in COMMANDS if "--data" in line]
    subprocess.run(
        ["sh", "-c", command.replace(".venv/bin/heartline", COMMAND)],
        cwd=tmp_path,
        env=environment(),
        check=True,
        capture_output=True,
    )
    own, served = (
        read_json(path.read_text())
        for path in (tmp_path / "artifacts" / "own.json", ARTIFACT.with_suffix(".json"))
    )
    assert own["data"]["source"] == "a file of the user's own"
    assert own["metrics"] == served["metrics"]


def test_every_command_is_run_somewhere() -> None:
    run_here = ("curl ", "  ", ".venv/bin/heartline train heart --data ")
    run_by_other_tests = (
        "scripts/serve",
        "scripts/bench",
        ".venv/bin/heartline train heart",
        ".venv/bin/heartline verify artifacts/heart.npz",
        ".venv/bin/heartline evaluate heart",
        ".venv/bin/heartline compare heart",
        "HEARTLINE_ARTIFACT=artifacts/iris.npz .venv/bin/heartline serve",
        "HEARTLINE_ARTIFACT=artifacts/own.npz .venv/bin/heartline serve",
    )
    run_by_ci = ("scripts/test", "scripts/install all", "docker build -t heartline .")
    run_by_container_check = ("docker run -p 8000:8000 heartline",)
    known = {*run_by_other_tests, *run_by_ci, *run_by_container_check}
    assert [line for line in COMMANDS if line not in known and not line.startswith(run_here)] == []


def test_the_figures_are_those_of_the_card() -> None:
    metrics = json.loads(ARTIFACT.with_suffix(".json").read_text())["metrics"]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", README, re.MULTILINE)
    told = {name: row for name, row in rows if name in metrics}
    assert told == {name: shown(figure) for name, figure in metrics.items()}


def test_the_pictures_have_the_words_of_their_reports() -> None:
    assert README.count("![") == 4
    assert with_pictures(README) == README


def test_no_text_installs_the_project_from_a_package_index() -> None:
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    texts = {
        name: (ROOT / name).read_text()
        for name in names
        if name.endswith((".md", ".py", ".html")) or name.startswith("scripts/")
    }
    found = re.compile(r"heartline\[[a-z]|pip install ['\"]?heartline")
    assert [name for name, text in texts.items() if found.search(text)] == []


def test_every_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
