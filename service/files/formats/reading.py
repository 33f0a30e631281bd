"""Reading: a file's rows, scored a piece at a time, and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TypeAlias, TypeVar

import polars as pl

from model.errors import DataError
from model.inference.predictor import Predictor
from service.files.formats.answer_columns import Scored
from service.files.formats.blocks import TextBlocks, open_regular, pieces
from service.files.formats.cells import RowsLost
from service.files.formats.columns import BadColumns
from service.files.formats.csv_files import CsvScorer, header_of
from service.files.formats.tables import TableScorer

BATCH_ROWS = 50_000

THREADS = 2
"""Pieces that are scored at once, while others are read and written."""

SAMPLE_BYTES = 2**16

Reader: TypeAlias = Callable[[Path, Predictor], Iterator[Scored]]
Piece = TypeVar("Piece")


def scored_batches(path: Path, predictor: Predictor) -> Iterator[Scored]:
    """Yield what became of a file's rows, in their order; first of none, for the columns.

    Raises
    ------
    DataError
        When the file cannot be read, or a row of it was lost; nothing of what is in it is repeated.
    """
    with _reading(path):
        yield from READERS[path.suffix](path, predictor)


def check_readable(path: Path) -> None:
    """Open a file and close it again.

    Raises
    ------
    DataError
        When it cannot be opened.
    """
    with _reading(path):
        open_regular(path).close()


def rows_about(path: Path) -> int:
    """Return how many rows a file has: Parquet tells it, of text a sample is enough for a bar.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    check_readable(path)
    with _reading(path):
        if path.suffix == ".parquet":
            return _parquet_rows(path)
        with open_regular(path) as file:
            sample = file.read(SAMPLE_BYTES)
        return path.stat().st_size * sample.count(b"\n") // max(len(sample), 1)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read why."""
    try:
        yield
    except (BadColumns, RowsLost) as error:
        raise DataError(path, str(error)) from None
    except OSError as error:
        raise DataError(path, error.strerror or "cannot be read") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        # Polars' own text would repeat the values that it stumbled over.
        raise DataError(path, f"cannot be read as {path.suffix[1:]}") from None


def _read_csv(path: Path, predictor: Predictor) -> Iterator[Scored]:
    with open_regular(path) as file:
        text = TextBlocks(path, file)
        blocks = iter(text)
        header = header_of(blocks)
        scorer = CsvScorer(predictor, header.names, header.delimiter)
        yield scorer.score(b"")
        scored = _in_threads(scorer.score, pieces(chain([header.rest], blocks)))
        yield from _all_of(scored, lambda: text.rows - 1)


def _read_parquet(path: Path, predictor: Predictor) -> Iterator[Scored]:
    rows, scorer = pl.scan_parquet(path, glob=False), TableScorer(predictor)
    yield scorer.score(pl.DataFrame(schema=rows.collect_schema()))
    tables = rows.collect_batches(chunk_size=BATCH_ROWS)
    yield from _all_of(_in_threads(scorer.score, tables), lambda: _parquet_rows(path))


def _read_ndjson(path: Path, predictor: Predictor) -> Iterator[Scored]:
    from service.files.formats.records import RecordScorer

    scorer = RecordScorer(predictor)
    yield scorer.score([])
    with open_regular(path) as file:
        text = TextBlocks(path, file)
        yield from _all_of(scorer.score_blocks(text), lambda: text.rows)


def _in_threads(score: Callable[[Piece], Scored], pieces: Iterable[Piece]) -> Iterator[Scored]:
    """Score pieces whose rows are numbered from 1, and number them through."""
    pending: deque[Future[Scored]] = deque()
    rows = 0

    def finished() -> Scored:
        nonlocal rows
        scored = pending.popleft().result().numbered_after(rows)
        rows += scored.rows
        return scored

    with ThreadPoolExecutor(THREADS) as pool:
        for piece in pieces:
            pending.append(pool.submit(score, piece))
            if len(pending) > THREADS:
                yield finished()
        while pending:
            yield finished()


def _all_of(batches: Iterable[Scored], rows_in: Callable[[], int]) -> Iterator[Scored]:
    """Hold the rows that come out against those that went in."""
    rows = 0
    for batch in batches:
        rows += batch.rows
        yield batch
    if rows != (expected := rows_in()):
        raise RowsLost(f"{rows} of {expected} rows were read")


def _parquet_rows(path: Path) -> int:
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


READERS: dict[str, Reader] = {
    ".csv": _read_csv,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
    ".parquet": _read_parquet,
    ".tsv": _read_csv,
}
