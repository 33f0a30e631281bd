"""Writing: tables to a file, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

import polars as pl

Write: TypeAlias = Callable[[pl.DataFrame], None]
"""Adds the rows of a table; all tables of a file have the same columns, the first may be empty."""


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("xb") as file:
        yield lambda table: table.write_csv(file, include_header=file.tell() == 0)


@contextmanager
def _ndjson(path: Path) -> Iterator[Write]:
    with path.open("xb") as file:
        yield lambda table: table.write_ndjson(file)


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    """Write a file for each table, and stream them into one: Polars cannot add to a file."""
    parts: list[Path] = []

    def write(table: pl.DataFrame) -> None:
        parts.append(path.with_name(f"{path.name}.{len(parts)}"))
        table.write_parquet(parts[-1])

    yield write
    pl.scan_parquet(parts, glob=False).sink_parquet(path)


WRITERS: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".ndjson": _ndjson,
    ".jsonl": _ndjson,
    ".parquet": _parquet,
}
