"""heartline init: a schema file for a table that nobody prepared."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from model.data import first_schema
from model.data.first_schema import SchemaExists
from model.data.loading import load_dataset
from model.data.schema_file import JSON_SCHEMA_FILE
from model.data.table_schema import TableSchema
from model.errors import DataError
from service.cli import cli
from tests.end_to_end.processes import run

ROWS = [
    f"c{row},{20 + row % 31},{'north' if row % 3 else 'south'},{'' if row % 7 else row / 8},"
    f"{'yes' if row % 4 == 0 else 'no'}"
    for row in range(60)
]
HEADER = "id,age,alk.phos region,score,churn"
SCHEMA = f"""\
#:schema {JSON_SCHEMA_FILE.as_uri()}
# What each column holds, inferred from the rows. Comments mark what was guessed: read them,
# and edit what is wrong. docs/tables.md describes the keys.
name = "churn"
data = "rows/churn.csv"

[target]
# positive is guessed from the names of the classes.
name = "churn"
classes = ["no", "yes"]
positive = "yes"

[columns.id]
ignore = "Every row holds another text, as an id does."

[columns.age]
kind = "count"
minimum = 0
maximum = 80
example = 34

[columns."alk.phos region"]
kind = "binary"
example = 0
codes = ["north", "south"]

[columns.score]
# 85 % of the values are missing.
kind = "continuous"
minimum = -7.0
maximum = 14.0
example = 3.5
missing = "indicator"
"""


def rows_file(folder: Path, rows: list[str] = ROWS) -> Path:
    path = folder / "rows" / "churn.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([HEADER, *rows]))
    return path


def init(*arguments: object) -> str:
    """Run the command in this process, and return what it prints."""
    command = ["init", *map(str, arguments)]
    return CliRunner().invoke(cli, command, catch_exceptions=False).stdout


def test_the_schema_lies_beside_the_rows_and_the_command_says_what_it_holds(tmp_path: Path) -> None:
    file = rows_file(tmp_path)
    ended = run("init", str(file), "--target", "churn")
    path = file.with_suffix(".toml")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        f"schema     {path}",
        "target     churn: no, yes (positive)",
        "ignored    id: Every row holds another text, as an id does.",
        "count      age",
        "binary     alk.phos region",
        "continuous score",
    ]
    assert len(load_dataset(TableSchema.read(path))) == 60


def test_the_path_of_the_rows_is_relative_to_the_schema(tmp_path: Path) -> None:
    file, path = rows_file(tmp_path), tmp_path / "churn.toml"
    init(file, "--target", "churn", "-o", path)
    assert path.read_text() == SCHEMA
    init(file, "--target", "churn", "-o", tmp_path / "new" / "churn.toml")
    schema = TableSchema.read(tmp_path / "new" / "churn.toml")
    assert schema.data == "../rows/churn.csv"
    assert len(load_dataset(schema)) == 60


def test_an_editor_finds_the_json_schema_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "a lib" / "table_schema.json"
    shipped.parent.mkdir()
    shipped.write_bytes(JSON_SCHEMA_FILE.read_bytes())
    monkeypatch.setattr(first_schema, "JSON_SCHEMA_FILE", shipped)
    rows_file(tmp_path)
    for folder, expected in (
        (tmp_path, "../a%20lib/table_schema.json"),
        (tmp_path / "rows", shipped.as_uri()),
    ):
        monkeypatch.chdir(folder)
        init(tmp_path / "rows" / "churn.csv", "--target", "churn", "--force")
        first, *_ = (tmp_path / "rows" / "churn.toml").read_text().splitlines()
        assert first == f"#:schema {expected}"


def test_a_schema_is_replaced_with_force_alone(tmp_path: Path) -> None:
    file = rows_file(tmp_path)
    path = file.with_suffix(".toml")
    path.write_text("mine")
    with pytest.raises(SchemaExists, match="kept; give another --output, or --force to replace it"):
        init(file, "--target", "churn")
    assert path.read_text() == "mine"
    init(file, "--target", "churn", "--force")
    assert TableSchema.read(path).name == "churn"


def test_the_rows_are_never_replaced(tmp_path: Path) -> None:
    file = rows_file(tmp_path).rename(tmp_path / "churn.toml")
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    before = file.read_bytes()
    for arguments in ([], ["-o", link]):
        with pytest.raises(SchemaExists, match="holds the rows; give another --output"):
            init(file, "--target", "churn", "--force", *arguments)
    assert file.read_bytes() == before


def test_bad_rows_write_nothing_and_are_listed(tmp_path: Path) -> None:
    bad = [row.replace(f",{20 + 3},", ",old,") for row in ROWS]
    file = rows_file(tmp_path, bad)
    ended = run("init", str(file), "--target", "churn")
    assert ended.returncode == 1
    problem = "expected a number, as in most rows of the column"
    assert ended.stderr.splitlines() == [
        f"heartline: {file}, line 5, column age: {problem}",
        "2 cells cannot be used:",
        f"  line 5, column age: {problem}",
        f"  line 36, column age: {problem}",
    ]
    assert [of.name for of in file.parent.iterdir()] == ["churn.csv"]


def test_a_target_that_is_missing_writes_nothing(tmp_path: Path) -> None:
    file = rows_file(tmp_path)
    with pytest.raises(DataError, match="line 1, column chrun: no column has the target's name"):
        init(file, "--target", "chrun")
    assert [of.name for of in file.parent.iterdir()] == ["churn.csv"]


def test_a_schema_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = rows_file(tmp_path)
    ended = run("init", str(file), "--target", "churn", "-o", str(file / "churn.toml"))
    assert ended.returncode == 1
    assert ended.stderr == f"heartline: {file / 'churn.toml'}: Not a directory\n"
