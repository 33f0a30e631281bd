"""A row of a text file is a line, however it ends, and each is answered or rejected."""

from __future__ import annotations

import io
import json
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import DataError
from model.inference.predictor import Predictor
from service.files.formats.blocks import BLOCK_BYTES, PIECE_LINES, RowCounter, TextBlocks, pieces
from service.files.formats.cells import (
    BAD_QUOTES,
    NOT_UTF8,
    TOO_FEW,
    TOO_MANY,
    CellReader,
    split_line,
)
from service.files.formats.csv_files import CsvScorer
from service.files.formats.records import BATCH_LINES, RecordScorer
from service.files.formats.tables import TableScorer
from service.files.score_file import Tally, score_file
from tests.examples import examples
from tests.service.files.damaged import cells_of
from tests.service.files.samples import answered, read, write
from tests.service.samples import FEATURES, example

HEAD = ",".join(FEATURES.names)
GOOD = ",".join(map(str, example().values()))
RECORD = json.dumps(example())
MANY = settings(max_examples=examples(300), derandomize=True, deadline=None, database=None)


def scored(predictor: Predictor, folder: Path, content: bytes, suffix: str = ".csv") -> Tally:
    source = folder / f"rows{suffix}"
    source.write_bytes(content)
    return score_file(predictor, source, folder / "answers.csv")


def test_a_stray_quotation_mark_spoils_its_own_row_alone(
    predictor: Predictor, tmp_path: Path
) -> None:
    good = f"{GOOD}\n".encode() * 100_000
    assert scored(predictor, tmp_path, f'{HEAD}\n"{GOOD}\n'.encode() + good) == Tally(100_000, 1)
    (rejected,) = read(tmp_path / "answers.rejected.csv")
    assert (rejected["row"], rejected["reasons"]) == ("1", BAD_QUOTES)


@pytest.mark.parametrize("last", [b'"', b'"\n', b'""', b'"""', b',"', b'"\r\n'])
def test_a_last_line_of_quotation_marks_is_rejected(
    predictor: Predictor, tmp_path: Path, last: bytes
) -> None:
    content = f"{HEAD}\n".encode() + f"{GOOD}\n".encode() * 1000 + last
    assert scored(predictor, tmp_path, content) == Tally(1000, 1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f'"{GOOD}', BAD_QUOTES),
        (f'{GOOD}"', BAD_QUOTES),
        (f' "{GOOD[:2]}"{GOOD[2:]}', BAD_QUOTES),
        (f'"{GOOD[:2]}" {GOOD[2:]}', BAD_QUOTES),
        (f"{GOOD},1", TOO_MANY),
        (f"{GOOD},", TOO_MANY),
        (GOOD.rpartition(",")[0], TOO_FEW),
        ("1", TOO_FEW),
        (f'"{GOOD}"', TOO_FEW),
        ("\x00", TOO_FEW),
    ],
)
def test_a_line_that_is_no_row_is_rejected_with_its_reason(
    predictor: Predictor, tmp_path: Path, line: str, reason: str
) -> None:
    assert scored(predictor, tmp_path, f"{HEAD}\n{GOOD}\n{line}\n{GOOD}".encode()) == Tally(2, 1)
    (rejected,) = read(tmp_path / "answers.rejected.csv")
    assert (rejected["row"], rejected["reasons"]) == ("2", reason)


def test_a_line_that_is_not_utf8_is_rejected(predictor: Predictor, tmp_path: Path) -> None:
    lines = [f"id,{HEAD}".encode(), f"\u00e4,{GOOD}".encode(), f"\u00e4,{GOOD}".encode("latin-1")]
    assert scored(predictor, tmp_path, b"\n".join(lines)) == Tally(1, 1)
    (rejected,) = read(tmp_path / "answers.rejected.csv")
    assert (rejected["id"], rejected["reasons"]) == ("\ufffd", NOT_UTF8)
    assert read(tmp_path / "answers.csv")[0]["id"] == "\u00e4"


ENDS = ["\n", "\r\n", "\r"]


@pytest.mark.parametrize("suffix", [".csv", ".ndjson"])
@pytest.mark.parametrize("last", ["", *ENDS, "\n\n \t\n"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_line_ends_in_any_way(
    predictor: Predictor, tmp_path: Path, mark: str, end: str, last: str, suffix: str
) -> None:
    lines = [HEAD, GOOD, GOOD, GOOD] if suffix == ".csv" else [RECORD, RECORD, RECORD]
    content = f"{mark}{end.join(lines)}{last}"
    assert scored(predictor, tmp_path, content.encode(), suffix) == Tally(3)
    assert [row["row"] for row in read(tmp_path / "answers.csv")] == ["1", "2", "3"]


@pytest.mark.parametrize("line", [f'"a\nb",{GOOD}', f"a\rb,{GOOD}"])
def test_a_value_goes_over_no_line_end(predictor: Predictor, tmp_path: Path, line: str) -> None:
    assert scored(predictor, tmp_path, f"id,{HEAD}\n{line}\nc,{GOOD}\n".encode())
    assert [row["id"] for row in read(tmp_path / "answers.csv")][-1] == "c"
    assert read(tmp_path / "answers.rejected.csv")[0]["row"] == "1"


@pytest.mark.parametrize("own", ["p1 ", " p1", "0.10", "1e400", "007", "\ufeffp", "x\x01", "\x00"])
def test_an_id_of_csv_is_the_text_of_its_cell(
    predictor: Predictor, tmp_path: Path, own: str
) -> None:
    for company in ("", f'"q",{GOOD}\n', f"r,male{GOOD}\n"):
        scored(predictor, tmp_path, f"id,{HEAD}\n{own},{GOOD}\n{company}".encode())
        assert read(tmp_path / "answers.csv")[0]["id"] == own


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ("7", "7"),
        ("-0", "-0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ('"p1 "', "p1 "),
        ('"7"', "7"),
        ('"a:b"', "a:b"),
        ('"\\u003a"', ":"),
        ('"\u00e4"', "\u00e4"),
        ('"a\\r\\n\\"b"', 'a\r\n"b'),
    ],
)
def test_an_id_of_ndjson_comes_back_as_it_was_sent(
    predictor: Predictor, tmp_path: Path, own: str, text: str
) -> None:
    source = tmp_path / "rows.ndjson"
    source.write_text(f'{RECORD[:-1]}, "id": {own}}}\n{RECORD}\n')
    for suffix in (".csv", ".parquet"):
        assert score_file(predictor, source, tmp_path / f"answers{suffix}") == Tally(2)
        assert [row["id"] for row in read(tmp_path / f"answers{suffix}")] == [text, None]
    score_file(predictor, source, tmp_path / "answers.ndjson")
    first, second = (tmp_path / "answers.ndjson").read_text().splitlines()
    assert first.startswith(f'{{"row":1,"id":{own},"probability":')
    due = answered(predictor, example())
    assert json.loads(first) == {"row": 1, "id": json.loads(own), **due}
    assert json.loads(second) == {"row": 2, "id": None, **due}


@pytest.mark.parametrize(
    "own", ["0.10", "1e400", "1.0", "null", "true", "NaN", "[1]", "{}", "9" * 1001, '"\\ud800"']
    + ["[" * depth + "]" * depth for depth in (100, 20_000)]
)  # fmt: skip
def test_any_other_id_is_rejected(predictor: Predictor, tmp_path: Path, own: str) -> None:
    content = f'{RECORD[:-1]}, "id": {own}}}\n{RECORD}\n'
    assert scored(predictor, tmp_path, content.encode(), ".ndjson") == Tally(1, 1)


def test_an_id_does_not_stand_for_a_missing_value(predictor: Predictor, tmp_path: Path) -> None:
    record = example(id="a")
    del record["thal"]
    content = json.dumps(record).encode()
    assert scored(predictor, tmp_path, content, ".ndjson") == Tally(rejected=1)


@pytest.mark.parametrize("kind", [pl.Float64(), pl.Boolean(), pl.List(pl.Int8()), pl.Binary()])
def test_ids_of_parquet_are_texts_or_whole_numbers(
    predictor: Predictor, tmp_path: Path, kind: pl.DataType
) -> None:
    table = pl.DataFrame([example()]).with_columns(pl.lit(None, kind).alias("id"))
    table.write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="id: the column must contain texts or whole numbers"):
        score_file(predictor, tmp_path / "rows.parquet", tmp_path / "answers.csv")


def test_a_number_is_the_same_read_as_such_and_from_its_text(predictor: Predictor) -> None:
    rng = Random(1)
    texts = ["".join(rng.choices("0123456789+-.eE_ inaf\t\u00a0", k=5)) for _ in range(20_000)]
    texts += [repr(rng.uniform(-200, 600)) for _ in range(20_000)]
    texts += [f"{rng.randrange(10**20)}e{rng.randrange(-330, 310)}" for _ in range(20_000)]
    content = "".join(f"{text},x\n" for text in texts).encode()
    schema = {"number": pl.Float64(), "x": pl.String()}
    table = pl.read_csv(content, has_header=False, schema=schema, ignore_errors=True)
    quick = dict(zip(texts, table["number"], strict=True))
    scorer = TableScorer(predictor, reads_text=True)
    careful = scorer._read(pl.Series("age", texts), FEATURES.by_accepted_name["age"].rule)
    assert sum(value is not None for value in quick.values()) > 40_000
    for text, value in zip(texts, careful, strict=True):
        assert quick[text] is None or quick[text].hex() == value.hex(), text


CELLS = st.text(st.sampled_from('0123456789+-.eE_ inafx\t\u00a0\u0661"'), max_size=6)


@settings(MANY, max_examples=examples(60))
@given(
    value=CELLS | st.sampled_from(["1", "0", "3", "1.5", " 2", "2 ", "+1", ".5", "5."]),
    place=st.integers(0, 12),
)
def test_a_row_is_read_to_the_same_answer_in_both_ways(
    predictor: Predictor, value: str, place: int
) -> None:
    cells = [*GOOD.split(",")]
    cells[place] = value
    block = f"{','.join(cells)}\n".encode()
    quick, careful = (CsvScorer(predictor, FEATURES.names) for _ in range(2))
    _only_careful(careful)
    for one, other in zip(quick.score(block), careful.score(block), strict=True):
        assert one.equals(other), block


def _only_careful(scorer: CsvScorer) -> None:
    """Cut every line with care, and read numbers from texts."""
    cells: Any = scorer._cells
    cells.read_numbers = lambda _: None
    cells._is_plain = lambda _: False


@MANY
@given(line=st.text(st.sampled_from('",a \x00\u00e4'), max_size=20))
def test_a_line_has_the_cells_of_rfc_4180(line: str) -> None:
    assert split_line(line) == cells_of(line)


@MANY
@given(
    content=st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r", b"\n", b"\x00"])).map(b"".join),
    size=st.integers(1, 5),
)
def test_rows_are_counted_as_they_are_cut(content: bytes, size: int) -> None:
    counter = RowCounter()
    for start in range(0, len(content), size):
        counter.add(content[start : start + size])
    assert counter.rows == sum(bool(line.strip(b" \t\r")) for line in content.splitlines())


class Endless(io.BytesIO):
    """A file of one byte over and over, that counts what is read."""

    def __init__(self, byte: bytes) -> None:
        super().__init__()
        self.byte, self.taken, self.largest = byte, 0, 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        self.taken += size
        self.largest = max(self.largest, size)
        return self.byte * size

    def tell(self) -> int:
        return self.taken


@pytest.mark.parametrize("byte", [b" ", b"7", b'"', b"\x00"])
def test_a_line_without_an_end_is_given_up_after_one_block(byte: bytes) -> None:
    file = Endless(byte)
    with pytest.raises(DataError, match="the line that begins at byte 0 is longer"):
        next(iter(TextBlocks(Path("rows.csv"), file)))
    assert file.taken <= BLOCK_BYTES


@pytest.mark.parametrize("byte", [b"\n", b"\r"])
def test_blank_lines_without_end_are_held_a_block_at_a_time(byte: bytes) -> None:
    file = Endless(byte)
    blocks = iter(TextBlocks(Path("rows.csv"), file))
    for number in range(1, 4):
        assert len(next(blocks)) <= BLOCK_BYTES
        assert file.taken <= number * BLOCK_BYTES


def test_many_short_lines_are_scored_in_several_pieces(predictor: Predictor) -> None:
    block = b",\n" * (BLOCK_BYTES // 2)
    assert max(piece.count(b"\n") for piece in pieces([block])) == PIECE_LINES
    assert b"".join(pieces([block])) == block
    assert [*pieces([b"\n" * BLOCK_BYTES])] == [b""]
    batches = [*RecordScorer(predictor).score_blocks([b"1\n" * (2 * BATCH_LINES + 1)])]
    assert [batch.rows for batch in batches] == [BATCH_LINES, BATCH_LINES, 1]
    assert batches[-1].rejected["row"].to_list() == [2 * BATCH_LINES + 1]


@pytest.mark.parametrize("suffix", [".csv", ".ndjson"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    predictor: Predictor, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / f"rows{suffix}", [example()] * 3)
    add = RowCounter.add

    def add_and_truncate(self: RowCounter, piece: bytes) -> None:
        add(self, piece)
        source.write_bytes(b"")

    monkeypatch.setattr(RowCounter, "add", add_and_truncate)
    with pytest.raises(DataError, match="the file changed while it was read"):
        score_file(predictor, source, tmp_path / "answers.csv")
    assert [*tmp_path.iterdir()] == [source]


def test_a_row_number_is_that_of_the_line_in_ndjson(predictor: Predictor, tmp_path: Path) -> None:
    content = f"\n{RECORD}\n \n{{}}\n{RECORD}"
    assert scored(predictor, tmp_path, content.encode(), ".ndjson") == Tally(2, 1)
    assert [row["row"] for row in read(tmp_path / "answers.csv")] == ["2", "5"]
    assert [row["row"] for row in read(tmp_path / "answers.rejected.ndjson")] == [4]


def test_the_names_of_the_columns_may_be_quoted(predictor: Predictor, tmp_path: Path) -> None:
    header = ",".join(f'"{name}"' for name in ("id", *FEATURES.names))
    row = ",".join(f'"{cell}"' for cell in ("a,b", *GOOD.split(",")))
    assert scored(predictor, tmp_path, f"{header}\n{row}\n".encode()) == Tally(1)


def test_the_reader_of_plain_lines_takes_none_for_another_format() -> None:
    reader = CellReader(["id", "age"], {"age": []})
    for start in ("\ufeff", "x\x01", "x\x9c", "#", "\x28\x35"):
        table = reader.read_numbers(f"{start}a,5\n".encode())
        assert table is not None
        assert table.rows() == [(f"{start}a", 5.0)]
