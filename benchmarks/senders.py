"""What people send: different records in each form that is accepted, with three clients' heads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import cycle
from typing import Any, TypeAlias

import numpy as np

from benchmarks.patients import Patients
from benchmarks.servers import JSON, Question
from model.schema.features import Feature

MIX = "mix"

FORMS = {
    MIX: "made-up records, half of the codes by name, a quarter of the fields by alias",
    "numbers": "numbers under the fields' own names",
    "names": "names of codes",
    "aliases": "aliases",
    "warned": "a value that causes a warning",
}
"""What each is called in the table."""

RECORDS = 200
"""Of each form."""

CLIENTS = (
    {"User-Agent": "curl/8.5.0", "Accept": "*/*", **JSON},
    {
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Connection": "keep-alive",
        "User-Agent": "python-httpx/0.28.1",
        **JSON,
    },
    {
        "Connection": "keep-alive",
        "sec-ch-ua-platform": '"Linux"',
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/131.0.0.0 Safari/537.36",
        "sec-ch-ua": '"Chromium";v="131", "Not_A Brand";v="24"',
        **JSON,
        "sec-ch-ua-mobile": "?0",
        "Accept": "*/*",
        "Origin": "http://127.0.0.1:8000",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Dest": "empty",
        "Referer": "http://127.0.0.1:8000/docs",
        "Accept-Encoding": "gzip, deflate, br",
        "Accept-Language": "en-US,en;q=0.9",
    },
)
"""The headers of curl, of httpx and of a browser's fetch."""

Row: TypeAlias = dict[str, float]


def forms(patients: Patients) -> dict[str, list[Question]]:
    """Return the questions of each form; the answers of `warned` and of most of `mix` warn."""
    rng = np.random.default_rng(0)
    rows = patients.records(RECORDS)
    made_up = [_made_up(patients, rng) for _ in range(RECORDS)]
    unseen = [{**row, **_unseen(patients, rng)} for row in rows]
    asked = partial(_questions, patients, rng)
    return {
        MIX: asked(made_up, by_name=1 / 2, by_alias=1 / 4),
        "numbers": asked(rows),
        "names": asked(rows, by_name=1),
        "aliases": asked(rows, by_alias=1),
        "warned": asked(unseen),
    }


def _questions(
    patients: Patients,
    rng: np.random.Generator,
    rows: Sequence[Row],
    by_name: float = 0,
    by_alias: float = 0,
) -> list[Question]:
    """Return questions, with the probabilities that a code has its name and a field its alias."""
    questions = []
    for row, headers in zip(rows, cycle(CLIENTS), strict=False):
        record: dict[str, Any] = {}
        for feature in patients.features:
            value: Any = row[feature.name]
            if feature.is_coded and rng.random() < by_name:
                value = dict(feature.codes)[int(value)]
            has_alias = feature.aliases and rng.random() < by_alias
            record[feature.aliases[0] if has_alias else feature.name] = value
        probability = float(patients.predictor.predict_records([row])[0])
        body = json.dumps(record).encode()
        questions.append(
            Question("POST", "/predict", body, headers, 1, ("probability",), probability)
        )
    return questions


def _made_up(patients: Patients, rng: np.random.Generator) -> Row:
    return {feature.name: _value(feature, rng) for feature in patients.features}


def _value(feature: Feature, rng: np.random.Generator) -> float:
    if feature.is_coded:
        return int(rng.choice([code for code, _ in feature.codes]))
    if feature.kind == "count":
        return int(rng.integers(int(feature.minimum), int(feature.maximum), endpoint=True))
    return round(float(rng.uniform(feature.minimum, feature.maximum)), 1)


def _unseen(patients: Patients, rng: np.random.Generator) -> Row:
    """Return a plausible value of one measurement, above all that training saw."""
    features = [f for f in patients.features if not f.is_coded and max(f.observed) < f.maximum]
    feature = features[rng.integers(len(features))]
    return {feature.name: feature.maximum}
