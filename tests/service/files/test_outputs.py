"""What can be known of the files is said before they are read; nothing is half there at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from model.errors import DataError
from model.inference.predictor import Predictor
from service.files import score_file as scoring
from service.files.cluster import score_files
from service.files.formats.kept import RAW
from service.files.formats.reading import rows_about
from service.files.score_file import score_file
from tests.service.files.samples import write
from tests.service.samples import example

NONE_LEFT = OSError(28, "No space left on device")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "rows.csv", [example(), example(age=5)])


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail where a file is read."""

    def scored_batches(path: Path, predictor: Predictor) -> None:
        raise AssertionError("the file is read")

    monkeypatch.setattr(scoring, "scored_batches", scored_batches)


def fails(predictor: Predictor, source: Path, target: Path) -> str:
    """Score a file, in vain, and return why; nothing may be there that was not before."""
    before = everything(source.parent)
    with pytest.raises(DataError) as caught:
        score_file(predictor, source, target)
    assert "\n" not in str(caught.value)
    assert everything(source.parent) == before
    return str(caught.value)


def everything(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
def test_what_is_no_regular_file_is_not_read(
    predictor: Predictor, tmp_path: Path, make: Callable[[Path], None], suffix: str
) -> None:
    make(tmp_path / f"rows{suffix}")
    told = fails(predictor, tmp_path / f"rows{suffix}", tmp_path / "answers.csv")
    assert told == f"{tmp_path}/rows{suffix}: not a regular file"
    with pytest.raises(DataError, match="not a regular file"):
        rows_about(tmp_path / f"rows{suffix}")


@pytest.mark.parametrize("name", ["answers.csv", "answers.rejected.csv"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/full")])
@pytest.mark.usefixtures("unread")
def test_an_output_that_is_no_regular_file_is_refused_before_the_work(
    predictor: Predictor, source: Path, make: Callable[[Path], None], name: str
) -> None:
    make(source.with_name(name))
    told = fails(predictor, source, source.with_name("answers.csv"))
    assert told == f"{source.with_name(name)}: not a regular file, which the answers could replace"


@pytest.mark.parametrize(
    "link", [lambda to, source: to.symlink_to(source), lambda to, source: to.hardlink_to(source)]
)
@pytest.mark.parametrize("name", ["answers.csv", "answers.rejected.csv"])
@pytest.mark.usefixtures("unread")
def test_an_output_that_is_the_input_under_another_name_is_refused(
    predictor: Predictor, source: Path, link: Callable[[Path, Path], None], name: str
) -> None:
    link(source.with_name(name), source)
    told = fails(predictor, source, source.with_name("answers.csv"))
    assert told.endswith("the answers would replace a file that is scored")


@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none/answers", "No such file or directory"),
        ("rows.csv/answers", "Not a directory"),
        ("a" * 260, "File name too long"),
        ("a" * 246, "File name too long"),  # that of the rejected rows is longer
        ("/proc/answers", "No such file or directory"),
    ],
)
@pytest.mark.usefixtures("unread")
def test_a_place_where_nothing_can_be_written_is_refused_before_the_work(
    predictor: Predictor, source: Path, name: str, reason: str, suffix: str
) -> None:
    told = fails(predictor, source, source.parent / f"{name}{suffix}")
    assert told.startswith(f"{source.parent / name}")
    assert told.endswith(f": {reason}")


@pytest.mark.parametrize("suffix", [".csv.gz", ".CSV", ".txt", ""])
@pytest.mark.usefixtures("unread")
def test_other_formats_are_refused(predictor: Predictor, source: Path, suffix: str) -> None:
    told = fails(predictor, source.rename(source.with_suffix(suffix)), source.parent / "a.csv")
    assert told.endswith("the name must end in one of .csv, .ndjson, .jsonl, .parquet, .tsv")


@pytest.mark.parametrize(
    ("suffix", "method"),
    [
        (".csv", "write_csv"),
        (".ndjson", "write_ndjson"),
        (".ndjson", "write_csv"),  # which writes the rejected rows
        (".parquet", "write_parquet"),
    ],
)
def test_a_full_disk_leaves_nothing(
    predictor: Predictor, source: Path, suffix: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_in_vain(*arguments: object, **options: object) -> None:
        raise NONE_LEFT

    monkeypatch.setattr(pl.DataFrame, method, write_in_vain)
    told = fails(predictor, source, source.with_name(f"answers{suffix}"))
    assert told.endswith("No space left on device")


@pytest.mark.parametrize("last", [0, 1])
def test_an_output_that_cannot_get_its_name_takes_the_other_away(
    predictor: Predictor, source: Path, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace
    done: list[Path] = []

    def replace_once(path: Path, target: Path) -> Path:
        if len(done) == last:
            raise PermissionError(1, "Operation not permitted")
        done.append(target)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replace_once)
    assert "Operation not permitted" in fails(predictor, source, source.with_name("answers.csv"))
    assert len(done) == last


def test_rows_that_are_not_written_are_missed(
    predictor: Predictor, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = pl.LazyFrame.sink_parquet

    def lose_rows(frame: pl.LazyFrame, path: Path, **options: Any) -> object:
        return sink(frame.slice(0, 0), path, **options)

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", lose_rows)
    told = fails(predictor, source, source.with_name("answers.parquet"))
    assert told.endswith("not every row was written")
    assert RAW not in told


@pytest.mark.parametrize("error", [pl.exceptions.PanicException("735.1937"), NONE_LEFT])
def test_a_panic_of_the_library_is_an_error_and_not_quoted(
    predictor: Predictor, source: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(pl, "read_csv", panic)
    told = fails(predictor, source, source.with_name("answers.csv"))
    assert "735.1937" not in told
    assert told.startswith(f"{source}: ")


@pytest.mark.parametrize("last", ["none", "metadata"])
def test_rows_that_parquet_loses_are_missed(
    predictor: Predictor, tmp_path: Path, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "rows.parquet", [example()] * 3)
    batches = pl.LazyFrame.collect_batches
    monkeypatch.setattr(
        pl.LazyFrame,
        "collect_batches",
        lambda frame, **options: batches(frame.slice(0, 0 if last == "none" else 2), **options),
    )
    told = fails(predictor, source, tmp_path / "answers.csv")
    assert told.endswith("of 3 rows were read")


@pytest.mark.usefixtures("unread")
def test_a_cluster_does_not_replace_the_files_that_it_scores(
    predictor: Predictor, source: Path
) -> None:
    link = source.parent / "link"
    link.symlink_to(source.parent)
    for folder in (source.parent, link):
        with pytest.raises(DataError, match="the answers would replace a file that is scored"):
            score_files(predictor, [source], folder, "")
    assert {*source.parent.iterdir()} == {source, link}


@pytest.mark.usefixtures("unread")
def test_a_cluster_writes_no_two_files_to_one_place(predictor: Predictor, source: Path) -> None:
    other = write(source.with_name("rows.rejected.csv"), [example()])
    with pytest.raises(DataError, match=r"rows\.rejected\.csv: two of the files would be written"):
        score_files(predictor, [source, other], source.parent / "scored", "")
    assert not (source.parent / "scored").exists()
