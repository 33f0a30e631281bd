"""Columns that the model knows but does not read go to the answers as they were written."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from model.artifact.artifact import Artifact
from model.errors import DataError
from model.inference.predictor import Predictor
from service.files.score_file import Tally, score_file
from tests.conftest import ARTIFACT
from tests.service.files.samples import answered, read, reasons, write
from tests.service.files.test_answers import reported
from tests.service.samples import example

OTHERS = ["id", "diagnosis", "label", "seen on", "", "row", "input_label"]
KEPT = {
    "id": "007", "diagnosis": "present", "label": "mild; or not", "seen on": "2024-02-30",
    "": "1.50", "row": " 12", "input_label": 'say "a"',
}  # fmt: skip
RENAMED = {"row": "input_row", "label": "input_input_label"}
TEXT = [".csv", ".tsv", ".ndjson"]
FORMATS = [*TEXT, ".parquet"]


@pytest.fixture(scope="module")
def knowing() -> Predictor:
    artifact = Artifact.load(ARTIFACT)
    return replace(artifact, about={**artifact.about, "other_columns": OTHERS}).predictor()


def written(path: Path, rows: list[dict[str, Any]], delimiter: str = "") -> Path:
    if not delimiter and path.suffix != ".tsv":
        return write(path, rows)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter or "\t")
        table.writeheader()
        table.writerows(rows)
    return path


def answers_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix != ".tsv":
        return reported(path)
    with path.open(newline="") as file:
        rows = [dict(row) for row in csv.DictReader(file, delimiter="\t")]
    return [
        {
            **{name: value or None for name, value in row.items()},
            "row": int(row["row"]),
            "predicted_class": int(row["predicted_class"]),
            "probability": float(row["probability"]),
        }
        for row in rows
    ]


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_known_columns_are_passed_through(
    knowing: Predictor, tmp_path: Path, source: str, target: str
) -> None:
    rows = [{**KEPT, **example(age=age)} for age in (40, 54, 70)]
    answers = tmp_path / f"answers{target}"
    assert score_file(knowing, written(tmp_path / f"rows{source}", rows), answers) == Tally(3)
    kept = {RENAMED.get(name, name): text for name, text in KEPT.items()}
    assert answers_of(answers) == [
        {"row": number, **kept, **answered(knowing, example(age=age))}
        for number, age in enumerate((40, 54, 70), start=1)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_separated_by_what_its_header_has_most_of(
    knowing: Predictor, tmp_path: Path, delimiter: str
) -> None:
    rows = [{"diagnosis": f'"{delimiter},;\t', **example(age=age)} for age in (54, 5)]
    source = written(tmp_path / "rows.csv", rows, delimiter)
    assert score_file(knowing, source, tmp_path / "answers.csv") == Tally(1, 1)
    (answer,) = reported(tmp_path / "answers.csv")
    assert answer["diagnosis"] == rows[0]["diagnosis"]
    assert answer["probability"] == answered(knowing, example(age=54))["probability"]
    (rejected,) = read(tmp_path / "answers.rejected.csv")
    assert rejected["diagnosis"] == rows[1]["diagnosis"]
    assert rejected["reasons"] == reasons(knowing, example(age=5))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_line_with_a_stray_quotation_mark_or_another_width_is_rejected(
    knowing: Predictor, tmp_path: Path, delimiter: str
) -> None:
    source = written(tmp_path / "rows.csv", [example()] * 2, delimiter)
    header, row, _ = source.read_text().splitlines()
    lines = [header, row, f'"{row}', row + delimiter, row.rpartition(delimiter)[0], row]
    source.write_text("\n".join(lines))
    assert score_file(knowing, source, tmp_path / "answers.csv") == Tally(2, 3)
    rejected = read(tmp_path / "answers.rejected.csv")
    assert [row["row"] for row in rejected] == ["2", "3", "4"]


@pytest.mark.parametrize("source", FORMATS)
def test_rejected_rows_keep_all_columns(knowing: Predictor, tmp_path: Path, source: str) -> None:
    bad = {**KEPT, **example(age=5)}
    path = written(tmp_path / f"rows{source}", [bad])
    assert score_file(knowing, path, tmp_path / "answers.csv") == Tally(0, 1)
    rejects = tmp_path / f"answers.rejected{source}"
    if source == ".ndjson":
        (found,) = read(rejects)
        assert json.loads(found["record"]) == bad
    else:
        if source == ".tsv":
            text = rejects.read_text().replace("\t", ",")
            rejects = rejects.with_suffix(".csv")
            rejects.write_text(text)
        (found,) = read(rejects)
        assert {name: found[{"row": "input_row"}.get(name, name)] for name in KEPT} == KEPT
    assert found["reasons"] == reasons(knowing, example(age=5))


def test_json_comes_back_as_it_was_sent(knowing: Predictor, tmp_path: Path) -> None:
    raw = ["1.50", "null", "true", '"\\u00e4:\\""', '{"a": [1,  {"a": 2}]}', "[ ]", "1E2", "-0"]
    record = json.dumps(example())[1:]
    lines = [f'{{"diagnosis": {cell}, "id": {cell}, {record}' for cell in raw]
    source = tmp_path / "rows.ndjson"
    source.write_text("\n".join([*lines, f"{{{record}"]))
    assert score_file(knowing, source, tmp_path / "answers.ndjson") == Tally(len(raw) + 1)
    answers = (tmp_path / "answers.ndjson").read_text().splitlines()
    for line, cell in zip(answers, raw, strict=False):
        assert f'"id":{cell},"diagnosis":{cell},' in line
    assert '"id":null,"diagnosis":null,' in answers[-1]
    score_file(knowing, source, tmp_path / "answers.parquet")
    texts = [row["diagnosis"] for row in read(tmp_path / "answers.parquet")]
    due = [cell for cell in raw if not cell.startswith('"')]
    assert texts == [*(None if c == "null" else c for c in due[:3]), 'ä:"', *due[3:], None]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("NaN", "a number in it is NaN or infinite"),
        ("[1e999]", ""),
        ('"\\ud800"', "Invalid JSON"),
        ("01", "Invalid JSON"),
        ("[" * 20_000 + "]" * 20_000, "Invalid JSON"),
        ('1, "diagnosis": 1', "duplicate_field"),
    ],
)
def test_a_line_is_rejected_for_what_is_no_json_in_a_kept_field(
    knowing: Predictor, tmp_path: Path, cell: str, reason: str
) -> None:
    record = json.dumps(example())[1:]
    source = tmp_path / "rows.ndjson"
    source.write_text(f'{{"diagnosis": {cell}, {record}\n{{{record}\n')
    tally = score_file(knowing, source, tmp_path / "answers.ndjson")
    assert tally == (Tally(1, 1) if reason else Tally(2))
    if reason:
        (rejected,) = read(tmp_path / "answers.rejected.ndjson")
        assert reason in rejected["reasons"]


@pytest.mark.parametrize("source", FORMATS)
def test_a_column_that_is_neither_is_refused_with_the_nearest_name(
    knowing: Predictor, tmp_path: Path, source: str
) -> None:
    path = written(tmp_path / f"rows{source}", [{"diagnosi": "x", **example()}])
    if source == ".ndjson":
        assert score_file(knowing, path, tmp_path / "answers.csv") == Tally(0, 1)
        (rejected,) = read(tmp_path / "answers.rejected.ndjson")
        message = rejected["reasons"]
    else:
        with pytest.raises(DataError) as caught:
            score_file(knowing, path, tmp_path / "answers.csv")
        message = str(caught.value)
        assert "column 1" in message
    assert "Unknown field; did you mean diagnosis?" in message


@pytest.mark.parametrize("target", FORMATS)
def test_columns_of_any_type_pass_from_parquet(
    knowing: Predictor, tmp_path: Path, target: str
) -> None:
    kept = pl.DataFrame(
        {
            "id": [1.5, None],
            "diagnosis": [[1, 2], None],
            "label": [b"\xff", None],
            "seen on": [date(2024, 2, 29), None],
            "": [timedelta(days=1, seconds=30), None],
            "row": [{"a": "x"}, None],
        }
    )
    source = tmp_path / "rows.parquet"
    kept.hstack(pl.DataFrame([example()] * 2)).write_parquet(source)
    assert score_file(knowing, source, tmp_path / f"answers{target}") == Tally(2)
    first, second = answers_of(tmp_path / f"answers{target}")
    names = ["input_" * (name in ("row", "label")) + name for name in kept.columns]
    found = [first[name] for name in names]
    if target == ".parquet":
        assert found == [1.5, [1, 2], b"\xff", date(2024, 2, 29), timedelta(1, 30), {"a": "x"}]
    elif target == ".ndjson":
        assert found == [1.5, [1, 2], "/w==", "2024-02-29", "PT86430S", {"a": "x"}]
    else:
        assert found == ["1.5", "[1,2]", "/w==", "2024-02-29", "P1DT30S", '{"a":"x"}']
    assert [second[name] for name in names] == [None] * len(names)


def test_an_id_of_which_the_model_knows_nothing_is_a_text_or_a_whole_number(
    predictor: Predictor, tmp_path: Path
) -> None:
    source = write(tmp_path / "rows.parquet", [{"id": 1.5, **example()}])
    with pytest.raises(DataError, match="the column must contain texts or whole numbers"):
        score_file(predictor, source, tmp_path / "answers.csv")
