"""Scores files with random damage, and holds what comes of each to what a careful reader reads.

Run by ``scripts/fuzz``. The same seed makes the same files.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import click
import polars as pl

from model.artifact.artifact import Artifact
from model.errors import DataError
from model.inference.predictor import Predictor
from service.files.formats import blocks
from service.files.score_file import Tally, score_file
from tests.conftest import ARTIFACT
from tests.service import hostile
from tests.service.files.damaged import FORMATS, SUFFIXES, Due, lines_of

OLD = "of an earlier run"
BLOCKS = [2**20, 2**20, 4096, 1024]
"""Sizes of a block, so that small files have several."""


def fuzz(predictor: Predictor, files: int, seed: int) -> Counter[str]:
    """Score so many files; return how many were scored, scored but for some rows, and refused."""
    rng = Random(seed)
    ends: Counter[str] = Counter()
    for _ in range(files):
        suffix = rng.choice(SUFFIXES)
        make, due = FORMATS[suffix]
        content = make(rng)
        size = rng.choice(BLOCKS)
        reported = due(content)
        if suffix == ".parquet":
            if rng.random() < 0.3:
                content, reported = _spoilt(rng, content), None
                size = 0  # any outcome that accounts for the rows is right
        elif any(len(line) + 2 > size for line in lines_of(content)):
            size = 2**20
        with TemporaryDirectory() as folder:
            source = Path(folder, f"rows{suffix}")
            source.write_bytes(content)
            target = source.with_name(f"answers{rng.choice(['.csv', '.ndjson', '.parquet'])}")
            with patch.object(blocks, "BLOCK_BYTES", size or 2**20):
                ends[check(predictor, source, target, reported, is_spoilt=not size)] += 1
    return ends


def check(
    predictor: Predictor, source: Path, target: Path, due: Due | None, *, is_spoilt: bool = False
) -> str:
    """Score a file and hold the contract: all rows, or nothing; return how it ended."""
    rejects = target.with_name(f"answers.rejected{source.suffix}")
    for path in (target, rejects):
        path.write_text(OLD)
    content = source.read_bytes()
    try:
        tally = score_file(predictor, source, target)
    except DataError as error:
        reported = str(error)
    else:
        reported = ""
    if reported:
        assert due is None, (reported, content)
        assert "\n" not in reported
        assert not [mark for mark in hostile.MARKS if mark in reported], (reported, content)
        assert target.read_text() == rejects.read_text() == OLD
        assert len(list(source.parent.iterdir())) == 3
        return "refused"
    assert len(list(source.parent.iterdir())) == 2 + bool(tally.rejected)
    assert source.read_bytes() == content
    if is_spoilt:
        return "spoilt"
    assert due is not None, content
    assert tally == Tally(len(due.scored), len(due.rejected)), (tally, due, content)
    _check_answers(predictor, _rows(target), due, source.suffix, target.suffix, content)
    if due.rejected:
        rejected = _rows(rejects)
        assert [int(row["row"]) for row in rejected] == due.rejected, content
        assert all(row["reasons"] for row in rejected), content
        return "some rejected"
    assert not rejects.exists()
    return "scored"


def _check_answers(
    predictor: Predictor,
    rows: list[dict[str, Any]],
    due: Due,
    source: str,
    target: str,
    content: bytes,
) -> None:
    assert len(rows) == len(due.scored), content
    for row, (number, own, record) in zip(rows, due.scored, strict=True):
        assert int(row["row"]) == number, content
        expected = float(predictor.predict_records([record])[0])
        assert float(row["probability"]) == expected, (row, record, content)
        assert _id(row.get("id"), target) == _id(_sent(own, source, target), target), (row, content)


def _sent(own: Any, source: str, target: str) -> Any:
    """Return an id as it is in the answers: JSON stays JSON, and is text anywhere else."""
    if source == ".ndjson" and own is not None:
        return json.loads(own, parse_int=str if target != ".ndjson" else None)
    return own


def _id(own: Any, target: str) -> Any:
    if target != ".csv" or own is None:
        return own
    return str(own) or None


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [{name: text or None for name, text in row.items()} for row in rows]
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def _spoilt(rng: Random, content: bytes) -> bytes:
    spoilt = bytearray(content)
    if rng.random() < 0.3:
        return content[: rng.randrange(len(content))]
    for _ in range(rng.choice([1, 1, 3, 10])):
        last = len(spoilt) if rng.random() < 0.5 else min(60, len(spoilt))
        spoilt[-rng.randint(1, last)] = rng.randrange(256)
    return bytes(spoilt)


@click.command()
@click.option("--files", default=20_000, help="So many are scored.")
@click.option("--seed", default=1)
def main(files: int, seed: int) -> None:
    click.echo(f"files {dict(fuzz(Artifact.load(ARTIFACT).predictor(), files, seed))}")


if __name__ == "__main__":
    main()
