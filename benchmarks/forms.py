"""`python -m benchmarks.forms`: what 1,000 rows cost in each shape, whatever names they use.

In process, without HTTP, beside orjson.loads of the same rows as objects of numbers.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import StringIO
from typing import Any, TypeAlias

import orjson

from benchmarks.figures import in_turns, least, seconds
from benchmarks.patients import Patients
from model.artifact.artifact import Artifact
from model.schema.features import FeatureSet
from service.protocols.native.scoring import Scorer
from service.protocols.native.streams import CsvStream, NdjsonStream, Stream
from tests.conftest import ARTIFACT

ROWS = 1000
ROUNDS = 60

Record: TypeAlias = Mapping[str, float | str]
Change: TypeAlias = Callable[[FeatureSet, Record], Record]


def main() -> None:
    """Print what each form costs, as a multiple of the parsing of numbers as objects."""
    scorer = Scorer(Artifact.load(ARTIFACT).predictor(), ROWS)
    features = scorer.predictor.features
    records = Patients(ARTIFACT).records(ROWS)
    parsed = json.dumps({"instances": records}, separators=(",", ":")).encode()
    runs: dict[str, Callable[[], object]] = {"": partial(orjson.loads, parsed)}
    for form, change in FORMS.items():
        rows = [change(features, record) for record in records]
        for shape, answer in SHAPES.items():
            runs[f"{shape:8} {form}"] = answer(scorer, rows)
    timed = {name: partial(seconds, run) for name, run in runs.items()}
    times = least(in_turns(ROUNDS, **timed))
    for name in [*runs][1:]:
        print(f"{name:24} {times[name] / times['']:6.2f}")  # noqa: T201


def _as_objects(scorer: Scorer, rows: Sequence[Record]) -> Callable[[], object]:
    body = json.dumps({"instances": rows}, separators=(",", ":")).encode()
    return partial(scorer.predict_batch, body)


def _as_table(scorer: Scorer, rows: Sequence[Record]) -> Callable[[], object]:
    table = {"columns": [*rows[0]], "data": [[*row.values()] for row in rows]}
    return partial(scorer.predict_batch, json.dumps(table, separators=(",", ":")).encode())


def _as_ndjson(scorer: Scorer, rows: Sequence[Record]) -> Callable[[], object]:
    lines = [json.dumps(row, separators=(",", ":")).encode() for row in rows]
    return partial(_answered, NdjsonStream, scorer, lines)


def _as_csv(scorer: Scorer, rows: Sequence[Record], **how: Any) -> Callable[[], object]:
    text = StringIO()
    csv.writer(text, lineterminator="\n", **how).writerows([rows[0], *(r.values() for r in rows)])
    return partial(_answered, CsvStream, scorer, text.getvalue().encode().splitlines())


def _answered(kind: type[Stream], scorer: Scorer, lines: Sequence[bytes]) -> bytes:
    stream = kind(scorer)
    rows = stream.without_header(lines)
    answers = stream.plain_answers(rows)
    return stream.written(stream.other_answers(rows) if answers is None else answers)


def _numbers(_: FeatureSet, record: Record) -> Record:
    return record


def _code_names(features: FeatureSet, record: Record) -> Record:
    names = {feature.name: dict(feature.codes) for feature in features}
    return {name: names[name].get(value, value) for name, value in record.items()}  # type: ignore[call-overload]


def _aliases(features: FeatureSet, record: Record) -> Record:
    by_name = features.by_accepted_name
    return {by_name[name].accepted_names[-1]: value for name, value in record.items()}


def _warned(features: FeatureSet, record: Record) -> Record:
    by_name = features.by_accepted_name
    return {n: v if by_name[n].is_coded else by_name[n].maximum for n, v in record.items()}


FORMS: Mapping[str, Change] = {
    "numbers": _numbers,
    "names of codes": _code_names,
    "aliases": _aliases,
    "both": lambda features, record: _aliases(features, _code_names(features, record)),
    "warned": _warned,
}
SHAPES: Mapping[str, Callable[[Scorer, Sequence[Record]], Callable[[], object]]] = {
    "objects": _as_objects,
    "table": _as_table,
    "NDJSON": _as_ndjson,
    "CSV": _as_csv,
    "quoted": partial(_as_csv, quoting=csv.QUOTE_NONNUMERIC),
}


if __name__ == "__main__":
    main()
