"""Reading: a file's rows, scored a piece at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeAlias

import polars as pl

from model.errors import DataError
from model.predictor import Predictor
from service.files.answers import Scored
from service.files.columns import BadColumns, given_names
from service.files.tables import SURPLUS, TableScorer

BATCH_ROWS = 50_000
BATCH_LINES = 10_000

MAX_LINE_BYTES = 2**20
"""A longer line is no record, and would fill the memory."""

THREADS = 2
"""Pieces that are scored at once, while others are read and written."""

SAMPLE_BYTES = 2**16

Reader: TypeAlias = Callable[[Path, Predictor], Iterator[Scored]]


def scored_batches(path: Path, predictor: Predictor) -> Iterator[Scored]:
    """Yield what became of a file's rows, in their order; first of none, for the columns.

    Raises
    ------
    DataError
        When the file cannot be read; nothing of what is in it is repeated.
    """
    with _reading(path):
        yield from READERS[path.suffix](path, predictor)


def rows_about(path: Path) -> int:
    """Return how many rows a file has: Parquet tells it, of text a sample is enough for a bar.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    with _reading(path):
        if path.suffix == ".parquet":
            return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
        with path.open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
        return path.stat().st_size * sample.count(b"\n") // max(len(sample), 1)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read why."""
    try:
        path.open("rb").close()  # Polars' own error has no reason in it
        yield
    except BadColumns as error:
        raise DataError(path, str(error)) from None
    except OSError as error:
        raise DataError(path, error.strerror or "cannot be read") from None
    except pl.exceptions.NoDataError:
        raise DataError(path, "the file is empty") from None
    except pl.exceptions.PolarsError:
        # Polars' own text would repeat the values that it stumbled over.
        raise DataError(path, f"cannot be read as {path.suffix[1:]} in UTF-8") from None


def _read_csv(path: Path, predictor: Predictor) -> Iterator[Scored]:
    rows = partial(pl.scan_csv, path, glob=False, has_header=False, truncate_ragged_lines=True)
    # The header is read as a row, for as such it shows names that stand there twice.
    header = rows(infer_schema=False).head(1).collect().row(0)
    names = [name or "" for name in header]
    features = predictor.artifact.features
    own = given_names(features, names)
    numbers = {own[f.name]: pl.Float64 for f in features if not f.named_only}
    texts = dict.fromkeys([*names, SURPLUS], pl.String)
    lines = partial(rows, skip_rows=1, missing_columns="insert")
    scorer = TableScorer(predictor, reads_text=True)
    yield scorer.score(pl.DataFrame(schema=texts))
    done = 0
    # Numbers are read faster where nothing else stands there. From the first piece on in which
    # not all is good they are read as texts, which can be told of and kept as they came.
    with suppress(pl.exceptions.ComputeError):
        for scored in _score_tables(lines(schema={**texts, **numbers}), scorer):
            if not scored.refused.is_empty():
                break
            done += len(scored.answers)
            yield scored
        else:
            return
    yield from _score_tables(lines(schema=texts).slice(done), scorer, done + 1)


def _read_parquet(path: Path, predictor: Predictor) -> Iterator[Scored]:
    rows, scorer = pl.scan_parquet(path, glob=False), TableScorer(predictor)
    yield scorer.score(pl.DataFrame(schema=rows.collect_schema()))
    yield from _score_tables(rows, scorer)


def _score_tables(rows: pl.LazyFrame, scorer: TableScorer, first_row: int = 1) -> Iterator[Scored]:
    pending: deque[Future[Scored]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for table in rows.collect_batches(chunk_size=BATCH_ROWS):
            pending.append(pool.submit(scorer.score, table, first_row))
            first_row += table.height
            if len(pending) > THREADS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _read_ndjson(path: Path, predictor: Predictor) -> Iterator[Scored]:
    from service.files.records import RecordScorer

    scorer = RecordScorer(predictor)
    yield scorer.score([])
    with path.open("rb") as file:
        lines = _numbered_lines(path, file)
        while batch := list(islice(lines, BATCH_LINES)):
            yield scorer.score(batch)


def _numbered_lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers from 1."""
    for number, line in enumerate(iter(partial(file.readline, MAX_LINE_BYTES), b""), start=1):
        if len(line) == MAX_LINE_BYTES:
            raise DataError(path, f"longer than {MAX_LINE_BYTES} bytes, no record", line=number)
        if not line.isspace():
            yield number, line


READERS: dict[str, Reader] = {
    ".csv": _read_csv,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
    ".parquet": _read_parquet,
}
