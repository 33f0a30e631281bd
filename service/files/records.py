"""Records: lines of JSON checked by what checks the body of POST /predict, and scored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from model.predictor import Predictor
from service.errors import InvalidInput
from service.faults import FaultFinder, as_text, kept_names
from service.files.answers import Answers, Scored
from service.schemas import Record, record_type


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
        self._record: TypeAdapter[Record] = TypeAdapter(record_type(self._features, self._kept))
        self._faults = FaultFinder(self._features, {}, self._kept)

    def score(self, lines: Iterable[tuple[int, bytes]]) -> Scored:
        """Score the good lines; say of the bad ones what is wrong.

        Parameters
        ----------
        lines : iterable of (int, bytes)
            Number and content of each.
        """
        records: list[Record] = []
        places: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for row, line in lines:
            try:
                record = self._read(line)
            except InvalidInput as refusal:
                reasons = " ".join(as_text(fault) for fault in refusal.faults)
                text = line.decode(errors="replace").rstrip()
                refused.append({"row": row, "record": text, "reasons": reasons})
            else:
                records.append(record)
                places.append(
                    {"row": row, **{name: _text(record.get(name)) for name in self._kept}}
                )
        kept = dict.fromkeys(self._kept, pl.String)
        return Scored(
            self._answers.table(
                pl.DataFrame(places, {"row": pl.Int64, **kept}), self._features.matrix(records)
            ),
            pl.DataFrame(refused, {"row": pl.Int64, "record": pl.String, "reasons": pl.String}),
        )

    def _read(self, line: bytes) -> Record:
        try:
            record = self._record.validate_json(line)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
            raise self._faults.refusal(errors, line) from None
        # Without kept fields there are as many colons as fields, see `Scorer`; a line that has
        # them, or other names, is parsed once more to see which.
        if not len(record) == len(self._features) == line.count(b":"):
            refusal = self._faults.refusal([], line)
            if refusal.faults:
                raise refusal
        return record


def _text(value: object) -> str | None:
    return None if value is None else str(value)
