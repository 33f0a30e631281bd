"""The commands on a table without a schema: init, train, evaluate, verify, predict a row."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from model.artifact.artifact import Artifact
from model.data.schema_file import SchemaError
from model.errors import DataError, RecipeError
from model.recipes.own_tables import recipe_for
from model.recipes.tables.plans import Choices
from service.cli import cli
from service.files.score_file import Tally, score_file
from tests.conftest import ROOT
from tests.end_to_end.processes import run

FAST = ("--folds", "2", "--repeats", "1")
ROWS = [
    f"{row},{20 + 7 * row % 31},{'north' if row % 3 else 'south'},"
    f"{'' if row % 7 == 0 else row / 8},{'yes' if row % 4 == 0 else 'no'}"
    for row in range(60)
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "churn.csv"
    path.write_text("\n".join(["id,age,alk.phos,from,left", *ROWS]))
    return path


def command(*arguments: object) -> str:
    """Run a command in this process, and return what it prints."""
    result = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_schema_and_the_file_that_it_was_inferred_from_give_the_same_model(
    rows: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    command("init", rows, "--target", "left")
    by_schema = command("train", rows.with_suffix(".toml"), "--output", one, *FAST)
    by_file = command("train", rows, "--target", "left", "--output", two, *FAST)
    assert one.read_bytes() == two.read_bytes()
    assert by_file.splitlines()[0].startswith("ignored    id: ")
    assert by_file.splitlines()[3:] == by_schema.splitlines()[2:]
    artifact = Artifact.load(one)
    assert artifact.name == "churn"
    assert artifact.labels == ("no", "yes")
    assert artifact.features.names == ["age", "alk.phos", "from"]
    assert "twice" not in by_schema
    command("verify", one)
    assert "unchanged" in command("train", rows.with_suffix(".toml"), "--output", one, *FAST)


def test_the_table_itself_is_scored_with_all_its_columns(rows: Path, tmp_path: Path) -> None:
    command("train", rows, "--target", "left", "--output", tmp_path / "own.npz", *FAST)
    artifact = Artifact.load(tmp_path / "own.npz")
    assert artifact.about["other_columns"] == ["left", "id"]
    answers = tmp_path / "answers.csv"
    tally = score_file(artifact.predictor(), rows, answers)
    assert tally == Tally(scored=60)
    with answers.open(newline="") as file:
        found = [(row["id"], row["left"]) for row in csv.DictReader(file)]
    given = [row.split(",") for row in ROWS]
    assert found == [(row[0], row[-1]) for row in given]


def test_the_artifact_is_named_for_the_schema(rows: Path, tmp_path: Path) -> None:
    ended = run("init", str(rows), "--target", "left", "-o", str(tmp_path / "own.toml"))
    assert ended.returncode == 0
    recipe = recipe_for(str(tmp_path / "own.toml"))
    assert recipe.name == "own"
    other = tmp_path / "other.csv"
    other.write_text(rows.read_text())
    assert recipe.load(other).source == "a file of the user's own"


def test_a_report_is_made_of_a_schema(rows: Path, tmp_path: Path) -> None:
    command("init", rows, "--target", "left")
    folder = tmp_path / "report"
    command("evaluate", rows.with_suffix(".toml"), "--output", folder, *FAST)
    assert "churn" in (folder / "report.md").read_text()


def test_another_file_with_the_same_columns_takes_the_place_of_the_rows(
    rows: Path, tmp_path: Path
) -> None:
    recipe = recipe_for(str(rows), "left")
    assert len(recipe.load(None)) == 60
    other = tmp_path / "other.csv"
    other.write_text("\n".join(rows.read_text().splitlines()[:41]))
    assert len(recipe.load(other)) == 40


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("churn.csv", {}, "churn.csv: a file of rows needs --target, the column to predict"),
        ("churn.toml", {"target": "x"}, "churn.toml: the schema names the target; leave --target"),
        (
            "heart",
            {"choices": Choices(3)},
            "heart: the recipe sets folds, repeats and effort;",
        ),
        ("heart", {"choices": Choices(effort="quick")}, "heart: the recipe sets folds, repeats"),
        ("hart", {}, "there is no recipe 'hart'; the recipes are heart, "),
    ],
)
def test_options_that_contradict_the_name_are_refused(
    name: str, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_for(name, **options)
    assert str(caught.value).startswith(expected)


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(SchemaError, match=r"missing\.toml: No such file"):
        recipe_for("missing.toml")
    with pytest.raises(DataError, match=r"missing: No such file"):
        recipe_for("missing", "left")


def test_a_schema_that_contradicts_its_rows_trains_nothing(rows: Path, tmp_path: Path) -> None:
    command("init", rows, "--target", "left")
    schema = rows.with_suffix(".toml")
    schema.write_text(schema.read_text().replace('"north", ', '"nort", '))
    path = tmp_path / "own.npz"
    ended = run("train", str(schema), "--output", str(path))
    assert ended.returncode == 1
    first, second, *listed = ended.stderr.splitlines()
    problem = "column alk.phos: not a value of this column; expected nort or south"
    assert first == f"heartline: {rows}, line 3, {problem}"
    assert second == "40 cells cannot be used:"
    assert (len(listed), listed[0]) == (40, f"  line 3, {problem}")
    assert not path.exists()


@pytest.mark.parametrize("name", ["heart", "moons", "iris"])
def test_the_tables_of_the_recipes_can_be_trained_by_their_schema_files(name: str) -> None:
    recipe = recipe_for(str(ROOT / "model" / "data" / f"{name}.toml"))
    assert recipe.name == name
    recipe.procedure.planned(recipe.load(None)).check(recipe.load(None))
