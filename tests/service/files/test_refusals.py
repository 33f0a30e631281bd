"""What is refused of a file, in the words of POST /predict and without a value in an error."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from model.errors import DataError
from model.inference.predictor import Predictor
from service.files.formats.reading import BATCH_ROWS
from service.files.formats.records import RecordScorer
from service.files.formats.tables import TableScorer
from service.files.score_file import Tally, score_file
from tests.service.files.samples import read, reasons, write
from tests.service.samples import FEATURES, example, raw

VALUES: list[Any] = [
    None, True, "54", "", "often", math.nan, math.inf, -1, 2.5, 3.5, 7, 1e9, 2**60,
]  # fmt: skip
CASES = [(name, value) for name in FEATURES.names for value in VALUES]


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_bad_value_has_the_fault_that_post_predict_finds(
    predictor: Predictor, name: str, value: Any
) -> None:
    record = example(**{name: value})
    due = reasons(predictor, record)
    _, refused = TableScorer(predictor).score(pl.DataFrame([record]))
    assert refused["reasons"].to_list() == ([due] if due else [])


def test_all_faults_of_a_row_are_reported_and_good_rows_are_scored(
    predictor: Predictor, tmp_path: Path
) -> None:
    bad = example(age=5.4, exercise_induced_angina=None, num_of_major_vessels=1.5)
    rows = [
        {"id": name, **row} for name, row in zip("abc", [example(), bad, example()], strict=True)
    ]
    for suffix in (".csv", ".ndjson", ".parquet"):
        source = write(tmp_path / f"rows{suffix}", rows)
        tally = score_file(predictor, source, tmp_path / "answers.csv")
        assert tally == Tally(scored=2, rejected=1)
        assert [row["id"] for row in read(tmp_path / "answers.csv")] == ["a", "c"]
        (refused,) = read(tmp_path / f"answers.rejected{suffix}")
        assert int(refused["row"]) == 2
        assert refused["reasons"] == reasons(predictor, bad)
        assert "5.4" in str(refused)


def test_what_an_earlier_run_refused_is_gone(predictor: Predictor, tmp_path: Path) -> None:
    source, answers = tmp_path / "rows.csv", tmp_path / "answers.csv"
    score_file(predictor, write(source, [example(age=5)]), answers)
    assert (tmp_path / "answers.rejected.csv").exists()
    score_file(predictor, write(source, [example()]), answers)
    assert not (tmp_path / "answers.rejected.csv").exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nan", "not_finite"),
        ("1e999", "not_finite"),
        ("1_0", "not_a_number"),
        ("fifty", "not_a_number"),
        ("", "null"),
        ('""', "null"),
        ("  ", "null"),
    ],
)
def test_a_text_that_is_no_number_is_refused(
    predictor: Predictor, tmp_path: Path, text: str, fault: str
) -> None:
    names, values = zip(*example().items(), strict=True)
    source = tmp_path / "rows.csv"
    source.write_text(f"{','.join(names)}\n{','.join(map(str, (text, *values[1:])))}\n")
    assert score_file(predictor, source, tmp_path / "answers.csv") == Tally(rejected=1)
    (refused,) = read(tmp_path / "answers.rejected.csv")
    assert refused["reasons"].endswith(f"({fault})")


@pytest.mark.parametrize(
    ("cells", "reported"), [(12, "fewer values than columns"), (14, "more values than columns")]
)
def test_a_row_of_another_length_is_refused(
    predictor: Predictor, tmp_path: Path, cells: int, reported: str
) -> None:
    names, values = zip(*example().items(), strict=True)
    bad = [*map(str, values), "1"][:cells]
    lines = [names, map(str, values), bad, map(str, values)]
    source = tmp_path / "rows.csv"
    source.write_text("".join(f"{','.join(line)}\n" for line in lines))
    assert score_file(predictor, source, tmp_path / "answers.csv") == Tally(2, 1)
    (refused,) = read(tmp_path / "answers.rejected.csv")
    assert (refused["row"], reported in refused["reasons"]) == ("2", True)


@pytest.mark.parametrize(
    "line",
    [
        raw({"age": "NaN"}),
        raw({"sex": "null", "thal": "99"}),
        raw({}, example(colour=1)),
        raw({})[:-1] + ', "cp": 3}',
        raw({})[:-1] + ', "id": "a", "id": "b"}',
        "[]",
        "{",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_a_bad_line_has_the_faults_that_post_predict_finds(predictor: Predictor, line: str) -> None:
    _, refused = RecordScorer(predictor).score([(7, line.encode("latin-1"))])
    assert refused["row"].to_list() == [7]
    assert refused["reasons"].item()
    assert refused["record"].item().startswith(line[:1] if line.isascii() else "\ufffd")


GOOD = ",".join(map(str, example().values()))
HEAD = ",".join(FEATURES.names)
MARK = "735.1937"


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (b"", "the file is empty"),
        (f"{GOOD}\n{MARK}\n".encode(), "no known column; the columns of the model are age, sex, "),
        (HEAD.replace("age", "aeg").encode(), "did you mean age?"),
        (f"{HEAD},cp\n".encode(), "cp: chest_pain is given twice. (duplicate_field)"),
        (f"{HEAD},age\n".encode(), "age: age is given twice. (duplicate_field)"),
        (HEAD.removesuffix(",thal").encode(), "thal: Missing; expected 3 (normal), 6 "),
        (f"{HEAD},row\n".encode(), "column 14: Unknown field; "),
        (f",{HEAD}\n".encode(), "column 1: Unknown field; remove it. (unknown_field)"),
        (f"{HEAD}\f{MARK},1\n".encode(), "column 13: Unknown field; remove it."),
        (f"{HEAD}\x85{MARK},1\n".encode(), "column 13: Unknown field; remove it."),
        (f"{HEAD}\0{MARK}\n".encode(), "column 13: Unknown field; "),
        (f'{HEAD},"{MARK}\n'.encode(), "the header has a quotation mark that does not enclose"),
        (f'"{HEAD}\n{MARK}\n'.encode(), "the header has a quotation mark that does not enclose"),
        (f"{HEAD},{MARK}".encode() + b"\xff\n", "the header is not UTF-8"),
        (b"\n \r\n\t\r\n", "the file is empty"),
        (f"{HEAD}\n{MARK}\n".encode("utf-16"), "the text is UTF-16, and must be UTF-8"),
        (f"{HEAD}\n{MARK}\n".encode("utf-16-le"), "no known column"),
        (gzip.compress(f"{HEAD}\n{MARK}\n".encode()), "the file is compressed by gzip"),
        (
            f"{HEAD}\n{MARK},".encode() + b" " * 2**20,
            f"the line that begins at byte {len(HEAD) + 1} is longer",
        ),
        (b" " * 2**21, "the line that begins at byte 0 is longer than 1048576 bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole_and_not_quoted(
    predictor: Predictor, tmp_path: Path, content: bytes, reported: str
) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        score_file(predictor, tmp_path / "rows.csv", tmp_path / "answers.csv")
    assert reported in str(caught.value)
    assert MARK not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize(
    ("source", "target", "reported"),
    [
        ("none.csv", "answers.csv", "none.csv: No such file or directory"),
        ("rows.txt", "answers.csv", "the name must end in one of .csv, .ndjson, "),
        ("rows.csv", "answers.xlsx", "the name must end in one of .csv, .ndjson, "),
        ("rows.csv", "rows.csv", "the results would replace an input file"),
        ("rows.csv", "none/answers.csv", "answers.csv: No such file or directory"),
        ("half.parquet", "answers.csv", "half.parquet: cannot be read as parquet"),
        ("long.ndjson", "answers.csv", "long.ndjson: the line that begins at byte 0 is longer"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    predictor: Predictor, tmp_path: Path, source: str, target: str, reported: str
) -> None:
    write(tmp_path / "rows.csv", [example()])
    whole = write(tmp_path / "half.parquet", [example()] * 100)
    whole.write_bytes(whole.read_bytes()[:-100])
    (tmp_path / "long.ndjson").write_bytes(b"7" * 2_000_000)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError) as caught:
        score_file(predictor, tmp_path / source, tmp_path / target)
    assert reported in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
def test_a_file_without_rows_has_answers_without_rows(
    predictor: Predictor, tmp_path: Path, suffix: str
) -> None:
    source = tmp_path / f"rows{suffix}"
    if suffix == ".parquet":
        pl.DataFrame([example()]).clear().write_parquet(source)
    else:
        source.write_text(f"{HEAD}\n" if suffix == ".csv" else "\n")
    assert score_file(predictor, source, tmp_path / "answers.csv") == Tally()
    assert (tmp_path / "answers.csv").read_text().startswith("row,")


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["often", "", "5", "male"])
@pytest.mark.parametrize("at", [0, BATCH_ROWS - 1, BATCH_ROWS, 2 * BATCH_ROWS + 10])
def test_a_bad_row_anywhere_changes_no_other_and_is_kept_as_it_came(
    predictor: Predictor, tmp_path: Path, at: int, cell: str
) -> None:
    names, values = zip(*example(age="4e1").items(), strict=True)
    rows = [list(map(str, values))] * (2 * BATCH_ROWS + 20)
    rows[at] = [cell, *rows[at][1:]]
    lines = [",".join(["id", *names])]
    for number, row in enumerate(rows):
        name = f'"{number}, and so on"' if number % 1000 == 0 else f"{number}"
        lines.append(",".join([name, *row]))
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    tally = score_file(predictor, tmp_path / "rows.csv", tmp_path / "answers.parquet")
    assert tally == Tally(len(rows) - 1, 1)
    answers = pl.read_parquet(tmp_path / "answers.parquet")
    numbers = [number for number in range(len(rows)) if number != at]
    assert answers["row"].to_list() == [number + 1 for number in numbers]
    ids = answers["id"].str.strip_suffix(", and so on").cast(pl.Int64)
    assert ids.to_list() == numbers
    assert answers["probability"].n_unique() == 1
    (refused,) = read(tmp_path / "answers.rejected.csv")
    assert int(refused["row"]) == at + 1
    assert list(refused.values())[2:-1] == [cell or None, *map(str, values[1:])]


def test_names_of_codes_may_begin_anywhere(predictor: Predictor, tmp_path: Path) -> None:
    rows = [example()] * (BATCH_ROWS + 5) + [example(sex="male", age=" 60")] * 5
    source = write(tmp_path / "rows.csv", rows)
    tally = score_file(predictor, source, tmp_path / "answers.parquet")
    assert tally == Tally(len(rows))
    assert pl.read_parquet(tmp_path / "answers.parquet")["row"].to_list() == list(
        range(1, len(rows) + 1)
    )


SPELLINGS = """5|5.5| 5|5 |+5|+ 5|5_0|0x5|5.|.5|5e0|5E+0|5,5|"5"|" 5"|5abc|5 4|5e|5e+|5d0|5f|0b1|5%|
1/2|00005|5e-400|0.50000000000000000000000000001|0.1e1|5..2|5.2.3|5-|-0|-0.0|5;|(5)|"5""4"|true|NA"""


@pytest.mark.parametrize("spelling", SPELLINGS.replace("\n", "").split("|"))
def test_a_spelling_is_read_the_same_among_numbers_and_among_texts(
    predictor: Predictor, tmp_path: Path, spelling: str
) -> None:
    names, values = zip(*example().items(), strict=True)
    row = ",".join(
        spelling if name == "oldpeak" else str(values[at]) for at, name in enumerate(names)
    )
    reported = []
    for before in ([], [",".join(["male", *map(str, values[1:])])]):
        (tmp_path / "rows.csv").write_text("\n".join([",".join(names), *before, row]))
        score_file(predictor, tmp_path / "rows.csv", tmp_path / "answers.parquet")
        reported.append(pl.read_parquet(tmp_path / "answers.parquet")["probability"].to_list())
    assert reported[0] == reported[1]
