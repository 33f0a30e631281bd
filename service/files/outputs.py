"""Outputs: where answers go, looked at before the work, and put there when all of it is done."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from model.errors import DataError
from service.files.formats.reading import READERS, check_readable

STAGING = ".heartline-"
"""Beginning of the name of the folder in which files are until they are whole."""

Job: TypeAlias = tuple[Path, Path]
"""A file of rows, and that of their answers."""


def rejects_path(source: Path, target: Path) -> Path:
    """Return where the bad rows go: beside the answers, in the format that they came in."""
    return target.with_suffix(f".rejected{source.suffix}")


def check_jobs(jobs: Sequence[Job]) -> None:
    """Check everything about files that can be known before they are read.

    Raises
    ------
    DataError
        When a format is unknown, a file cannot be read, or one would be written over another.
    """
    for path in (path for job in jobs for path in job):
        if path.suffix not in READERS:
            raise DataError(path, f"the name must end in one of {', '.join(READERS)}")
    for source, _ in jobs:
        check_readable(source)
    sources = {_identity(source.stat()) for source, _ in jobs}
    outputs = [path for source, target in jobs for path in (target, rejects_path(source, target))]
    seen: set[Path] = set()
    for output in outputs:
        if output in seen:
            raise DataError(output, "two outputs would have this path")
        seen.add(output)
        _check_output(output, sources)


def _check_output(path: Path, sources: set[tuple[int, int]]) -> None:
    try:
        there = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(path, error.strerror or "cannot be written") from None
    if _identity(there) in sources:
        raise DataError(path, "the results would replace an input file")
    if not stat.S_ISREG(there.st_mode):
        raise DataError(path, "exists and is not a regular file, so the results cannot replace it")


def _identity(status: os.stat_result) -> tuple[int, int]:
    """Return what is the same for all names of one file."""
    return status.st_dev, status.st_ino


@contextmanager
def staging(folder: Path, *, others_write: bool = False) -> Iterator[Path]:
    """Make a folder beside the outputs, for as long as the block; other processes may write to it.

    One that was given up may do so at the very moment that all is taken away.
    """
    with TemporaryDirectory(
        prefix=STAGING, dir=folder, ignore_cleanup_errors=others_write
    ) as staged:
        yield Path(staged).resolve()


def publish(jobs: Iterable[Job], staged: Path) -> None:
    """Put what was written under the names that it is to have; where one cannot be, none is."""
    published: list[Path] = []
    try:
        for source, target in jobs:
            for path in (rejects_path(source, target), target):
                written = staged / path.name
                if written.exists():
                    written.replace(path)
                    published.append(path)
                else:  # what an earlier run rejected says nothing of this one
                    path.unlink(missing_ok=True)
    except OSError as error:
        for path in published:
            path.unlink(missing_ok=True)
        raise DataError(path, error.strerror or "cannot be written") from None
