"""Records: lines of JSON checked by what checks the body of POST /predict, and scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl

from model.inference.predictor import Predictor
from service.errors import InvalidInput
from service.faults import as_text, fault
from service.files.formats.answer_columns import Answers, Scored
from service.files.formats.kept import Kept, Members
from service.validation.record_validation import Validator
from service.wire.record_reader import RecordReader

BATCH_LINES = 10_000
"""So many lines are scored at once: what is said of bad ones can be far longer than they are."""

NOT_JSON = "A field beside the features is not JSON: a number in it is NaN or infinite."


class RecordScorer:
    """Scores lines that hold a JSON object each.

    Parameters
    ----------
    predictor : Predictor
        The model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._features = predictor.features
        self._kept = Kept(predictor)
        self._answers = Answers(predictor)
        self._reader = RecordReader(self._features)
        self._validator = Validator(self._features, self._kept.others)

    def score_blocks(self, blocks: Iterable[bytes]) -> Iterator[Scored]:
        """Score blocks of whole lines; each row has the number of its line, from 1."""
        before = 0
        for block in blocks:
            lines = block.splitlines()
            numbered = enumerate(lines, before + 1)
            rows = [(row, line) for row, line in numbered if line and not line.isspace()]
            for start in range(0, max(len(rows), 1), BATCH_LINES):
                yield self.score(rows[start : start + BATCH_LINES])
            before += len(lines)

    def score(self, lines: Iterable[tuple[int, bytes]]) -> Scored:
        """Score the good lines; say of the bad ones what is wrong.

        Parameters
        ----------
        lines : iterable of (int, bytes)
            Number and content of each.
        """
        values: list[list[float]] = []
        numbers_of_rows: list[int] = []
        kept: list[Members] = []
        rejected: list[dict[str, Any]] = []
        for row, line in lines:
            try:
                own, numbers = self._read(line)
            except InvalidInput as refusal:
                reasons = " ".join(map(as_text, refusal.faults))
                text = line.decode(errors="replace").rstrip()
                rejected.append({"row": row, "record": text, "reasons": reasons})
            else:
                values.append(numbers)
                numbers_of_rows.append(row)
                kept.append(own)
        X = np.array(values, np.float64).reshape(-1, len(self._features))
        return Scored(
            self._answers.table(
                pl.Series("row", numbers_of_rows, pl.Int64), self._kept.of_records(kept), X
            ),
            pl.DataFrame(rejected, {"row": pl.Int64, "record": pl.String, "reasons": pl.String}),
        )

    def _read(self, line: bytes) -> tuple[Members, list[float]]:
        """Return the members of a line that are kept, and the values of the others."""
        row = self._reader.record(line)
        if row is not None:
            return {}, row
        read = self._reader.with_kept(line, self._kept.names, self._kept.is_valid)
        if read is None:
            raise self._refusal(line)
        return read

    def _refusal(self, line: bytes) -> InvalidInput:
        refusal = self._validator.refusal(line)
        if not refusal.faults:  # JSON but for a number that only some readers take
            refusal.faults.append(fault((), NOT_JSON, "json_invalid"))
        return refusal
