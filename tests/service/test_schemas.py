"""A model of other columns is served without a line of new code."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from model.artifact.artifact import Artifact
from model.inference.pipeline import Pipeline
from model.network.network import NeuralNetwork
from model.network.parameters import parameter_shapes
from model.schema.encoding import Encoding
from model.schema.features import Feature, FeatureSet
from service.errors import InvalidInput
from service.protocols.native.schemas import prediction_schemas
from service.protocols.native.scoring import Scorer

FEATURES = FeatureSet(
    [
        Feature("x", "Abscissa", "continuous", 0.5, minimum=-2.0, maximum=3.0),
        Feature("y", "Ordinate", "continuous", 0.5, minimum=-2.0, maximum=3.0, unit="m"),
        Feature(
            "class", "Class", "nominal", -1, codes=((-1, "low"), (7, "high")), aliases=("a b",)
        ),
        Feature("json", "JSON", "count", 1, maximum=9.0, aliases=("copy", "model_config")),
        Feature("model_x", "X", "binary", 0, codes=((0, "no"), (1, "yes")), aliases=("_x", "1st")),
        Feature("instances", "Number of instances", "count", 1, maximum=9.0, aliases=("0",)),
    ]
)
RECORD = {"x": 0.5, "y": -2, "class": -1, "json": 1, "model_x": 0, "instances": 2}
ALIASED = {"instances": 2, "1st": "no", "copy": 1.0, "a b": "low", "y": -2.0, "x": 5e-1}


def _artifact(features: FeatureSet) -> Artifact:
    rng = np.random.default_rng(0)
    sizes = (len(features), 3, 1)
    shapes = parameter_shapes(sizes).items()
    parameters = {name: rng.normal(size=shape) for name, shape in shapes}
    network = NeuralNetwork(sizes, "tanh", "sigmoid", parameters)
    zeros, ones = np.zeros(len(features)), np.ones(len(features))
    pipeline = Pipeline(Encoding.plain(features), zeros, ones, network)
    inputs = features.golden_inputs()
    return Artifact(
        name="other",
        features=features.observe(inputs),
        labels=("no", "yes"),
        threshold=0.5,
        threshold_reason="",
        pipeline=pipeline,
        golden_inputs=inputs,
        golden_probabilities=pipeline.predict_proba(inputs)[:, 0],
    )


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(_artifact(FEATURES).predictor(), max_rows=10)


def _predict(scorer: Scorer, record: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(scorer.predict(json.dumps(record).encode()).body)
    return answer


def _faults(scorer: Scorer, body: bytes, *, batch: bool = False) -> list[tuple[Any, str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        (scorer.predict_batch if batch else scorer.predict)(body)
    return [(fault["loc"], fault["type"], fault["msg"]) for fault in refusal.value.faults]


def test_records_of_other_columns_are_predicted(scorer: Scorer) -> None:
    (probability,) = scorer.predictor.predict_records([RECORD])
    assert _predict(scorer, RECORD)["probability"] == probability
    assert _predict(scorer, ALIASED) == _predict(scorer, RECORD)


def test_a_batch_of_other_columns_is_predicted(scorer: Scorer) -> None:
    body = json.dumps({"instances": [RECORD, ALIASED]}).encode()
    first, second = json.loads(scorer.predict_batch(body).body)["predictions"]
    assert first == second
    assert first["probability"] == _predict(scorer, RECORD)["probability"]


def test_the_faults_of_other_columns_are_reported_in_their_words(scorer: Scorer) -> None:
    body = b'{"x": 4, "y": null, "class": 0, "json": 2.5, "_x": true, "instances": [], "zz": 1}'
    assert _faults(scorer, body) == [
        (["body", "x"], "out_of_range", "Expected a number from -2 to 3."),
        (["body", "y"], "null", "Null is not accepted; expected a number from -2 to 3 (m)."),
        (["body", "class"], "unknown_code", "Expected -1 (low) or 7 (high)."),
        (["body", "json"], "not_whole", "Expected a whole number from 0 to 9."),
        (["body", "_x"], "unknown_code", "Expected 0 (no) or 1 (yes)."),
        (["body", "instances"], "not_a_number", "Expected a whole number from 0 to 9."),
        (["body", "zz"], "unknown_field", "Unknown field; remove it."),
    ]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"instances": 3}', (["body", "instances"], "not_a_list", "a list of records")),
        (b'{"instances": [7]}', (["body", "instances", 0], "not_an_object", "a JSON object")),
    ],
)
def test_a_column_named_as_a_part_of_the_batch_is_not_mistaken_for_it(
    scorer: Scorer, body: bytes, found: tuple[Any, str, str]
) -> None:
    assert _faults(scorer, body, batch=True) == [(*found[:2], f"Expected {found[2]}.")]


def test_the_schema_of_other_columns_is_their_own() -> None:
    record = prediction_schemas(_artifact(FEATURES), 10)["InputRecord"]
    schema = TypeAdapter(record).json_schema(mode="serialization")
    properties = schema["properties"]
    assert schema["required"] == FEATURES.names
    assert list(properties) == [*FEATURES.names, "id"]
    codes, names = properties["class"]["anyOf"]
    assert codes == {"title": "class code", "type": "integer", "enum": [-1, 7]}
    assert names == {"title": "class name", "type": "string", "enum": ["low", "high"]}
    assert (properties["x"]["minimum"], properties["x"]["maximum"]) == (-2, 3)
    assert (properties["json"]["multipleOf"], properties["y"]["x-unit"]) == (1, "m")


def test_one_column_is_enough() -> None:
    scorer = Scorer(_artifact(FeatureSet([FEATURES[0]])).predictor(), max_rows=10)
    (probability,) = scorer.predictor.predict_records([{"x": 1.0}])
    assert _predict(scorer, {"x": 1})["probability"] == probability
