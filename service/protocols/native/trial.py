"""The trial: the example answered in every form, before a model is served."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any

from pydantic_core import from_json, to_json

from model.schema.features import FeatureSet
from service.protocols.native.scoring import Scorer
from service.protocols.native.streams import STREAMS


class TrialError(Exception):
    """Forms of one record that do not get the same answer."""


def try_out(scorer: Scorer) -> None:
    """Compute the golden rows, and answer the example in every form.

    Parameters
    ----------
    scorer : Scorer
        What answers.

    Raises
    ------
    TrialError
        When one of the answers is not that of the others.
    Exception
        Whatever an answer fails with.
    """
    if not scorer.predictor.is_sound():
        raise TrialError("golden rows")
    features = scorer.predictor.features
    for record in _records(features):
        first, *others = map(_probabilities, _answers(scorer, record))
        if any(other != first for other in others):
            raise TrialError("forms")


def _records(features: FeatureSet) -> Iterator[dict[str, Any]]:
    """Yield the example as it is, by the last of all names, of codes too, and without values."""
    yield features.example()
    by_names = features.with_names_only().example()
    yield {feature.accepted_names[-1]: by_names[feature.name] for feature in features}
    missing = {feature.name: None for feature in features if feature.is_optional}
    if missing:
        yield features.example() | missing


def _answers(scorer: Scorer, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    line = to_json(record)
    yield from_json(scorer.predict(line).body)
    batch = to_json({"instances": [record]})
    for answer in (scorer.predict_batch, scorer.predict_row_by_row):
        yield from_json(answer(batch).body)["predictions"][0]
    names, values = _csv(record), _csv({name: name for name in record})
    table = to_json({"columns": [*record], "data": [[*record.values()]]})
    for answer in (scorer.predict_batch, scorer.predict_row_by_row):
        found = from_json(answer(table).body)
        yield dict(zip(found["columns"], found["data"][0], strict=True))
    for stream_type, lines in zip(STREAMS.values(), ([line], [values, names]), strict=True):
        stream = stream_type(scorer)
        rows = stream.without_header(lines)
        for answers in (stream.plain_answers(rows), stream.other_answers(rows)):
            if answers:
                stream.written(answers)
                yield answers[0]


def _csv(cells: dict[str, Any]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(cells.values())
    return text.getvalue().encode()


def _probabilities(answer: dict[str, Any]) -> list[float]:
    """Return what an answer of any form says of each class."""
    if "probabilities" in answer:
        return [*answer["probabilities"].values()]
    return [value for name, value in answer.items() if name.startswith("probability")]
