"""Records: lines of JSON checked by what checks the body of POST /predict, and scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from msgspec import UnsetType

from model.inference.predictor import Predictor
from service.errors import InvalidInput
from service.faults import as_text, kept_names
from service.files.formats.answer_columns import Answers, Scored
from service.files.formats.writers import RAW_ID
from service.validation.record_validation import Validator
from service.wire.ids import ID, text_of
from service.wire.record_reader import Id, RecordReader

BATCH_LINES = 10_000
"""So many lines are scored at once: what is said of bad ones can be far longer than they are."""

Own: TypeAlias = dict[str, str | None]


class RecordScorer:
    """Scores lines that hold a JSON object each.

    Parameters
    ----------
    predictor : Predictor
        The model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._features = predictor.features
        self._kept = kept_names(self._features)
        self._answers = Answers(predictor)
        self._places = {
            "row": pl.Int64,
            **dict.fromkeys((ID, RAW_ID) if self._kept else (), pl.String),
        }
        self._reader = RecordReader(self._features)
        self._validator = Validator(self._features)

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
        places: list[dict[str, Any]] = []
        rejected: list[dict[str, Any]] = []
        for row, line in lines:
            try:
                own, numbers = self._read(line)
            except InvalidInput as refusal:
                reasons = " ".join(as_text(fault) for fault in refusal.faults)
                text = line.decode(errors="replace").rstrip()
                rejected.append({"row": row, "record": text, "reasons": reasons})
            else:
                values.append(numbers)
                places.append({"row": row, **own})
        X = np.array(values, np.float64).reshape(-1, len(self._features))
        return Scored(
            self._answers.table(pl.DataFrame(places, self._places), X),
            pl.DataFrame(rejected, {"row": pl.Int64, "record": pl.String, "reasons": pl.String}),
        )

    def _read(self, line: bytes) -> tuple[Own, list[float]]:
        read = self._reader.line(line)
        if read is None:
            raise self._validator.refusal(line)
        own, numbers = read
        return self._own(own) if self._kept else {}, numbers

    def _own(self, own: Id) -> Own:
        """Return the id of a record: its text, and the JSON that it was."""
        if isinstance(own, UnsetType):
            return {ID: None, RAW_ID: None}
        return {ID: text_of(bytes(own)), RAW_ID: bytes(own).decode()}
