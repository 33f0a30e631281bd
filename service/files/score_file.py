"""Scoring a file: its answers to one file, its bad rows to another, both whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from polars.exceptions import PanicException, PolarsError

from model.errors import DataError
from model.inference.predictor import Predictor
from service.files.formats.reading import scored_batches
from service.files.formats.writers import WRITERS
from service.files.outputs import check_jobs, publish, rejects_path, staging

OS_ERROR = re.compile(r"\(os error (\d+)\)")


@dataclass(frozen=True)
class Tally:
    """How many rows of a file were scored, and how many rejected."""

    scored: int = 0
    rejected: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.scored + other.scored, self.rejected + other.rejected)


def score_file(
    predictor: Predictor, source: Path, target: Path, on_rows: Callable[[int], object] = id
) -> Tally:
    """Score every row of a file.

    Parameters
    ----------
    predictor : Predictor
        The model.
    source, target : Path
        The input and the output; their suffixes determine the formats.
    on_rows : callable
        Called with the number of rows of each piece that is done, and with 0 when all are. What it
        raises ends the work, and nothing is written.

    Raises
    ------
    DataError
        When one of the files cannot be used, or not every row can be accounted for; then none is
        written.
    """
    jobs = [(source, target)]
    check_jobs(jobs)
    try:
        with staging(target.parent) as folder:
            tally = _score(predictor, source, folder / target.name, on_rows)
            on_rows(0)
            publish(jobs, folder)
            return tally
    except (OSError, PolarsError, PanicException) as error:
        raise DataError(target, _reason(error)) from None


def _reason(error: BaseException) -> str:
    """Return what the system says of a file, which Polars puts into a text of its own."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    found = OS_ERROR.search(str(error))
    return os.strerror(int(found[1])) if found else "cannot be written"


def _score(
    predictor: Predictor, source: Path, target: Path, on_rows: Callable[[int], object]
) -> Tally:
    tally = Tally()
    rejects = rejects_path(source, target)
    with WRITERS[target.suffix](target) as accept, WRITERS[source.suffix](rejects) as reject:
        for batch in scored_batches(source, predictor):
            accept(batch.answers)
            reject(batch.rejected)
            on_rows(batch.rows)
            tally += Tally(batch.answers.height, batch.rejected.height)
    if not tally.rejected:
        rejects.unlink()
    return tally
