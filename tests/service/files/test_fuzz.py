"""However a file is damaged, each of its rows is answered or rejected, or nothing is written."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from model.errors import DataError
from model.inference.predictor import Predictor
from service.files.formats import reading
from service.files.formats.cells import BAD_QUOTES, CellReader, CsvRows
from service.files.score_file import score_file
from tests.service.files.fuzz import fuzz
from tests.service.files.samples import write
from tests.service.samples import example

pytestmark = pytest.mark.slow

FILES, SEED = 200, 1


def test_every_row_of_a_damaged_file_is_accounted_for(predictor: Predictor) -> None:
    ends = fuzz(predictor, FILES, SEED)
    assert ends.total() == FILES
    assert min(ends["scored"], ends["some rejected"], ends["refused"]) > FILES // 20


def test_a_reader_that_loses_rows_is_found(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_values_over_lines(monkeypatch)
    monkeypatch.setattr(reading, "_all_of", lambda batches, _: batches)
    with pytest.raises(AssertionError):
        fuzz(predictor, FILES, SEED)


def plant_values_over_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a value in quotation marks go on over the lines to the next mark, or to the end."""
    read = CellReader.read

    def read_lossily(self: CellReader, block: bytes) -> CsvRows:
        rows = read(self, block)
        open_from = rows.broken.filter(pl.col("reasons") == BAD_QUOTES)["row"].to_list()
        if not open_from:
            return rows
        kept = rows.numbers < open_from[0]
        before = rows.broken.filter(pl.col("row") < open_from[0])
        return CsvRows(rows.texts.filter(kept), rows.numbers[kept], before)

    monkeypatch.setattr(CellReader, "read", read_lossily)


@pytest.mark.parametrize("lost", [b'"\n', b"\xff\n"])
def test_a_row_that_is_lost_is_an_error_and_nothing_is_written(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bytes
) -> None:
    def read_lossily(self: CellReader, block: bytes) -> CsvRows:
        return read(self, block.replace(lost, b"\n"))

    read = CellReader.read
    monkeypatch.setattr(CellReader, "read", read_lossily)
    source = write(tmp_path / "rows.csv", [example()] * 3)
    source.write_bytes(source.read_bytes() + lost)
    with pytest.raises(DataError, match="3 of 4 rows were read"):
        score_file(predictor, source, tmp_path / "answers.csv")
    assert [*tmp_path.iterdir()] == [source]
