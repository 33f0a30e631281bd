"""Loading: what of a file is a value of its schema, and what is said of the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data.cells import faults_of, numbers_of
from model.data.dataset import Costs
from model.data.heart import HEART, load_heart
from model.data.loading import dataset_of, load_dataset
from model.data.schema_file import SchemaError
from model.data.sources import read_source
from model.data.table_schema import Ignored, TableSchema, Target
from model.errors import DataError
from model.schema.cell_faults import MAX_LISTED
from model.schema.features import Feature

AGE = Feature("age", "Age", "count", 50, minimum=0, maximum=120)
COLOUR = Feature(
    "hue (main)",
    "Colour",
    "nominal",
    0,
    codes=((0, "1"), (1, "red"), (2, "other")),
    texts_only=True,
    other=2,
    aliases=("hue",),
)
FLAG = Feature(
    "flag", "Flag", "binary", 0, codes=((0, "False"), (1, "True")), texts_only=True, is_boolean=True
)
PHOS = Feature(
    "alk.phos",
    "Phosphatase",
    "continuous",
    50,
    minimum=-10,
    maximum=900,
    missing="indicator",
    missing_cells=(-9, "?"),
)
SEX = Feature("sex", "Sex", "binary", 1, codes=((1, "f"), (2, "m")), missing="indicator")
ILL = Feature("ill", "Ill", "binary", 0, codes=((0, "no"), (1, "yes")), texts_only=True)
SCHEMA = TableSchema("own", Target(ILL), (AGE, COLOUR, FLAG, PHOS, SEX, Ignored("id", "An id.")))

ROWS: list[dict[str, Any]] = [
    {"id": "a", "age": 5, "hue": "1", "flag": False, "alk.phos": None, "sex": 1, "ill": "yes"},
    {"id": "b", "age": 120, "hue": "red", "flag": True, "alk.phos": 2.5, "sex": None, "ill": "no"},
    {"id": "c", "age": 0, "hue": "4711", "flag": True, "alk.phos": -9, "sex": 2, "ill": "no"},
]
X = [[5, 0, 0, np.nan, 1], [120, 1, 1, 2.5, np.nan], [0, 2, 1, np.nan, 2]]


def csv(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    lines = [rows[0], *(row.values() for row in rows)]
    cells = [["" if cell is None else str(cell) for cell in line] for line in lines]
    return "".join(delimiter.join(line) + "\n" for line in cells)


def written(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"own.{kind}"
    if kind == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif kind == "ndjson":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        path.write_text(csv(rows, {"csv": ",", "tsv": "\t", "txt": ";"}[kind]))
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "txt", "ndjson", "parquet"])
def test_the_rows_are_the_same_in_every_format(kind: str, tmp_path: Path) -> None:
    dataset = load_dataset(SCHEMA, written(tmp_path, kind, ROWS))
    np.testing.assert_array_equal(dataset.X, X)
    assert dataset.classes.tolist() == [1, 0, 0]
    assert dataset.labels == ("no", "yes")
    assert dataset.frame.index.tolist() == (
        [1, 2, 3] if kind in ("ndjson", "parquet") else [2, 3, 4]
    )


@pytest.mark.parametrize("kind", ["csv", "tsv", "txt", "ndjson", "parquet"])
def test_the_public_set_is_the_same_in_every_format(kind: str, tmp_path: Path) -> None:
    frame = load_heart().frame
    rows = [dict(zip(frame.columns, row, strict=True)) for row in frame.to_numpy().tolist()]
    read = load_heart(written(tmp_path, kind, rows))
    pd.testing.assert_frame_equal(read.frame.reset_index(drop=True), frame.reset_index(drop=True))


def test_the_rows_of_the_schema_lie_beside_it(tmp_path: Path) -> None:
    written(tmp_path, "csv", ROWS)
    schema = replace(
        SCHEMA, data="own.csv", path=tmp_path / "own.toml", source="Here", citation="C"
    )
    dataset = load_dataset(schema)
    assert (dataset.source, dataset.path) == ("Here", tmp_path / "own.csv")
    assert dataset.card["citation"] == "C"
    other = load_dataset(schema, tmp_path / "own.csv")
    assert other.source == "a file of the user's own"
    assert "citation" not in other.card


def test_a_schema_without_rows_needs_a_file() -> None:
    with pytest.raises(SchemaError, match="data is missing, the path of the rows"):
        load_dataset(SCHEMA)


def test_the_threshold_follows_from_the_schema(tmp_path: Path) -> None:
    target = Target(ILL, Costs(4, 1), 0.2, "Cheapest.")
    dataset = load_dataset(replace(SCHEMA, target=target), written(tmp_path, "csv", ROWS))
    assert (dataset.threshold, dataset.threshold_reason) == (0.2, "Cheapest.")
    assert load_dataset(SCHEMA, tmp_path / "own.csv").threshold == 0.5


def fault(path: Path, schema: TableSchema = SCHEMA) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(schema, path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert len(said.splitlines()) == 1
    return said.removeprefix(str(path))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a range": ({"age": 121}, "age: not a value of this column; expected a whole number from 0"),
    "a text": ({"age": "old"}, "age: not a value of this column"),
    "a missing value": ({"age": None}, "age: a value is missing"),
    "a word for a missing value": ({"age": "N/A"}, "age: a value is missing"),
    "a word that is not declared": ({"sex": "?"}, "sex: a value is missing"),
    "a number for a text": ({"ill": 1}, "ill: not a value of this column; expected no or yes"),
    "a missing label": ({"ill": None}, "ill: a value is missing; expected no or yes"),
    "a huge number": ({"alk.phos": 10**400}, "alk.phos: not a value of this column"),
    "a name in other letters": ({"sex": "F"}, "sex: not a value of this column"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_bad_cell_is_named_by_its_place(kind: str, case: str, tmp_path: Path) -> None:
    change, expected = BAD[case]
    path = written(tmp_path, kind, [ROWS[0], {**ROWS[1], **change}, ROWS[2]])
    assert fault(path).startswith(f", line {2 if kind == 'ndjson' else 3}, column {expected}")


def test_a_row_of_parquet_is_named_by_its_number(tmp_path: Path) -> None:
    path = written(tmp_path, "parquet", [ROWS[0], {**ROWS[1], "age": 121}])
    assert fault(path).startswith(", row 2, column age: not a value of this column")


@pytest.mark.parametrize("kind", ["ndjson", "parquet"])
def test_a_number_is_no_text_and_a_text_no_number(kind: str, tmp_path: Path) -> None:
    for change in ({"hue": 1}, {"age": "5"}, {"flag": 1}, {"sex": "1"}, {"ill": False}):
        path = written(tmp_path, kind, [{**row, **change} for row in ROWS])
        [column] = change
        assert f"column {column.replace('hue', 'hue (main)')}: not a value" in fault(path)


def test_all_bad_cells_are_counted_and_the_first_hundred_listed(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "age": 200, "sex": "x"} for _ in range(75)]
    path = written(tmp_path, "csv", [ROWS[1], *rows, ROWS[2]])
    with pytest.raises(DataError) as caught:
        load_dataset(SCHEMA, path)
    [note] = caught.value.__notes__
    first, *listed, last = note.splitlines()
    assert first == "150 cells cannot be used:"
    assert len(listed) == MAX_LISTED == 100
    assert listed[0] == f"  {str(caught.value).removeprefix(f'{path}, ')}"
    assert listed[1].startswith("  line 3, column sex: not a value of this column")
    assert listed[2].startswith("  line 4, column age: not a value of this column")
    assert last == "  and 50 more"
    assert "200" not in note


def test_a_single_bad_cell_needs_no_list(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(SCHEMA, written(tmp_path, "csv", [ROWS[0], {**ROWS[1], "age": -1}]))
    assert not hasattr(caught.value, "__notes__")


def test_another_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "csv", [{**ROWS[0], "alk.phoss": 1}])
    expected = ", line 1, column 'alk.phoss': unknown column; did you mean alk.phos?"
    assert fault(path) == expected
    path = written(tmp_path, "ndjson", [{**ROWS[0], "": 1}])
    assert fault(path) == ", line 1: a column without a name"
    short = {name: cell for name, cell in ROWS[0].items() if name != "age"}
    assert fault(written(tmp_path, "parquet", [short])) == ", column age: is missing"
    path = written(tmp_path, "csv", [{**ROWS[0], "hue (main)": "red"}])
    assert fault(path) == ", line 1, column hue (main): is given twice"


def test_an_ignored_column_may_be_missing_and_may_hold_anything(tmp_path: Path) -> None:
    rows = [{**row, "id": [row["id"]]} for row in ROWS]
    for kind in ("ndjson", "parquet"):
        np.testing.assert_array_equal(load_dataset(SCHEMA, written(tmp_path, kind, rows)).X, X)
    rows = [{name: cell for name, cell in row.items() if name != "id"} for row in ROWS]
    np.testing.assert_array_equal(load_dataset(SCHEMA, written(tmp_path, "csv", rows)).X, X)
    listed = [{**row, "age": [row["age"]]} for row in ROWS]
    expected = ", column age: holds lists or objects"
    assert fault(written(tmp_path, "ndjson", listed)) == expected


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_groups_and_weights_are_columns_of_their_own(kind: str, tmp_path: Path) -> None:
    schema = replace(SCHEMA, group="patient", weight="w")
    patients, weights = ["9", "x", "9"], [0.5, 1, 2]
    rows = [
        {**row, "patient": p, "w": w} for row, p, w in zip(ROWS, patients, weights, strict=True)
    ]
    dataset = load_dataset(schema, written(tmp_path, kind, rows))
    assert dataset.groups is not None
    assert dataset.weights is not None
    assert dataset.groups.tolist() == [0, 1, 0]
    assert dataset.weights.tolist() == weights
    assert dataset.features.names == SCHEMA.features.names
    one = [{**row, "patient": "9"} for row in rows]
    problem = "column patient: all rows are of one group, so that none can be held out"
    assert problem in fault(written(tmp_path, kind, one), schema)
    for weight in (0.0, -1.0, None):
        light = [rows[0], {**rows[1], "w": weight}]
        assert "column w: a weight must be a positive number" in fault(
            written(tmp_path, kind, light), schema
        )
    lost = [rows[0], {**rows[1], "patient": None}]
    assert "column patient: the group is missing" in fault(written(tmp_path, kind, lost), schema)


def test_whole_numbers_and_texts_are_different_groups(tmp_path: Path) -> None:
    schema = replace(SCHEMA, group="patient")
    rows = [{**row, "patient": p} for row, p in zip(ROWS, ["1", 1, 1.0], strict=True)]
    dataset = load_dataset(schema, written(tmp_path, "ndjson", rows))
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [0, 1, 1]


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, 5, -9, 2.5, 121, 900.5, -10, 2**70]),
    st.sampled_from(["1", "2", "red", "other", "x", "True", "true", "f", "m", "?", "", "no", "-9"]),
)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(CELLS, min_size=1, max_size=6), st.sampled_from([AGE, COLOUR, FLAG, PHOS, SEX, ILL])
)
def test_a_column_is_read_as_the_service_reads_a_cell(
    tmp_path_factory: pytest.TempPathFactory, cells: list[Any], feature: Feature
) -> None:
    path = tmp_path_factory.mktemp("cells") / "t.ndjson"
    path.write_text("\n".join(json.dumps({"c": cell}) for cell in cells))
    column = read_source(path).columns["c"]
    numbers = numbers_of(column, feature, reads_text=False)
    bad = np.logical_or.reduce([fault.is_bad for fault in faults_of(column, feature, numbers)])
    rule = feature.rule
    for cell, value, is_bad in zip(cells, numbers.values.tolist(), bad.tolist(), strict=True):
        assert is_bad == (rule.fault(cell) is not None)
        if not is_bad:
            sent = float(cell) if type(cell) is int else cell
            np.testing.assert_equal(value, rule.strict_read(sent))


def test_the_schema_of_heart_reads_files_of_today(tmp_path: Path) -> None:
    path = tmp_path / "own.dat"
    path.write_text("\n".join(" ".join(map(str, row)) for row in load_heart().frame.to_numpy()))
    table = read_source(path, [column.accepted_names for column in HEART.used])
    np.testing.assert_array_equal(dataset_of(HEART, table).X, load_heart().X)
