"""README.md and docs/: their examples, commands, figures, pictures and links."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from model.data.heart import HEART_FILE
from tests.conftest import ARTIFACT, ROOT, read_json
from tests.end_to_end.processes import COMMAND, environment
from tests.golden.pages import BLOCK, PAGES, SERVICE, ask, examples, shown, with_pictures

TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in PAGES}
README = TEXTS["README.md"]
QUALITY = TEXTS["docs/quality.md"]
ANSWERED = [
    (question[1], question[2], answer[2])
    for text in TEXTS.values()
    for question, answer in examples(text)
]
COMMANDS = [
    line
    for text in TEXTS.values()
    for language, code in BLOCK.findall(text)
    if language == "sh"
    for line in code.splitlines()
]
LINKING = {
    path: path.read_text()
    for path in (
        *PAGES,
        ROOT / "SECURITY.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs" / "decisions").glob("*.md"),
    )
}


@pytest.mark.parametrize(("language", "code", "answer"), ANSWERED)
def test_an_example_gives_the_answer_that_stands_below_it(
    language: str, code: str, answer: str, address: str
) -> None:
    real = ask(language, code.replace(SERVICE, address))
    assert read_json(json.dumps(real)) == read_json(answer)


def test_there_are_examples_with_answers() -> None:
    assert [language for language, _, _ in ANSWERED] == ["sh", "sh", "python", "sh"]


def test_training_on_a_file_of_ones_own_works_as_shown(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text(
        "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,class\n"
        + HEART_FILE.read_text().replace(" ", ",")
    )
    (command,) = [line for line in COMMANDS if "--data" in line]
    (verify,) = [line for line in COMMANDS if "verify artifacts/own.npz" in line]
    printed = [
        subprocess.run(
            ["sh", "-c", line.replace(".venv/bin/heartline", COMMAND)],
            cwd=tmp_path,
            env=environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for line in (command, verify)
    ]
    assert "\npassed: " in printed[1]
    own, served = (
        read_json(path.read_text())
        for path in (tmp_path / "artifacts" / "own.json", ARTIFACT.with_suffix(".json"))
    )
    assert own["data"]["source"] == "a file of the user's own"
    assert own["metrics"] == served["metrics"]


def test_bash_completes_the_command_as_shown() -> None:
    (line,) = {line for line in COMMANDS if line.startswith("eval ")}
    script = f"""{line.replace(".venv/bin/heartline", COMMAND)}
complete -p heartline >/dev/null
COMP_WORDS=({COMMAND} serve --ssl-c) COMP_CWORD=2
_heartline_completion {COMMAND}
echo "${{COMPREPLY[@]}}"
"""
    run = subprocess.run(
        ["bash", "-ec", script], env=environment(), check=True, capture_output=True, text=True
    )
    assert run.stdout == "--ssl-certfile --ssl-ca-certs --ssl-ciphers\n"


def test_every_command_is_run_somewhere() -> None:
    run_here = ("curl ", "  ", ".venv/bin/heartline train heart --data ", "eval ")
    run_by_other_tests = (
        "scripts/serve",
        "scripts/bench",
        ".venv/bin/heartline train heart",
        ".venv/bin/heartline verify artifacts/heart.npz",
        ".venv/bin/heartline verify artifacts/own.npz",
        ".venv/bin/heartline evaluate heart",
        ".venv/bin/heartline compare heart",
        ".venv/bin/heartline export artifacts/heart.npz --onnx heart.onnx",
        ".venv/bin/heartline predict patients.csv -o answers.csv",
        "heartline predict 'data/*.parquet' -o scored/ --cluster tcp://scheduler:8786",
        ".venv/bin/heartline serve artifacts/iris.npz",
        ".venv/bin/heartline serve artifacts/own.npz",
        "HEARTLINE_CODES=names",
    )
    run_by_ci = ("scripts/test", "scripts/install all", "docker build -t heartline .")
    run_by_container_check = (
        "docker run --read-only -p 8000:8000 heartline",
        'docker run --read-only -p 8000:8000 -v "$PWD/artifacts/own.npz:/model.npz:ro" \\',
        'docker run --read-only -p 8000:8000 -v "$PWD/artifacts:/models:ro" \\',
    )
    run_by_hand = (
        "pip install '.[cluster]'",
        "scripts/install tracing",
        "docker build --build-arg PARTS=tracing -t heartline .",
        "key=$(openssl rand -hex 32)",
        'printf %s "$key" | sha256sum',
    )
    known = {*run_by_other_tests, *run_by_ci, *run_by_container_check, *run_by_hand}
    assert [line for line in COMMANDS if line not in known and not line.startswith(run_here)] == []


def test_the_figures_are_those_of_the_card() -> None:
    metrics = json.loads(ARTIFACT.with_suffix(".json").read_text())["metrics"]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", QUALITY, re.MULTILINE)
    told = {name: row for name, row in rows if name in metrics}
    assert told == {name: shown(figure) for name, figure in metrics.items()}


def test_the_pictures_have_the_words_of_their_reports() -> None:
    assert QUALITY.count("![") == 4
    assert all(with_pictures(text) == text for text in TEXTS.values())


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
    links = [
        (path, link)
        for path, text in LINKING.items()
        for link in re.findall(r"\]\(([^)\s]+)\)", text)
        if "://" not in link
    ]
    assert links
    assert [(path.name, link) for path, link in links if not leads_somewhere(path, link)] == []


def leads_somewhere(path: Path, link: str) -> bool:
    name, _, heading = link.partition("#")
    target = path.parent / name if name else path
    return target.exists() and (not heading or heading in anchors(target.read_text()))


def anchors(page: str) -> list[str]:
    """Return what the headings of a page are linked by."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
