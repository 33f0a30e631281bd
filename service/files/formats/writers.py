"""Writing: tables to a file, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import polars as pl

from model.errors import DataError

RAW_ID = "\0id"
"""Column of ids as they stood in JSON, where a number is not a text, beside that of their texts."""

Write: TypeAlias = Callable[[pl.DataFrame], None]
"""Adds the rows of a table; all tables of a file have the same columns, the first may be empty."""


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("xb") as file:

        def write(table: pl.DataFrame) -> None:
            table.drop(RAW_ID, strict=False).write_csv(file, include_header=file.tell() == 0)

        yield write


@contextmanager
def _ndjson(path: Path) -> Iterator[Write]:
    with path.open("xb") as file:

        def write(table: pl.DataFrame) -> None:
            if RAW_ID in table.columns:
                file.writelines(_lines_with_raw_ids(table))
            else:
                table.write_ndjson(file)

        yield write


def _lines_with_raw_ids(table: pl.DataFrame) -> Iterator[bytes]:
    before = pl.concat_str(
        pl.lit('{"row":'), "row", pl.lit(',"id":'), pl.col(RAW_ID).fill_null("null")
    )
    rest = pl.struct(pl.exclude("row", "id", RAW_ID)).struct.json_encode()
    lines = table.select(pl.concat_str(before, pl.lit(","), rest.str.slice(1), pl.lit("\n")))
    return (line.encode() for line in lines.to_series())


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    """Write a file for each table, and stream them into one: Polars cannot add to a file."""
    path.touch(exist_ok=False)  # a name that cannot be written is refused before the work
    with TemporaryDirectory(dir=path.parent) as folder:
        parts: list[Path] = []
        rows = 0

        def write(table: pl.DataFrame) -> None:
            nonlocal rows
            rows += table.height
            parts.append(Path(folder, f"{len(parts)}"))
            table.drop(RAW_ID, strict=False).write_parquet(parts[-1])

        yield write
        pl.scan_parquet(parts, glob=False).sink_parquet(path)
        if pl.scan_parquet(path, glob=False).select(pl.len()).collect().item() != rows:
            raise DataError(path, "not every row was written")


WRITERS: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".ndjson": _ndjson,
    ".jsonl": _ndjson,
    ".parquet": _parquet,
}
