"""Writing: tables to a file, one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import polars as pl

from model.errors import DataError
from service.files.formats.kept import RAW, as_frame, without_raw

Write: TypeAlias = Callable[[pl.DataFrame], None]
"""Adds the rows of a table; all tables of a file have the same columns, the first may be empty."""


@contextmanager
def _csv(path: Path, separator: str = ",") -> Iterator[Write]:
    with path.open("xb") as file:

        def write(table: pl.DataFrame) -> None:
            is_first = file.tell() == 0
            cells = as_frame(map(_as_cells, without_raw(table)))
            cells.write_csv(file, include_header=is_first, separator=separator)

        yield write


def _as_cells(column: pl.Series) -> pl.Series:
    """Return a column as CSV can hold it: what has parts as JSON, bytes in base 64."""
    kind = column.dtype
    if kind == pl.Binary:
        return column.bin.encode("base64")
    if kind == pl.Duration:
        return column.dt.to_string("iso")
    if not kind.is_nested():
        return column
    encoded = column.alias("").to_frame().to_struct().struct.json_encode()  # {"": ...}
    texts = encoded.str.slice(len('{"":')).str.head(-1)
    return texts.replace("null", None).alias(column.name)


@contextmanager
def _ndjson(path: Path) -> Iterator[Write]:
    with path.open("xb") as file:

        def write(table: pl.DataFrame) -> None:
            table = as_frame(
                column.bin.encode("base64") if column.dtype == pl.Binary else column
                for column in table
            )
            if any(name.startswith(RAW) for name in table.columns):
                file.writelines(_lines(table))
            else:
                table.write_ndjson(file)

        yield write


def _lines(table: pl.DataFrame) -> Iterator[bytes]:
    """Yield the rows as objects, whose kept fields are as they were where their JSON is known."""
    raw = [name for name in table.columns if name.startswith(RAW)]
    kept = [name.removeprefix(RAW) for name in raw]
    parts = [pl.lit('{"row":'), pl.col("row")]
    for name, of in zip(kept, raw, strict=True):
        parts += [pl.lit(f",{json.dumps(name, ensure_ascii=False)}:"), pl.col(of).fill_null("null")]
    rest = pl.struct(pl.exclude("row", *kept, *raw)).struct.json_encode()
    lines = table.select(pl.concat_str(*parts, pl.lit(","), rest.str.slice(1), pl.lit("\n")))
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
            without_raw(table).write_parquet(parts[-1])

        yield write
        pl.scan_parquet(parts, glob=False).sink_parquet(path)
        if pl.scan_parquet(path, glob=False).select(pl.len()).collect().item() != rows:
            raise DataError(path, "not every row was written")


WRITERS: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".ndjson": _ndjson,
    ".jsonl": _ndjson,
    ".parquet": _parquet,
    ".tsv": partial(_csv, separator="\t"),
}
