import re

from tests.conftest import ROOT
from tests.end_to_end.processes import run

NAMES = [
    "scikit-learn MLPClassifier",
    "scikit-learn LogisticRegression",
    "scikit-learn RandomForestClassifier",
    "Keras, hidden layer without activation",
    "Keras, ReLU hidden layer",
]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines]


def test_comparing_prints_a_line_for_each_and_nothing_else() -> None:
    ended = run("compare", "heart-tutorial", "--seeds", "2")
    assert (ended.returncode, ended.stderr) == (0, "")
    head, _, *reported = rows(ended.stdout)
    assert len(ended.stdout.splitlines()) == 2 + len(reported)
    assert [row[0] for row in reported] == ["heart-tutorial", *NAMES]
    assert all(
        re.fullmatch(r"\d+\.\d{3} \u00b1 \d+\.\d{3}", cell) for row in reported for cell in row[1:]
    )
    page = (ROOT / "docs" / "quality.md").read_text()
    assert [row for row in rows(page) if row[0] == "model"] == [head]
    assert all(f"\n| {name} | " in page for name in NAMES)


def test_a_recipe_that_does_not_exist_ends_it_at_once() -> None:
    ended = run("compare", "hart")
    assert ended.returncode == 1
    assert ended.stderr.startswith("heartline: there is no recipe 'hart'; the recipes are heart, ")
