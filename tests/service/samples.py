"""Records and their JSON, made from the features of the served model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from model.artifact.artifact import Artifact
from model.schema.features import Feature, FeatureSet
from tests.conftest import ARTIFACT

FEATURES: FeatureSet = Artifact.load(ARTIFACT).features
CODED = [feature for feature in FEATURES if feature.is_coded]
MEASURED = [feature for feature in FEATURES if not feature.is_coded]

JSON = {"Content-Type": "application/json"}
PROBLEM = "application/problem+json"


def example(**changes: Any) -> dict[str, Any]:
    return {**FEATURES.example(), **changes}


def raw(changes: Mapping[str, str], record: Mapping[str, Any] | None = None) -> str:
    """Return a record as JSON, some values of which stand there as the text given."""
    texts = {name: json.dumps(value) for name, value in (record or example()).items()}
    texts.update(changes)
    return as_object((json.dumps(name), text) for name, text in texts.items())


def as_object(pairs: Iterable[tuple[str, str]]) -> str:
    return f"{{{', '.join(f'{name}: {value}' for name, value in pairs)}}}"


def with_pairs(*pairs: str) -> str:
    """Return the example as JSON with more pairs at its end."""
    return f"{json.dumps(example())[:-1]}, {', '.join(pairs)}}}"


def values(feature: Feature) -> st.SearchStrategy[float]:
    if feature.is_coded:
        return st.sampled_from([float(code) for code, _ in feature.codes])
    if feature.kind == "count":
        return st.integers(int(feature.minimum), int(feature.maximum)).map(float)
    return st.floats(feature.minimum, feature.maximum)


RECORDS: st.SearchStrategy[dict[str, float]] = st.fixed_dictionaries(
    {feature.name: values(feature) for feature in FEATURES}
)


def random_records(rows: int, seed: int) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    columns = {
        feature.name: rng.choice([float(code) for code, _ in feature.codes], rows)
        if feature.is_coded
        else rng.integers(int(feature.minimum), int(feature.maximum), rows, endpoint=True)
        if feature.kind == "count"
        else rng.uniform(feature.minimum, feature.maximum, rows)
        for feature in FEATURES
    }
    return [{name: float(column[row]) for name, column in columns.items()} for row in range(rows)]
