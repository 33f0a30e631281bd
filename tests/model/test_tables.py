"""Tables: every way to write one that is read, and every fault named by its place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.data.heart import HEART_FEATURES, HEART_FILE, HEART_TARGET, load_heart
from model.errors import DataError

COLUMNS = [*HEART_FEATURES, HEART_TARGET]
NAMES = [column.name for column in COLUMNS]
HEADER = ",".join(NAMES)
ROWS = [",".join(line.split()) for line in HEART_FILE.read_text("ascii").splitlines()]
SOURCE_NAMES = HEADER.replace("serum_cholesterol", "serum_cholestoral").replace(
    "slope_of_the_peak", "slope of the peak"
)
SHORT_NAMES = (
    "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,heart disease"
)
SEX = "expected 0 (female) or 1 (male)"
AGE = "expected a number from 18 to 110 (years)"


def csv(rows: list[str], header: str = HEADER, end: str = "\n") -> str:
    return end.join([header, *rows]) + end


def each_cell(change: Callable[[str], str]) -> list[str]:
    return [",".join(map(change, row.split(","))) for row in ROWS]


def by_name() -> list[str]:
    def named(column: int, cell: str) -> str:
        names: dict[int, str] = dict(COLUMNS[column].codes)
        return names.get(int(float(cell)), cell)

    return [",".join(named(i, cell) for i, cell in enumerate(row.split(","))) for row in ROWS]


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "own.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault(tmp_path: Path, content: str | bytes) -> str:
    """Return what is said of the file after its path: one line."""
    path = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        load_heart(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert len(text.splitlines()) == 1
    return text.removeprefix(str(path))


def with_cell(column: str, value: str) -> str:
    """Return a table of three rows, the value in the second of them: line 3."""
    cells = ROWS[1].split(",")
    cells[NAMES.index(column)] = value
    return csv([ROWS[0], ",".join(cells), ROWS[2]])


def test_the_public_set_is_the_one_of_its_provenance() -> None:
    dataset = load_heart()
    assert dataset.frame.shape == (270, 14)
    assert dataset.frame[HEART_TARGET.name].value_counts().to_dict() == {1.0: 150, 2.0: 120}
    assert (dataset.X.shape, dataset.classes.shape, dataset.classes.sum()) == (
        (270, 13),
        (270,),
        120,
    )
    expected = "f5f3b4204c285bafadd85cb735f38b47689f2be7047feb172dcbeab648110bf9"
    assert (
        dataset.about()["sha256"] == hashlib.sha256(HEART_FILE.read_bytes()).hexdigest() == expected
    )
    assert dataset.labels == ("absence", "presence")
    np.testing.assert_array_equal(
        np.column_stack([dataset.X, dataset.classes + 1]), np.loadtxt(HEART_FILE)
    )


BACKWARDS = [",".join(reversed(row.split(","))) for row in ROWS]
WRITTEN: dict[str, str] = {
    "own names": csv(ROWS),
    "the source's names": csv(ROWS, SOURCE_NAMES),
    "short names": csv(ROWS, SHORT_NAMES),
    "quoted header": csv(ROWS, ",".join(f'"{name}"' for name in NAMES)),
    "quoted cells": csv(each_cell(lambda cell: f'"{cell}"')),
    "other order": csv(BACKWARDS, ",".join(reversed(NAMES))),
    "names of codes": csv(by_name()),
    "a byte order mark": "\ufeff" + csv(ROWS),
    "CRLF": csv(ROWS, end="\r\n"),
    "CR": csv(ROWS, end="\r"),
    "blank lines": "\n\n" + csv(ROWS, end="\n\n  \n") + "\n\n",
    "no last line end": csv(ROWS).rstrip(),
    "spaces around": csv(each_cell(lambda cell: f" {cell}  "), HEADER.replace(",", " , ")),
    "tabs around": csv(each_cell(lambda cell: f"{cell}\t")),
    "whole numbers": csv(each_cell(lambda cell: cell.removesuffix(".0"))),
    "exponents": csv(each_cell(lambda cell: f"{float(cell):e}")),
    "spaces": "\n".join(ROWS).replace(",", " "),
    "tabs": "\n".join(ROWS).replace(",", "\t"),
    "aligned": "\n".join(f"  {row}  " for row in ROWS).replace(",", "    "),
    "spaces, BOM, CRLF, blanks": "\ufeff\r\n" + "\r\n\r\n".join(ROWS).replace(",", " "),
}  # fmt: skip


@pytest.mark.parametrize("way", WRITTEN)
def test_the_public_set_is_the_same_in_whatever_way_it_is_written(way: str, tmp_path: Path) -> None:
    read = load_heart(write(tmp_path, WRITTEN[way]))
    expected = load_heart().frame
    pd.testing.assert_frame_equal(
        read.frame.reset_index(drop=True), expected.reset_index(drop=True)
    )
    assert read.X.dtype == np.dtype("f8")


@pytest.mark.parametrize(
    "value",
    ["17.99", "110.01", "-54", "54 years", "5 4", "1e400", "inf", "-inf", "Infinity", "True",
     "false", "0x36", "1_0", "54;", "\uff15\uff14", "--54", "NaN0", "1e-400", "sixty\u0000"],
)  # fmt: skip
def test_an_impossible_value_is_reported_by_its_place_and_not_repeated(
    value: str, tmp_path: Path
) -> None:
    text = fault(tmp_path, with_cell("age", value))
    assert text == f", line 3, column age: not a value of this column; {AGE}"


@pytest.mark.parametrize("value", ["", " ", "?", "NA", "N/A", "nan", "NaN", "null", "None"])
def test_a_missing_value_is_called_missing(value: str, tmp_path: Path) -> None:
    text = fault(tmp_path, with_cell("sex", value))
    assert text == f", line 3, column sex: a value is missing; {SEX}"


@pytest.mark.parametrize("value", ["2", "-1", "0.5", "1.0000001", "Male", "males", "diverse"])
def test_an_unknown_code_is_reported_with_those_that_there_are(value: str, tmp_path: Path) -> None:
    text = fault(tmp_path, with_cell("sex", value))
    assert text == f", line 3, column sex: not a value of this column; {SEX}"


@pytest.mark.parametrize("column", NAMES)
@pytest.mark.parametrize("value", ["987654", "-987654", "zyx987654"])
def test_no_fault_of_any_column_repeats_the_value(column: str, value: str, tmp_path: Path) -> None:
    text = fault(tmp_path, with_cell(column, value))
    assert text.startswith(f", line 3, column {column}: not a value of this column; expected ")
    assert "987654" not in text


def test_a_missing_value_in_the_file_without_commas_is_reported_too(tmp_path: Path) -> None:
    lines = [row.replace(",", " ") for row in ROWS[:3]]
    lines[1] = lines[1].replace("115.0", "?")
    text = fault(tmp_path, "\n".join(lines))
    assert text.startswith(", line 2, column resting_blood_pressure: a value is missing; ")


SPACED = [row.replace(",", " ") for row in ROWS[:3]]
MANY = f"expected 14 values ({', '.join(column.name for column in COLUMNS)}), found"
WIDTHS = {
    "too few": (f"{SPACED[0]}\n{SPACED[1][:-2]}", f", line 2: {MANY} 13"),
    "one alone": (f"{SPACED[0]}\n67.0", f", line 2: {MANY} 1"),
    "one too many": (f"{SPACED[0]}\n{SPACED[1]} 1", f", line 2: {MANY} 15"),
    "many": (f"{SPACED[0]}\n{SPACED[1]} 1 2 3", f", line 2: {MANY} 17"),
    "too few, first": (SPACED[0][:-2], f", line 1: {MANY} 13"),
    "CSV, too few": (
        csv([ROWS[0], ROWS[1][:-2]]),
        f", line 3: {MANY} 13",
    ),
    "CSV, one too many": (
        csv([ROWS[0], ROWS[1] + ",9"]),
        f", line 3: {MANY} 15",
    ),
    "CSV, many": (csv([ROWS[0], ROWS[1] + ",9,9,9"]), f", line 3: {MANY} 17"),
    "CSV, a thousand": (csv([ROWS[0], ROWS[1] + "," * 1000]), f", line 3: {MANY} 1014"),
    "after blank lines": (f"\n\n{SPACED[0]}\n\n{SPACED[1]} 1 2", f", line 5: {MANY} 16"),
}


@pytest.mark.parametrize("case", WIDTHS)
def test_a_line_with_another_number_of_values_is_reported_by_its_number(
    case: str, tmp_path: Path
) -> None:
    content, expected = WIDTHS[case]
    assert fault(tmp_path, content) == expected


@pytest.mark.parametrize("more", ["1", "1 2", "1 2 3 4 5 6"])
def test_a_first_line_that_is_too_long_is_reported(more: str, tmp_path: Path) -> None:
    text = fault(tmp_path, f"{SPACED[0]} {more}\n{SPACED[1]}")
    assert text.startswith(f", line 1: {MANY} ")


@pytest.mark.parametrize("more", [",x", ",x,y", ",,x", ",x,y,z,,"])
def test_a_header_that_is_too_long_is_reported(more: str, tmp_path: Path) -> None:
    text = fault(tmp_path, csv([row + more for row in ROWS[:2]], HEADER + more))
    assert re.match(r", line [12][:,]", text)


def renamed(old: str, new: str) -> str:
    return csv(ROWS, HEADER.replace(old, new))


HEADERS = {
    "none": (
        "\n".join(ROWS),
        ", line 1: no known column; a CSV file needs a header, with the columns age, sex, "
        "chest_pain, resting_blood_pressure, serum_cholesterol, fasting_blood_sugar, "
        "resting_ecg_results, max_heart_rate_achieved, exercise_induced_angina, oldpeak, "
        "slope_of_the_peak, num_of_major_vessels, thal, heart_disease",
    ),
    "typing error": (
        renamed("thal", "thall"),
        ", line 1, column 'thall': unknown column; did you mean thal?",
    ),
    "capitals": (
        renamed("age", "Age"),
        ", line 1, column 'Age': unknown column; did you mean age?",
    ),
    "nothing but capitals": (
        renamed("age", "AGE"),
        ", line 1, column 'AGE': unknown column; did you mean age?",
    ),
    "nearly another name": (
        renamed("age", "trestbp"),
        ", line 1, column 'trestbp': unknown column; did you mean resting_blood_pressure?",
    ),
    "missing": (renamed("sex,", ""), ", line 1, column sex: is missing"),
    "an empty name": (renamed("sex,", ","), ", line 1: a column without a name"),
    "twice": (renamed("sex", "age"), ", line 1, column age: is given twice"),
    "twice by alias": (renamed("thal", "cp"), ", line 1, column chest_pain: is given twice"),
    "after blank lines": ("\n\n" + renamed("sex,", ""), ", line 3, column sex: is missing"),
    "header only": (HEADER, ": the file has a header but no rows"),
    "header and blanks": (HEADER + "\n\n  \n", ": the file has a header but no rows"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_faulty_header_is_reported(case: str, tmp_path: Path) -> None:
    content, expected = HEADERS[case]
    assert fault(tmp_path, content) == expected


def test_a_name_like_no_other_is_reported_with_those_that_there_are(tmp_path: Path) -> None:
    text = fault(tmp_path, csv(ROWS, HEADER.replace("thal", "q" * 500)))
    assert text.startswith(
        f", line 1, column '{'q' * 40}': unknown column; the columns are age, sex, "
    )
    assert "q" * 41 not in text


@pytest.mark.parametrize("content", ["", "\n", " \n\t\n \r\n", "\ufeff", "\ufeff\n"])
def test_an_empty_file_is_called_empty(content: str, tmp_path: Path) -> None:
    assert fault(tmp_path, content) == ": the file is empty"


@pytest.mark.parametrize("content", [",", ",,,\n,,,\n", "," * 13, '""', '"",""', '""\n""'])
def test_a_file_of_nothing_but_separators_is_reported(content: str, tmp_path: Path) -> None:
    fault(tmp_path, content)


def test_a_row_of_nothing_but_commas_is_reported_and_not_left_out(tmp_path: Path) -> None:
    text = fault(tmp_path, csv([ROWS[0], "," * 13, ROWS[1]]))
    assert text == f", line 3, column age: a value is missing; {AGE}"


@pytest.mark.parametrize("rows", [['"' + ROWS[0], ROWS[1]], [ROWS[0], ROWS[1] + '"']])
def test_a_quote_that_is_never_closed_is_not_called_too_many_values(
    rows: list[str], tmp_path: Path
) -> None:
    assert "too many values" not in fault(tmp_path, csv(rows))


def test_a_line_end_within_quotes_shifts_no_line_number(tmp_path: Path) -> None:
    first = ROWS[0].replace("70.0", '"70.0\n"')
    text = fault(tmp_path, csv([first, ROWS[1].replace("67.0", "old")]))
    assert text.startswith((", line 2", ", line 4, column age"))


@pytest.mark.parametrize(
    "content",
    [csv(ROWS).encode() + b"\xff", b"\x80\x04\x95", b"\x89PNG\r\n"],
)
def test_what_is_not_utf_8_is_reported(content: bytes, tmp_path: Path) -> None:
    assert fault(tmp_path, content) == ": not a text file in UTF-8"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_named(encoding: str, tmp_path: Path) -> None:
    content = ("\ufeff" + csv(ROWS)).encode(encoding)
    assert fault(tmp_path, content) == ": the text is UTF-16, and must be UTF-8"


@pytest.mark.parametrize(
    "content",
    [b"\x00", b"\x00" * 5000, csv(ROWS).replace("70.0", "7\x000").encode(),
     "\n".join(SPACED).replace("70.0", "70.0\x00").encode(), csv(ROWS).encode("utf-16-le")],
)  # fmt: skip
def test_nul_bytes_are_reported(content: bytes, tmp_path: Path) -> None:
    fault(tmp_path, content)


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path, "not a regular file"),
        (tmp_path / "missing.csv", "No such file or directory"),
        (tmp_path / ("n" * 300), "File name too long"),
    ]:
        with pytest.raises(DataError) as caught:
            load_heart(path)
        assert str(caught.value) == f"{path}: {reason}"


def test_the_index_is_the_line_of_the_file(tmp_path: Path) -> None:
    frame = load_heart(write(tmp_path, "\n" + csv([ROWS[0], "", ROWS[1]]))).frame
    assert frame.index.tolist() == [3, 5]
