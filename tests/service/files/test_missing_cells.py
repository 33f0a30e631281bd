"""Missing values, true and false, and codes made from texts mean in a file what they mean alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from service.files.formats.cells import CellReader, CsvRows
from service.files.outputs import rejects_path
from service.files.score_file import score_file
from tests.conftest import ARTIFACT
from tests.optional import OPTIONAL, optional_artifact
from tests.service import careful
from tests.service.files.samples import Rows, answered, read, reasons, write

PREDICTOR = optional_artifact(Artifact.load(ARTIFACT)).predictor()

CELLS: dict[str, list[Any]] = {
    "age": [None, -9, 99.5, "?", 54.5, 130, "unknown", -9.5, "nan", "NaN", "inf"],
    "visits": [None, 3, 12, "?", 1.5, "nan", True],
    "weight": [None, 70.5, -1, "?", 150, "nan"],
    "smoker": [None, True, False, "true", "false", "unknown", 1, "?", "True"],
    "married": [None, True, False, "no", "yes", 0, 1, 2, "true", "?"],
    "area": [None, "1", 1, "south", "other", "north", "", "nan", "inf", True],
    "ward": [None, 0, 3, "A", 6, "B", 7, 5, "?", "0", True],
}
"""Cells of each column, good and bad ones."""


def rows(number: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows of which most cells are good."""
    rng = Random(seed)
    example = OPTIONAL.example()
    return [
        {
            name: rng.choice(cells) if rng.random() < 0.4 else example[name]
            for name, cells in CELLS.items()
        }
        for _ in range(number)
    ]


def as_in_csv(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as CSV has it, in JSON's notation."""
    return {k: json.dumps(v) if isinstance(v, bool) else v for k, v in row.items()}


def meant(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row of texts means in JSON."""
    values = {}
    for feature in OPTIONAL:
        cell = "" if row[feature.name] is None else str(row[feature.name])
        value = careful._csv_value(feature, cell)
        values[feature.name] = float(value) if isinstance(value, careful.Fraction) else value
    return values


def check(predictor: Predictor, source: Path, records: Rows) -> tuple[int, int]:
    """Compare a file's answers with those to its records; return how many were good, and bad."""
    answers = source.with_name("answers.ndjson")
    score_file(predictor, source, answers)
    expected = {row: reasons(predictor, record) for row, record in enumerate(records, 1)}
    found = {row.pop("row"): row for row in read(answers)}
    rejects = rejects_path(source, answers)
    rejected = (
        {int(row["row"]): row["reasons"] for row in read(rejects)} if rejects.exists() else {}
    )
    for row, record in enumerate(records, 1):
        if expected[row]:
            assert row in rejected, record
            assert _kinds(rejected[row]) == _kinds(expected[row]), record
        else:
            assert row in found, (record, rejected[row])
            found[row].pop("id", None)
            assert found[row] == answered(predictor, record), record
    return len(found), len(rejected)


def _kinds(text: str) -> list[str]:
    """Return a field and its fault from each reason; `nan` in a text file is a number."""
    words = text.replace("not_finite", "not_a_number").split()
    return sorted(
        f"{field} {word}"
        for field in OPTIONAL.names
        for word in words
        if word.startswith("(") and f"{field}: " in text
    )


@pytest.mark.parametrize("suffix", [".csv", ".ndjson"])
def test_every_row_of_a_text_file_is_judged_as_a_record(tmp_path: Path, suffix: str) -> None:
    every = rows(600)
    if suffix == ".csv":
        source = write(tmp_path / "rows.csv", [as_in_csv(row) for row in every])
        every = [meant(as_in_csv(row)) for row in every]
    else:
        source = write(tmp_path / "rows.ndjson", every)
    good, bad = check(PREDICTOR, source, every)
    assert good > 50
    assert bad > 50


def test_a_csv_of_good_rows_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good: dict[str, list[Any]] = {
        "age": [None, -9, 99.5, "?", 54.5], "visits": [None, 3], "weight": [70.5, 150],
        "smoker": [None, "true", "false", "unknown"], "married": [0, 1],
        "area": [None, "1", "north"], "ward": [None, 0, 3],
    }  # fmt: skip
    rng = Random(1)
    every = [{name: rng.choice(cells) for name, cells in good.items()} for _ in range(100)]
    source = write(tmp_path / "rows.csv", every)
    read_alone: list[bytes] = []
    careful_read = CellReader.read

    def note(self: CellReader, block: bytes) -> CsvRows:
        read_alone.extend(block.split())
        return careful_read(self, block)

    monkeypatch.setattr(CellReader, "read", note)
    assert check(PREDICTOR, source, [meant(row) for row in every]) == (100, 0)
    assert not read_alone


TYPED: list[tuple[str, Sequence[Any], pl.DataType]] = [
    ("age", [None, -9.0, 99.5, 54.5, 130.0, float("nan")], pl.Float64()),
    ("visits", [None, 3, 12, 50], pl.Int64()),
    ("visits", [None, None], pl.Null()),
    ("weight", [None, 70.5, -1.0, 150.0, float("nan")], pl.Float64()),
    ("smoker", [None, True, False], pl.Boolean()),
    ("smoker", [None, "true", "unknown", "True"], pl.String()),
    ("smoker", [None, 1, 0], pl.Int8()),
    ("married", [None, True, False], pl.Boolean()),
    ("married", ["no", "yes", "true", None], pl.Categorical()),
    ("area", [None, "1", "south", "north", ""], pl.String()),
    ("area", [None, 1], pl.Int64()),
    ("ward", [None, 0, 3, 5], pl.Int64()),
    ("ward", [None, "A", "0", "?"], pl.String()),
    ("ward", [None, True], pl.Boolean()),
    ("age", ["?", "54", None, "unknown"], pl.String()),
]


@pytest.mark.parametrize(("name", "cells", "dtype"), TYPED, ids=str)
def test_every_row_of_a_parquet_file_is_judged_as_a_record(
    tmp_path: Path, name: str, cells: Sequence[Any], dtype: pl.DataType
) -> None:
    example = OPTIONAL.example()
    table = pl.DataFrame({key: [value] * len(cells) for key, value in example.items()})
    table = table.with_columns(pl.Series(name, cells, dtype))
    table.write_parquet(tmp_path / "rows.parquet")
    nan_is_null = OPTIONAL.by_accepted_name[name].is_optional
    records = [{**example, name: _as_json(cell, nan_is_null=nan_is_null)} for cell in cells]
    good, bad = check(PREDICTOR, tmp_path / "rows.parquet", records)
    assert good + bad == len(cells)


def _as_json(cell: Any, *, nan_is_null: bool) -> Any:
    is_nan = isinstance(cell, float) and cell != cell
    return None if is_nan and nan_is_null else cell
