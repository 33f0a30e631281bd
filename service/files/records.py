"""Records: lines of JSON checked by what checks the body of POST /predict, and scored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import polars as pl
from msgspec import UNSET, UnsetType
from pydantic import TypeAdapter, ValidationError

from model.inference.predictor import Predictor
from service.errors import InvalidInput
from service.faults import FaultFinder, as_text, kept_names
from service.files.answer_columns import Answers, Scored
from service.files.writers import RAW_ID
from service.wire.ids import ID, MAX_DIGITS, id_fault, id_of
from service.wire.schemas import Record, record_type

BATCH_LINES = 10_000
"""So many lines are scored at once: what is said of bad ones can be far longer than they are."""

EXPECTED_ID = f"a string or a whole number of at most {MAX_DIGITS} digits"

Own: TypeAlias = dict[str, str | None]


class RecordScorer:
    """Scores lines that hold a JSON object each.

    Parameters
    ----------
    predictor : Predictor
        The model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._features = predictor.artifact.features
        self._kept = kept_names(self._features)
        self._answers = Answers(predictor)
        self._places = {
            "row": pl.Int64,
            **dict.fromkeys((ID, RAW_ID) if self._kept else (), pl.String),
        }
        self._record: TypeAdapter[Record] = TypeAdapter(record_type(self._features, self._kept))
        self._faults = FaultFinder(self._features, {}, self._kept)

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
        records: list[Record] = []
        places: list[dict[str, Any]] = []
        rejected: list[dict[str, Any]] = []
        for row, line in lines:
            try:
                record, own = self._read(line)
            except InvalidInput as refusal:
                reasons = " ".join(as_text(fault) for fault in refusal.faults)
                text = line.decode(errors="replace").rstrip()
                rejected.append({"row": row, "record": text, "reasons": reasons})
            else:
                records.append(record)
                places.append({"row": row, **own})
        return Scored(
            self._answers.table(pl.DataFrame(places, self._places), self._features.matrix(records)),
            pl.DataFrame(rejected, {"row": pl.Int64, "record": pl.String, "reasons": pl.String}),
        )

    def _read(self, line: bytes) -> tuple[Record, Own]:
        try:
            record = self._record.validate_json(line)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
            raise self._faults.refusal(errors, line) from None
        # Without kept fields there are as many colons as fields, see `Scorer`; a line that has
        # them, or other names, is parsed once more to see which.
        is_plain = len(record) == len(self._features) == line.count(b":")
        if not is_plain or ID in record:
            refusal = self._faults.refusal([], line)
            if refusal.faults:
                raise refusal
        return record, self._own(record, line) if self._kept else {}

    def _own(self, record: Record, line: bytes) -> Own:
        """Return the id of a record: its text, and the JSON that it was."""
        raw = id_of(line) if ID in record else UNSET
        if isinstance(raw, UnsetType):
            return {ID: None, RAW_ID: None}
        if raw is None:
            raise InvalidInput("The id is not valid.", [id_fault(EXPECTED_ID)])
        text = raw.decode()
        return {ID: json.loads(text) if text.startswith('"') else text, RAW_ID: text}
