"""Inference: what a column is guessed to be, and what is said of the guess."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.data.infer import Inferred, infer_schema
from model.data.loading import dataset_of
from model.data.schema_text import as_toml
from model.data.sources import Table, read_source
from model.data.table_schema import Ignored, TableSchema
from model.errors import DataError
from model.schema.features import Feature

ROWS = 40
TARGET = ["no", "yes", "no", "no"] * 10


def table_of(folder: Path, columns: Mapping[str, Sequence[Any]], kind: str = "csv") -> Table:
    path = folder / f"own.{kind}"
    if kind == "parquet":
        pl.DataFrame(columns, strict=False).write_parquet(path)
    else:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        if kind == "ndjson":
            path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        else:
            lines = [[*columns], *([*row.values()] for row in rows)]
            cells = [";".join("" if c is None else str(c) for c in line) for line in lines]
            path.write_text("\n".join(cells), encoding="utf-8")
    return read_source(path)


def infer(folder: Path, column: Sequence[Any], kind: str = "csv", name: str = "c") -> Inferred:
    """Return what is inferred of a table with one column beside another and the target."""
    columns = {name: column, "x": [0.5, 1.5] * 20, "ill": TARGET}
    return infer_schema(table_of(folder, columns, kind), "ill", "own")


def column_of(inferred: Inferred, name: str = "c") -> Feature | Ignored:
    return next(column for column in inferred.schema.columns if column.name == name)


def feature_of(inferred: Inferred, name: str = "c") -> Feature:
    column = column_of(inferred, name)
    assert isinstance(column, Feature)
    return column


def reason_of(inferred: Inferred) -> str:
    column = column_of(inferred)
    assert isinstance(column, Ignored)
    return column.reason


KINDS = ["csv", "ndjson", "parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_measurement_reaches_one_span_beyond_what_was_seen(kind: str, tmp_path: Path) -> None:
    feature = feature_of(infer(tmp_path, [1.5, 2.25, 4.0, 3.0] * 10, kind))
    assert (feature.kind, feature.minimum, feature.maximum) == ("continuous", -1.0, 6.5)
    assert 1.5 <= feature.example <= 4.0
    assert (feature.missing, feature.missing_cells, feature.codes) == ("refuse", (), ())


@pytest.mark.parametrize("kind", KINDS)
def test_a_count_is_not_below_0(kind: str, tmp_path: Path) -> None:
    ages = [20 + row % 15 for row in range(ROWS)]
    feature = feature_of(infer(tmp_path, ages, kind))
    assert (feature.kind, feature.minimum, feature.maximum) == ("count", 6, 48)
    feature = feature_of(infer(tmp_path, [age - 15 for age in ages], kind))
    assert (feature.minimum, feature.maximum) == (0, 33)
    feature = feature_of(infer(tmp_path, [age - 25 for age in ages], kind))
    assert (feature.minimum, feature.maximum) == (-19, 23)


@pytest.mark.parametrize("kind", KINDS)
def test_few_whole_numbers_get_a_comment(kind: str, tmp_path: Path) -> None:
    inferred = infer(tmp_path, [1, 2, 4, 2] * 10, kind)
    assert feature_of(inferred).kind == "count"
    assert 'put kind = "nominal"' in " ".join(inferred.notes["c"])
    inferred = infer(tmp_path, [*range(11)] * 3 + [0] * 7, kind)
    assert inferred.notes["c"] == []
    inferred = infer(tmp_path, [0, 1, 1, 0] * 10, kind)
    feature = feature_of(inferred)
    assert (feature.kind, feature.codes, feature.texts_only) == (
        "binary",
        ((0, "0"), (1, "1")),
        False,
    )
    assert "guessed to be codes" in inferred.notes["c"][0]


@pytest.mark.parametrize("kind", KINDS)
def test_distinct_whole_numbers_and_texts_look_like_ids(kind: str, tmp_path: Path) -> None:
    assert "as ids are" in reason_of(
        infer(tmp_path, [7919 * row % 1009 for row in range(ROWS)], kind)
    )
    assert "as an id does" in reason_of(infer(tmp_path, [f"p{row}" for row in range(ROWS)], kind))
    assert isinstance(
        column_of(infer(tmp_path, [row / 8 + 0.01 for row in range(ROWS)], kind)), Feature
    )


@pytest.mark.parametrize("name", ["id", "ID", "patient_id", "customerId", "PatientID", "row id"])
def test_the_name_of_an_id_is_known(name: str, tmp_path: Path) -> None:
    numbers = [100 + row - (row == 7) for row in range(ROWS)]
    [ignored] = infer(tmp_path, numbers, name=name).schema.ignored
    assert (ignored.name, "as ids are" in ignored.reason) == (name, True)
    for other in ("paid", "AID x", "idea"):
        assert infer(tmp_path, numbers, name=other).schema.ignored == ()


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_codes_that_accept_their_texts_alone(kind: str, tmp_path: Path) -> None:
    feature = feature_of(infer(tmp_path, ["b", "1", "c", "b"] * 10, kind))
    assert (feature.kind, feature.codes) == ("nominal", ((0, "1"), (1, "b"), (2, "c")))
    assert (feature.texts_only, feature.other, feature.example) == (True, None, 1)
    assert feature_of(infer(tmp_path, ["b", "a"] * 20, kind)).kind == "binary"


@pytest.mark.parametrize("kind", KINDS)
def test_rare_texts_are_one_level_and_are_not_named(kind: str, tmp_path: Path) -> None:
    texts = (
        ["a"] * 20 + ["b"] * 11 + ["Kowalski"] * 4 + ["secret 1", "secret 2", "x" * 65, "y", "z"]
    )
    inferred = infer(tmp_path, texts, kind)
    feature = feature_of(inferred)
    assert (feature.codes, feature.other) == (((0, "a"), (1, "b"), (2, "other")), 2)
    text = as_toml(inferred.schema, inferred.notes)
    assert "Kowalski" not in text
    assert "secret" not in text
    assert "6 texts that are in fewer than 5 rows" in text


def test_a_level_of_the_name_other_is_not_there_twice(tmp_path: Path) -> None:
    feature = feature_of(infer(tmp_path, ["a"] * 20 + ["other"] * 18 + ["b", "c"]))
    assert (feature.codes, feature.other) == (((0, "a"), (1, "other")), 1)


def test_texts_that_are_all_rare_cannot_be_used(tmp_path: Path) -> None:
    assert reason_of(infer(tmp_path, [f"t{row // 2}" for row in range(ROWS)])) == (
        "No text stands in 5 rows or more."
    )
    assert reason_of(infer(tmp_path, ["other"] * 38 + ["a", "b"])) == (
        "No two texts stand in 5 rows or more."
    )


def test_the_most_frequent_texts_are_levels(tmp_path: Path) -> None:
    texts = [f"t{row % 150:03}" for row in range(150 * 6)] + ["t149"] * 6
    columns: dict[str, list[Any]] = {"c": texts, "x": [0.5, 1.5] * 453, "ill": ["no", "yes"] * 453}
    feature = feature_of(infer_schema(table_of(tmp_path, columns), "ill", "own"))
    assert len(feature.codes) == 101
    assert "t149" in dict(feature.codes).values()
    assert feature.codes[-1] == (100, "other")


DATES = [
    [f"2024-01-{1 + row % 28:02}" for row in range(ROWS)],
    [f"{1 + row % 28}.{1 + row % 12}.2024" for row in range(ROWS)],
    [f"{1 + row % 12}/{1 + row % 28}/24" for row in range(ROWS)],
    [f"2024-01-{1 + row % 28:02}T10:00:00Z" for row in range(ROWS)],
    [f"2024-01-01 10:{row:02}:00.25" for row in range(ROWS)],
]


@pytest.mark.parametrize("dates", DATES)
def test_dates_are_left_out(dates: list[str], tmp_path: Path) -> None:
    assert reason_of(infer(tmp_path, dates)).startswith("It holds dates or times.")


def test_a_decimal_comma_is_named(tmp_path: Path) -> None:
    assert reason_of(infer(tmp_path, ["1,5", "-2,25", "3", ",5"] * 10)) == (
        "Its numbers have a decimal comma. Write them with a point."
    )


@pytest.mark.parametrize("kind", ["parquet", "ndjson"])
@pytest.mark.parametrize("form", ["{}", "{}.5"])
def test_numbers_that_are_texts_are_left_out_where_files_have_types(
    kind: str, form: str, tmp_path: Path
) -> None:
    numbers = [*(form.format(row // 2) for row in range(ROWS - 2)), "NA", None]
    assert reason_of(infer(tmp_path, numbers, kind)).startswith("Its numbers are texts. Put ")
    codes = [str(row % 8) for row in range(ROWS)]
    assert feature_of(infer(tmp_path, codes, kind)).texts_only
    assert feature_of(infer(tmp_path, numbers)).kind in ("count", "continuous")


def test_dates_of_parquet_are_left_out(tmp_path: Path) -> None:
    for column in (pl.Series(DATES[0]).str.to_date(), pl.Series(DATES[4]).str.to_datetime()):
        assert "dates or times" in reason_of(infer(tmp_path, column.to_list(), "parquet"))


@pytest.mark.parametrize(
    ("kind", "column", "names"),
    [
        ("csv", ["True", "False"], ("False", "True")),
        ("csv", ["true", "false"], ("false", "true")),
        ("csv", ["TRUE", "FALSE"], ("FALSE", "TRUE")),
        ("ndjson", [True, False], ("false", "true")),
        ("parquet", [True, False], ("false", "true")),
    ],
)
def test_true_and_false_are_accepted(
    kind: str, column: list[Any], names: tuple[str, str], tmp_path: Path
) -> None:
    feature = feature_of(infer(tmp_path, column * 20, kind))
    assert (feature.kind, feature.is_boolean) == ("binary", True)
    assert feature.codes == ((0, names[0]), (1, names[1]))
    assert feature.rule.strict_read(True) == 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "column",
    [[0.5, 1.5, None, 2.5], ["a", "b", None, "a"], [1, 2, None, 3], [True, False, None, True]],
)
def test_missing_values_are_indicated_where_there_are_any(
    kind: str, column: list[Any], tmp_path: Path
) -> None:
    inferred = infer(tmp_path, column * 10, kind)
    assert feature_of(inferred).missing == "indicator"
    assert "25 % of the values are missing." in inferred.notes["c"]


def test_words_for_a_missing_value_are_declared(tmp_path: Path) -> None:
    feature = feature_of(infer(tmp_path, [0.5, 1.5, "?", "NA"] * 10))
    assert (feature.kind, feature.missing_cells) == ("continuous", ("?", "NA"))
    feature = feature_of(infer(tmp_path, ["a", "None", "?", "N/A"] * 10))
    assert [name for _, name in feature.codes] == ["None", "a"]
    assert feature.missing_cells == ("?", "N/A")


def test_a_text_that_is_repeated_among_many_numbers_means_a_missing_value(tmp_path: Path) -> None:
    column = [*(row / 8 for row in range(95)), *["unknown"] * 5]
    columns: dict[str, list[Any]] = {"c": column, "ill": ["no", "yes"] * 50}
    inferred = infer_schema(table_of(tmp_path, columns), "ill", "own")
    feature = feature_of(inferred)
    assert (feature.kind, feature.missing_cells) == ("continuous", ("unknown",))
    assert any("guessed" in note for note in inferred.notes["c"])


def test_numbers_beside_a_text_are_levels(tmp_path: Path) -> None:
    feature = feature_of(infer(tmp_path, ["0"] * 30 + ["1"] * 5 + ["3+"] * 5))
    assert [name for _, name in feature.codes] == ["0", "1", "3+"]
    assert feature.texts_only


@pytest.mark.parametrize("column", [[5] * ROWS, ["a"] * ROWS, [True] * ROWS, [None] * 39 + [2.5]])
def test_a_column_that_never_varies_is_ignored(column: list[Any], tmp_path: Path) -> None:
    for kind in KINDS:
        assert reason_of(infer(tmp_path, column, kind)) in (
            "All rows hold the same value.",
            "No text stands in 5 rows or more.",
        )


def test_a_column_without_values_is_ignored(tmp_path: Path) -> None:
    for kind in KINDS:
        assert reason_of(infer(tmp_path, [None] * ROWS, kind)) == "All values are missing."


def test_a_name_that_cannot_be_sent_is_ignored_with_the_reason(tmp_path: Path) -> None:
    inferred = infer(tmp_path, [0.5, 2.5] * 20, name="x" * 65)
    [ignored] = inferred.schema.ignored
    assert ignored.reason.startswith("It cannot be sent: a name is empty, longer than 64")
    [ignored] = infer(tmp_path, [0.5, 2.5] * 20, name="").schema.ignored
    assert ignored.name == ""


@pytest.mark.parametrize("name", ["alk.phos", "from", "hue of it", "ärm", "[x]", "#"])
def test_names_stand_as_the_file_has_them(name: str, tmp_path: Path) -> None:
    inferred = infer(tmp_path, [0.5, 2.5] * 20, name=name)
    path = tmp_path / "own.toml"
    path.write_text(as_toml(inferred.schema, inferred.notes), encoding="utf-8")
    assert TableSchema.read(path).features.names == [name, "x"]


def infer_target(folder: Path, target: Sequence[Any], kind: str = "csv") -> Inferred:
    columns = {"x": [0.5, 1.5] * 20, "ill": target}
    return infer_schema(table_of(folder, columns, kind), "ill", "own")


@pytest.mark.parametrize("kind", KINDS)
def test_the_labels_are_the_cells_of_the_target(kind: str, tmp_path: Path) -> None:
    target = infer_target(tmp_path, ["yes", "no", "no", "no"] * 10, kind).schema.target.feature
    assert target.codes == ((0, "no"), (1, "yes"))
    assert target.texts_only
    target = infer_target(tmp_path, [3, 1, 2, 1] * 10, kind).schema.target.feature
    assert (target.kind, target.codes) == ("nominal", ((1, "1"), (2, "2"), (3, "3")))
    target = infer_target(tmp_path, [0, 1] * 20, kind).schema.target.feature
    assert (target.kind, target.codes) == ("binary", ((0, "0"), (1, "1")))
    target = infer_target(tmp_path, [True, False] * 20, kind).schema.target.feature
    assert (target.is_boolean, target.codes[1][0]) == (True, 1)


@pytest.mark.parametrize(
    ("target", "positive"),
    [
        (["absence", "presence"] * 20, "presence"),
        (["Yes", "No"] * 20, "Yes"),
        (["a", "b", "b", "b"] * 10, "a"),
        (["b", "a", "a", "a"] * 10, "b"),
        ([2, 1] * 20, "2"),
    ],
)
def test_the_positive_class_is_guessed_with_a_comment(
    target: list[Any], positive: str, tmp_path: Path
) -> None:
    inferred = infer_target(tmp_path, target)
    assert inferred.schema.target.feature.codes[-1][1] == positive
    assert "positive is guessed" in inferred.notes["ill"][0]


REFUSED: dict[str, tuple[list[Any], str]] = {
    "constant": (["a"] * ROWS, "column ill: all rows are of one class"),
    "constant number": ([1] * ROWS, "column ill: all rows are of one class"),
    "continuous": (
        [row / 8 for row in range(ROWS)],
        "column ill: 40 different numbers, which look continuous; a target has classes: texts, or "
        "at most 100 whole numbers",
    ),
    "missing": (
        [*TARGET[:-1], None],
        "line 41, column ill: the label is missing; leave the row out or fill it in",
    ),
    "a word for a missing value": (
        [*TARGET[:-1], "?"],
        "line 41, column ill: the label is missing; leave the row out or fill it in",
    ),
    "no names": (["a" * 65, "b"] * 20, "column ill: a name is empty, longer than 64 characters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_target_without_classes_is_refused(case: str, tmp_path: Path) -> None:
    target, expected = REFUSED[case]
    with pytest.raises(DataError) as caught:
        infer_target(tmp_path, target)
    assert expected in str(caught.value)


def test_a_target_of_many_whole_numbers_or_texts_is_refused(tmp_path: Path) -> None:
    for target, expected in (
        ([*range(202)], "202 different numbers, which look continuous"),
        ([f"t{row}" for row in range(202)], "202 classes; a model has at most 100"),
    ):
        table = table_of(tmp_path, {"x": [0.5, 1.5] * 101, "ill": target})
        with pytest.raises(DataError, match=expected):
            infer_schema(table, "ill", "own")


def test_a_target_that_is_no_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    table = table_of(tmp_path, {"x": [0.5, 1.5], "churn": ["a", "b"]})
    with pytest.raises(
        DataError, match="column chrun: no column has the target's name; did you mean"
    ):
        infer_schema(table, "chrun", "own")
    with pytest.raises(DataError, match="known are x, churn"):
        infer_schema(table, "zzz", "own")


def test_a_table_of_ids_alone_is_refused(tmp_path: Path) -> None:
    table = table_of(tmp_path, {"id": [*range(ROWS)], "ill": TARGET})
    with pytest.raises(DataError, match="no column is left to predict from"):
        infer_schema(table, "ill", "own")


def test_texts_among_numbers_are_counted_and_listed(tmp_path: Path) -> None:
    column: list[Any] = [row / 8 for row in range(ROWS)]
    column[3], column[7] = "oops", "ouch"
    with pytest.raises(DataError) as caught:
        infer(tmp_path, column)
    assert str(caught.value).endswith(
        "line 5, column c: expected a number, as in most rows of the column"
    )
    assert caught.value.__notes__[0].startswith("2 cells cannot be used:")
    assert "oops" not in str(caught.value) + caught.value.__notes__[0]


def test_other_types_among_those_of_most_rows_are_faults(tmp_path: Path) -> None:
    for column in (["a", "b", "a", 1] + ["a"] * 36, [True, False, True, 1] + [True] * 36):
        with pytest.raises(DataError, match="line 4, column c: expected"):
            infer(tmp_path, column, "ndjson")


MIXED: dict[str, list[Any]] = {
    "id": [*range(ROWS)],
    "age": [30 + row % 17 for row in range(ROWS)],
    "alk.phos": [None if row % 9 == 0 else row / 7 for row in range(ROWS)],
    "hue": ["red" if row % 3 else "blue" for row in range(39)] + ["rare"],
    "flag": [row % 2 == 0 for row in range(ROWS)],
    "seen": [f"2024-01-{1 + row % 28:02}" for row in range(ROWS)],
    "sex": [row % 2 for row in range(ROWS)],
    "ill": TARGET,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_of_a_file_are_values_of_its_schema(kind: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, MIXED, kind)
    inferred = infer_schema(table, "ill", "own")
    path = tmp_path / "own.toml"
    path.write_text(as_toml(inferred.schema, inferred.notes), encoding="utf-8")
    schema = TableSchema.read(path)
    assert schema == inferred.schema
    dataset = dataset_of(schema, table)
    assert dataset.features.names == ["age", "alk.phos", "hue", "flag", "sex"]
    assert np.isnan(dataset.X).sum() == 5
    assert dataset.classes.tolist() == [TARGET[row] == "yes" for row in range(ROWS)]
    assert dataset.X[-1, 2] == dataset.features[2].other


CELLS = st.sampled_from([
    None, 0, 1, 2, -3, 2.5, 1e300, -0.0, 2**60, True, False, "", "a", "b", "1", "2.0", "3+", "NA",
    "?", "None", "nan", "inf", "True", "false", "other", "2024-01-01", "10:30", "1,5", " x ",
    "x" * 65, "e\u0301", 'q"', "1e400", "-9",
])  # fmt: skip


POOLS = st.lists(CELLS, min_size=1, max_size=4)
PLAIN: list[list[Any]] = [
    ["no", "yes"],
    [0, 1, 2],
    [True, False],
    [0.5, 1.5, -2.5],
    ["a", "b", "1"],
    ["1", "2", "3+"],
]
PLAIN_POOLS = st.sampled_from(PLAIN)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Return columns of few distinct cells, so that these are in more rows than one."""
    rows = draw(st.sampled_from([3, 12, 30]))
    names = draw(st.lists(st.sampled_from(["a", "b c", "id", "", "x:y", "ä"]), unique=True))
    columns = {}
    for name in [*names, "target"]:
        pools = PLAIN_POOLS if name == "target" else PLAIN_POOLS | POOLS
        pool = draw(pools if draw(st.integers(0, 9)) else POOLS)
        columns[name] = [draw(st.sampled_from(pool)) for _ in range(rows)]
    return columns


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.sampled_from(["csv", "ndjson"]))
def test_what_is_inferred_of_any_table_is_what_its_rows_are(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, list[Any]], kind: str
) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        table = table_of(folder, columns, kind)
        inferred = infer_schema(table, "target", "own")
    except DataError:
        return
    path = folder / "own.toml"
    path.write_bytes(as_toml(inferred.schema, inferred.notes).encode())
    schema = TableSchema.read(path)
    assert schema == inferred.schema
    dataset = dataset_of(schema, table)
    assert len(dataset) == len(table)
    for feature, column in zip(dataset.features, dataset.X.T, strict=True):
        assert np.isnan(column).any() <= feature.is_optional
        assert len(np.unique(column[~np.isnan(column)])) > 1
    assert {*dataset.classes.tolist()} == {*range(len(dataset.labels))}
