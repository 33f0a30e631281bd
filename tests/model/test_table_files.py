"""Files of tables: what each holds, cell by cell, and why one cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.data.sources import Cells, Table, delimited, json_lines, read_source, reading
from model.errors import DataError
from tests.examples import examples


def cells_of(cells: Cells) -> list[object]:
    """Return the cells of a column as what they are."""
    by_type = zip(cells.texts, cells.numbers, cells.booleans, strict=True)
    return [next((cell for cell in of if cell is not None), None) for of in by_type]


def read(path: Path, content: str | bytes) -> Table:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_source(path)


def columns_of(table: Table) -> dict[str, list[object]]:
    return {name: cells_of(cells) for name, cells in table.columns.items()}


def fault(path: Path, content: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        read(path, content)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert len(text.splitlines()) == 1
    return text.removeprefix(str(path))


SAME = {
    "commas": 'a,alk.phos,c d\n1,x y,\n2.5,"q,r;s",3\n',
    "semicolons": 'a;alk.phos;c d\n1;x y;\n2.5;"q,r;s";3\n',
    "tabs": 'a\talk.phos\tc d\n1\tx y\t\n2.5\t"q,r;s"\t3\n',
    "a byte order mark": '\ufeffa,alk.phos,c d\n1,x y,\n2.5,"q,r;s",3\n',
    "CR LF": 'a,alk.phos,c d\r\n1,x y,\r\n2.5,"q,r;s",3\r\n',
    "CR": 'a,alk.phos,c d\r1,x y,\r2.5,"q,r;s",3\r',
    "blanks around cells": 'a , alk.phos, c d\n 1 , x y , \n2.5, "q,r;s", 3\n',
    "a quoted header": '"a","alk.phos","c d"\n1,x y,\n2.5,"q,r;s",3\n',
}


@pytest.mark.parametrize("way", SAME)
def test_csv_is_the_same_with_whatever_separates_its_cells(way: str, tmp_path: Path) -> None:
    table = read(tmp_path / "t.csv", SAME[way])
    assert columns_of(table) == {
        "a": ["1", "2.5"],
        "alk.phos": ["x y", "q,r;s"],
        "c d": [None, "3"],
    }
    assert table.lines.tolist() == [2, 3]
    assert (table.header_line, table.reads_text) == (1, True)


def test_the_lines_are_those_of_the_file(tmp_path: Path) -> None:
    table = read(tmp_path / "t.csv", '\n\na,b\n\n1,"x\ny"\n  \n2,z\n')
    assert columns_of(table) == {"a": ["1", "2"], "b": ["x\ny", "z"]}
    assert (table.header_line, table.lines.tolist()) == (3, [6, 8])


def test_a_single_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert columns_of(read(tmp_path / "t.csv", "a\n1\n\n2\n")) == {"a": ["1", "2"]}


def test_one_column_may_have_no_name(tmp_path: Path) -> None:
    assert [*read(tmp_path / "t.csv", ",a\n1,2\n").columns] == ["", "a"]


RECORDS = [{"a": 1, "b": "1", "c": True, "d": None}, {"a": 2.5, "b": "", "c": False, "d": "x"}]


@pytest.mark.parametrize("suffix", [".ndjson", ".jsonl"])
def test_ndjson_keeps_numbers_texts_and_booleans_apart(suffix: str, tmp_path: Path) -> None:
    lines = "\n\n".join(map(json.dumps, RECORDS))
    table = read(tmp_path / f"t{suffix}", lines)
    assert columns_of(table) == {
        "a": [1.0, 2.5],
        "b": ["1", ""],
        "c": [True, False],
        "d": [None, "x"],
    }
    assert table.lines.tolist() == [1, 3]
    assert not table.reads_text


def test_a_column_of_ndjson_may_have_cells_of_several_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [None, 1, "1", True, 2**70, 10**400, -(10**400)]
    expected = [None, 1.0, "1", True, 2.0**70, float("inf"), float("-inf")]
    lines = "\n".join(json.dumps({"a": value}) for value in values)
    for rows in (1, 3, 100):
        monkeypatch.setattr(json_lines, "CHUNK_ROWS", rows)
        assert columns_of(read(tmp_path / "t.ndjson", lines)) == {"a": expected}


def test_parquet_has_typed_columns_and_rows_without_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    day = pl.Series(["2024-02-29", None]).str.to_date()
    pl.DataFrame(
        {
            "n": [1, None],
            "x": [0.5, float("nan")],
            "t": ["a", None],
            "e": pl.Series(["u", "v"], dtype=pl.Categorical),
            "b": [True, None],
            "day": day,
            "none": [None, None],
            "l": [[1], [2]],
        }
    ).write_parquet(path)
    table = read_source(path)
    assert columns_of(table) == {
        "n": [1.0, None],
        "x": [0.5, None],
        "t": ["a", None],
        "e": ["u", "v"],
        "b": [True, None],
        "day": ["2024-02-29", None],
        "none": [None, None],
        "l": [None, None],
    }
    assert table.columns["l"].problem == "contains lists, objects or bytes"
    assert str(table.fault("no", row=1, column="n")) == f"{path}, row 2, column n: no"


FAULTS: dict[str, tuple[str, str | bytes, str]] = {
    "an empty file": (".csv", "", ": the file is empty"),
    "blanks alone": (".ndjson", "\ufeff \n\n", ": the file is empty"),
    "empty Parquet": (".parquet", "", ": the file is empty"),
    "a header alone": (".csv", "a,b\n", ": the file has a header but no rows"),
    "UTF-16": (".csv", "a,b\n1,2\n".encode("utf-16"), ": the text is UTF-16, and must be UTF-8"),
    "UTF-16, big end first": (
        ".ndjson",
        b"\xfe\xff" + "{}".encode("utf-16-be"),
        ": the text is UTF-16, and must be UTF-8",
    ),
    "UTF-16 without a mark": (
        ".csv",
        "a,b\n1,2\n".encode("utf-16-le"),
        ": the text has a NUL character, as UTF-16 has, and must be UTF-8",
    ),
    "UTF-16 without a mark, big end first": (
        ".ndjson",
        '{"a": 1}'.encode("utf-16-be"),
        ": the text has a NUL character, as UTF-16 has, and must be UTF-8",
    ),
    "Latin 1": (".csv", "a,b\n1,\xe9\n".encode("latin-1"), ": not a text file in UTF-8"),
    "gzip": (".csv", b"\x1f\x8b\x08", ": the file is compressed by gzip; decompress it first"),
    "a workbook": (
        ".csv",
        b"PK\x03\x04zzz",
        ": the file is a ZIP archive or a workbook; save the table as CSV",
    ),
    "a name twice": (".csv", "a,b,a\n1,2,3\n", ", line 1, column a: is given twice"),
    "no name twice": (".csv", ",b,\n1,2,3\n", ", line 1: two columns without a name"),
    "no header": (
        ".csv",
        "5,0.5,5\n6,0.5,7\n",
        ", line 1: a CSV file needs a header; the first line contains a number twice",
    ),
    "too few": (".csv", "a,b\n1,2\n1\n", ", line 3: expected 2 values (a, b), found 1"),
    "too many": (".csv", "a;b\n1;2;3\n", ", line 2: expected 2 values (a, b), found 3"),
    "a quote that is open to the end": (
        ".csv",
        'a,b\n1,2\n\n3,"4\n5,6\n7,8\n',
        ", line 4: not CSV: unexpected end of data",
    ),
    "an open quote": (".csv", 'a,b\n1,"2\n', ", line 2: not CSV: unexpected end of data"),
    "not JSON": (".ndjson", '{"a": 1}\n{"a": 1\n', ", line 2: not JSON"),
    "NaN": (".ndjson", '{"a": NaN}\n', ", line 1: not JSON"),
    "deep": (".ndjson", '{"a": ' + "[" * 100_000 + "\n", ", line 1: not JSON"),
    "an array": (
        ".ndjson",
        "[1, 2]\n",
        ", line 1: not a JSON object with a value for each column",
    ),
    "a key twice": (
        ".ndjson",
        '{"a": 1, "a": 2}\n',
        ", line 1, column a: is given twice",
    ),
    "a key that is missing": (
        ".ndjson",
        '{"a": 1, "b": 2}\n{"a": 1}\n',
        ", line 2, column b: is missing; a missing value is written as null",
    ),
    "another key": (
        ".ndjson",
        '{"a": 1}\n{"a": 1, "c\\n": 2}\n',
        ", line 2, column 'c\\n': unknown column; the first line does not have it",
    ),
    "not Parquet": (".parquet", "a,b\n1,2\n", ": cannot be read as Parquet"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    suffix, content, expected = FAULTS[case]
    assert fault(tmp_path / f"t{suffix}", content) == expected


def test_parquet_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)}).write_parquet(path)
    with pytest.raises(DataError, match="the file has columns but no rows"):
        read_source(path)


def test_parquet_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [*range(1000)]}).write_parquet(path)
    content = path.read_bytes()
    for length in (8, len(content) // 2, len(content) - 1):
        assert fault(path, content[:length]) == ": cannot be read as Parquet"


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\0\ufeff"), max_size=8)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


@given(
    st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8),
    st.sampled_from(",;\t"),
    st.integers(1, 4),
)
def test_every_cell_of_csv_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    delimiter: str,
    chunk: int,
) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    lines = [delimiter.join(map(quoted, row)) for row in [("a", "b"), *rows]]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delimited, "CHUNK_ROWS", chunk)
        table = read(path, "\n".join(lines))
    stripped = pl.DataFrame(rows, ["a", "b"], orient="row").with_columns(pl.all().str.strip_chars())
    expected = stripped.with_columns(pl.all().replace("", None))
    assert columns_of(table) == expected.to_dict(as_series=False)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.csv"):
        with pytest.raises(DataError):
            read_source(path)


def test_any_name_of_a_column_of_parquet_is_one(tmp_path: Path) -> None:
    names = ["*", "^a.*$", "a:b", "", 'say "x"']
    path = tmp_path / "rows.parquet"
    pl.DataFrame({name: [1.5, float("nan")] for name in names}).write_parquet(path)
    columns = read_source(path).columns
    assert [*columns] == names
    assert [cells.numbers.to_list() for cells in columns.values()] == [[1.5, None]] * len(names)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
PAIRS = st.lists(st.tuples(st.text(max_size=3), JSON), max_size=4)


@given(PAIRS, st.booleans(), st.text(st.sampled_from('{}[]":,\\01eNu \ufeff'), max_size=2))
@settings(max_examples=examples(300), derandomize=True, deadline=None, database=None)
def test_the_quick_reader_of_a_line_reads_what_the_careful_one_does(
    pairs: list[tuple[str, Any]], escapes: bool, broken: str
) -> None:
    parts = (json.dumps(part, ensure_ascii=escapes) for pair in pairs for part in pair)
    members = (f"{name}: {value}" for name, value in zip(parts, parts, strict=True))
    line = f"{{{', '.join(members)}{broken}}}"
    quick = json_lines.quick_record(line)
    if quick is not None:
        careful = json_lines.careful_record(line)
        assert repr(quick) == repr(careful)


def test_a_file_that_memory_cannot_hold_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a\n1\n")
    monkeypatch.setattr(reading, "usable_memory", lambda: 2**30)
    os.truncate(path, 2**28)
    assert path.stat().st_size == 2**28
    monkeypatch.setattr(reading, "read_regular", lambda _: b"a\n1\n")
    assert len(read_source(path)) == 1
    os.truncate(path, 2**28 + 1)
    monkeypatch.delattr(reading, "read_regular")
    expected = "0.3 GiB; the limit is a quarter of the memory that may be used, 1.0 GiB: leave out"
    with pytest.raises(DataError, match=expected):
        read_source(path)
