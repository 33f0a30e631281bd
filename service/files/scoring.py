"""Scoring a file: its answers to one file, its bad rows to another, both whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from polars.exceptions import PolarsError

from model.errors import DataError
from model.predictor import Predictor
from service.files.reading import READERS, scored_batches
from service.files.writing import WRITERS

STAGING = ".heartline-"
"""Beginning of the name of the folder in which files are until they are whole."""


@dataclass(frozen=True)
class Tally:
    """How many rows of a file were scored, and how many refused."""

    scored: int = 0
    refused: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.scored + other.scored, self.refused + other.refused)


def refusals_path(source: Path, target: Path) -> Path:
    """Return where the bad rows go: beside the answers, in the format that they came in."""
    return target.with_suffix(f".rejected{source.suffix}")


def check_formats(*paths: Path) -> None:
    """Look at the suffixes of files that are read and written.

    Raises
    ------
    DataError
        When there is one of an unknown format.
    """
    for path in paths:
        if path.suffix not in READERS:
            raise DataError(path, f"the name must end in one of {', '.join(READERS)}")


def score_file(
    predictor: Predictor, source: Path, target: Path, on_rows: Callable[[int], object] = id
) -> Tally:
    """Score every row of a file.

    Parameters
    ----------
    predictor : Predictor
        The model.
    source, target : Path
        The file, and that of the answers; their suffixes tell the formats.
    on_rows : callable
        Called with the number of rows of each piece that is done.

    Raises
    ------
    DataError
        When one of the files cannot be used; then none is written.
    """
    check_formats(source, target)
    if source.resolve() in (target.resolve(), refusals_path(source, target).resolve()):
        raise DataError(target, "the answers would replace the file that is scored")
    try:
        with TemporaryDirectory(prefix=STAGING, dir=target.parent) as folder:
            staged = Path(folder, target.name)
            tally = _score(predictor, source, staged, on_rows)
            publish(source, staged, target)
            return tally
    except (OSError, PolarsError) as error:
        raise DataError(target, getattr(error, "strerror", None) or "cannot be written") from None


def publish(source: Path, staged: Path, target: Path) -> None:
    """Put what was written of a file under the names that it is to have."""
    refused, refusals = refusals_path(source, staged), refusals_path(source, target)
    if refused.exists():
        refused.replace(refusals)
    else:  # what an earlier run refused says nothing of this one
        refusals.unlink(missing_ok=True)
    staged.replace(target)


def _score(
    predictor: Predictor, source: Path, target: Path, on_rows: Callable[[int], object]
) -> Tally:
    tally = Tally()
    refusals = refusals_path(source, target)
    with WRITERS[target.suffix](target) as tell, WRITERS[source.suffix](refusals) as refuse:
        for batch in scored_batches(source, predictor):
            tell(batch.answers)
            refuse(batch.refused)
            on_rows(len(batch.answers) + len(batch.refused))
            tally += Tally(len(batch.answers), len(batch.refused))
    if not tally.refused:
        refusals.unlink()
    return tally
