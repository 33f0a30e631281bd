"""Examples for the documents, made from the features: no patient is among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic_core import from_json, to_json

from model.schema.features import FeatureSet
from service.errors import InvalidInput
from service.http.openapi import Example, as_lines
from service.http.problems import MEDIA_TYPE, kind_of, problem_body
from service.protocols.native.scoring import Answered, AnsweredBatch, Scorer
from service.protocols.native.streams import STREAMS


def named_examples(features: FeatureSet) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the same record with codes and with their names, where both are accepted.

    Where values may be missing, it is there without them too.
    """
    record = features.example()
    by_names = features.with_names_only().example()
    missing = {feature.name: None for feature in features if feature.is_optional}
    without = {"missing": ("Without the values that may be missing", record | missing)}
    if by_names == record:
        return {"record": ("A record", record), **(without if missing else {})}
    return {
        "codes": ("Coded columns by their codes", record),
        "names": ("Coded columns by the names of their codes", by_names),
        **(without if missing else {}),
    }


def answer_examples(scorer: Scorer) -> list[Example]:
    """Return what each operation that predicts answers to the example, and to one with faults.

    Parameters
    ----------
    scorer : Scorer
        What answers.
    """
    record = scorer.predictor.features.example()
    # Whatever the features are, a missing field is a fault, and so is a list for a value.
    _, *others, last = record
    bad = {name: record[name] for name in others} | {last: []}
    return [
        _answer("predict", scorer.predict, record),
        _answer("predict", scorer.predict, bad),
        _answer("predict_batch", scorer.predict_batch, {"instances": [record]}),
        _answer("predict_batch", scorer.predict_batch, {"instances": [bad]}),
        *_lines_answers(scorer, record),
    ]


def _answer(
    operation: str, ask: Callable[[bytes], Answered | AnsweredBatch], body: object
) -> Example:
    try:
        return Example(operation, from_json(ask(to_json(body)).body))
    except InvalidInput as refusal:
        return Example(operation, problem_body(refusal), kind_of(refusal).status, MEDIA_TYPE)


def _lines_answers(scorer: Scorer, record: dict[str, Any]) -> Iterator[Example]:
    for media_type, text in as_lines(record).items():
        stream = STREAMS[media_type](scorer)
        rows = stream.without_header(text.encode().splitlines())
        answers = stream.other_answers(rows)
        answer = (stream.header() + stream.written(answers)).decode()
        yield Example("predict_batch", answer, media_type=media_type)
