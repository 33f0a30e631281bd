"""What is looked at before any file goes to a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import DataError
from model.inference.predictor import Predictor
from service.files.cluster import _score, find_files, score_files
from service.files.score_file import Tally
from tests.service.files.samples import write
from tests.service.samples import example


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "in/a.csv", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, [example()])
    return tmp_path


def test_a_pattern_stands_for_files_in_the_order_of_their_names(data: Path) -> None:
    assert find_files(f"{data}/*.csv") == [data / "a.csv", data / "b.csv"]
    assert len(find_files(f"{data}/**/*.csv")) == 3


def test_a_pattern_for_no_file_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match=r"none/\*\.csv: no file matches"):
        find_files(f"{data}/none/*.csv")


@pytest.mark.parametrize(
    ("pattern", "reported"),
    [("**/*.csv", "two input files have the same name"), ("c.txt", "the name must end in one of")],
)
def test_files_that_cannot_go_together_are_refused(
    predictor: Predictor, data: Path, pattern: str, reported: str
) -> None:
    files = find_files(f"{data}/{pattern}")
    with pytest.raises(DataError, match=reported):
        score_files(predictor, files, data / "scored", "", print)
    assert not (data / "scored").exists()


def test_a_worker_accounts_for_every_row(predictor: Predictor, data: Path) -> None:
    source = data / "a.csv"
    header, row = source.read_text().splitlines()
    source.write_text("\n".join([header, f'"{row}', *[row] * 1000, '"']))
    assert _score(predictor, data / "in", source) == Tally(1000, 2)
    assert (data / "in" / "a.rejected.csv").exists()
