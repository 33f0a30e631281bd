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
            cells = as_frame(_as_cells(column) for column in without_raw(table))
            cells.write_csv(file, include_header=is_first, separator=separator)

        yield write


def _as_cells(column: pl.Series) -> pl.Series:
    """Return a column as CSV can hold it: what has parts as JSON, bytes in base 64."""
    kind, plain = column.dtype, column.alias("")  # Polars takes some names for patterns of names
    if kind == pl.Duration:
        plain = plain.dt.to_string("iso")
    elif kind.is_nested():
        encoded = plain.to_frame().to_struct().struct.json_encode()  # {"": ...}
        plain = encoded.str.slice(len('{"":')).str.head(-1).replace("null", None)
    else:
        plain = _as_text(plain)
    return plain.alias(column.name)


def _as_text(column: pl.Series) -> pl.Series:
    """Return bytes in base 64, and any other column as it is."""
    name, is_bytes = column.name, column.dtype == pl.Binary
    return column.alias("").bin.encode("base64").alias(name) if is_bytes else column


@contextmanager
def _ndjson(path: Path) -> Iterator[Write]:
    with path.open("xb") as file:

        def write(table: pl.DataFrame) -> None:
            table = as_frame(map(_as_text, table))
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
    before = {"row", *kept, *raw}
    rest = as_frame(column for column in table if column.name not in before)
    text = pl.lit(rest.to_struct().struct.json_encode().str.slice(1))
    lines = table.select(pl.concat_str(*parts, pl.lit(","), text, pl.lit("\n")))
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
