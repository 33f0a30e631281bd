"""The export to ONNX: both runtimes give the model's probabilities and labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.errors import ExportError
from model.export import onnx_export
from model.export.onnx_export import TOLERANCE, compared_rows, export_onnx, of_each_class
from model.export.onnx_graph import onnx_model
from model.inference.pipeline import Pipeline
from model.network.activations import ACTIVATIONS
from model.network.initializers import glorot_uniform
from model.network.network import NeuralNetwork
from model.recipes.recipes import find_recipe
from model.schema.classes import predicted_classes
from model.schema.encoding import Encoding
from model.schema.features import Feature, FeatureSet
from tests.conftest import ARTIFACT, ROOT
from tests.optional import OPTIONAL, optional_artifact
from tests.variants import shifted

COMMITTED = Artifact.load(ARTIFACT)
CLIPS = [(0, (30.0, 45.0)), (0, (45.0, 60.0)), (1, (2.0, 5.5)), (2, (-np.inf, 80.0))]


def made_model(hidden: str, output: str, outputs: int, bias: float = 0.0) -> Artifact:
    """Return a model of a table with missing values, codes, clipped copies and two layers."""
    encoding = Encoding([CLIPS[0], *Encoding.for_table(OPTIONAL).columns, *CLIPS[1:]])
    sizes = (len(encoding), 8, 5, outputs)
    parameters = glorot_uniform(sizes, 0)
    parameters["b3"] = parameters["b3"] + bias + np.arange(outputs)
    like = optional_artifact(COMMITTED)
    rng = np.random.default_rng(0)
    pipeline = replace(
        like.pipeline,
        encoding=encoding,
        mean=np.where(encoding.is_indicator, 0.0, rng.uniform(-50, 50, len(encoding))),
        scale=np.where(encoding.is_indicator, 1.0, rng.uniform(10, 50, len(encoding))),
        network=NeuralNetwork(sizes, hidden, output, parameters),
    )
    is_binary = outputs < 3
    return replace(
        like,
        pipeline=pipeline,
        labels=("no", "yes") if is_binary else ("a", "b", "c"),
        threshold=0.3 if is_binary else None,
        golden_probabilities=pipeline.class_probabilities(like.golden_inputs),
    )


def committed(name: str) -> Callable[[], Artifact]:
    return lambda: Artifact.load(ROOT / "artifacts" / f"{name}.npz")


MODELS: dict[str, Callable[[], Artifact]] = {
    "heart": committed("heart"),
    "moons": committed("moons"),
    "iris": committed("iris"),
    "heart-tutorial": find_recipe("heart-tutorial").train,
    "missing values": lambda: optional_artifact(COMMITTED),
    "clips, tanh, one output": lambda: made_model("tanh", "sigmoid", 1),
    "clips, relu, softmax": lambda: made_model("relu", "softmax", 3),
    "clips, sigmoid, two outputs": lambda: made_model("sigmoid", "sigmoid", 2),
    "clips, identity, three outputs": lambda: made_model("identity", "sigmoid", 3),
    "small outputs": lambda: made_model("tanh", "sigmoid", 3, bias=-60.0),
}


@pytest.fixture(scope="module", params=[*MODELS.values()], ids=[*MODELS])
def model(request: pytest.FixtureRequest) -> Artifact:
    made: Artifact = request.param()
    return made


@pytest.fixture(scope="module")
def content(model: Artifact) -> bytes:
    return export_onnx(model).content


def made_up_rows(artifact: Artifact, number: int = 1000) -> Array:
    """Return valid rows, some of whose values are missing, or outside of what training saw."""
    rng = np.random.default_rng(1)
    columns = []
    for feature in artifact.features:
        if feature.is_coded:
            column = rng.choice([float(code) for code, _ in feature.codes], number)
        else:
            column = rng.uniform(feature.minimum, feature.maximum, number)
            low, high = feature.observed
            column[: number // 2] = rng.uniform(low, high, number // 2)
            column = np.rint(column) if feature.kind == "count" else column
        if feature.is_optional:
            column[rng.random(number) < 0.3] = np.nan
        columns.append(column)
    return np.column_stack(columns)


def by_onnxruntime(content: bytes, rows: Array) -> tuple[Array, Any]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    probabilities, labels = session.run(None, {"X": rows})
    return probabilities, labels


def by_reference(content: bytes, rows: Array) -> tuple[Array, Any]:
    session: Any = ReferenceEvaluator(onnx.load_from_string(content))
    probabilities, labels = session.run(None, {"X": rows})
    return probabilities, labels


RUNTIMES = pytest.mark.parametrize("run", [by_onnxruntime, by_reference])


@RUNTIMES
def test_a_runtime_gives_the_probabilities_and_labels_of_the_model(
    model: Artifact, content: bytes, run: Callable[[bytes, Array], tuple[Array, Any]]
) -> None:
    rows = np.concatenate([compared_rows(model), made_up_rows(model)])
    given, labels = run(content, rows)
    expected = model.predictor().predict_proba(rows)
    assert given.dtype == np.float64
    assert given.shape == (len(rows), len(model.labels))
    np.testing.assert_allclose(given, of_each_class(expected), rtol=0, atol=TOLERANCE)
    decided = given if expected.ndim == 2 else given[:, 1]
    predicted = predicted_classes(decided, model.threshold)
    assert labels.tolist() == [model.labels[index] for index in predicted]


@RUNTIMES
def test_a_row_may_come_alone_and_none_at_all(
    run: Callable[[bytes, Array], tuple[Array, Any]],
) -> None:
    content = export_onnx(COMMITTED).content
    rows = COMMITTED.golden_inputs
    for number in (1, 0):
        probabilities, labels = run(content, rows[:number])
        expected = of_each_class(COMMITTED.golden_probabilities[:number])
        np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-9)
        assert labels.shape == (number,)


@RUNTIMES
def test_the_threshold_itself_is_not_exceeded(
    run: Callable[[bytes, Array], tuple[Array, Any]],
) -> None:
    # With all weights 0 the probability is 0.5 to the last bit.
    network = COMMITTED.pipeline.network
    zeros = network.with_parameters({key: 0.0 * W for key, W in network.parameters.items()})
    pipeline = replace(COMMITTED.pipeline, network=zeros)
    at_threshold = replace(COMMITTED, pipeline=pipeline, threshold=0.5)
    _, labels = run(export_onnx(at_threshold).content, COMMITTED.golden_inputs)
    assert set(labels.tolist()) == {COMMITTED.labels[0]}


def test_the_rows_compared_are_valid_and_hold_all_kinds_of_values() -> None:
    artifact = optional_artifact(COMMITTED)
    rows = compared_rows(artifact)
    for feature, column in zip(artifact.features, rows.T, strict=True):
        known = column[~np.isnan(column)]
        assert all(map(feature.accepts, known))
        assert (len(known) < len(column)) == feature.is_optional
        if not feature.is_coded:
            low, high = feature.observed
            is_observed = (known >= low) & (known <= high)
            assert 0.5 < is_observed.mean() < 1.0


def test_the_file_describes_the_model(model: Artifact, content: bytes) -> None:
    graph = onnx.load_from_string(content)
    told = {item.key: item.value for item in graph.metadata_props}
    assert (told.pop("name"), told.pop("version")) == (model.name, model.version)
    assert {key: json.loads(text) for key, text in told.items()} == {
        "feature_names": model.features.names,
        "features": json.loads(json.dumps(model.features.to_json())),
        "classes": list(model.labels),
        "threshold": model.threshold,
    }
    assert [item.name for item in graph.graph.input] == ["X"]
    assert [item.name for item in graph.graph.output] == ["probabilities", "label"]


def test_an_export_is_the_same_to_the_last_byte(model: Artifact, content: bytes) -> None:
    again = export_onnx(model)
    assert again.content == content
    assert again.rows == len(model.golden_inputs) + 2000
    assert again.deviation < TOLERANCE


def test_every_activation_is_exported() -> None:
    hidden = {made().pipeline.network.hidden_activation for made in MODELS.values()}
    output = {made().pipeline.network.output_activation for made in MODELS.values()}
    assert hidden | output == set(ACTIVATIONS)


@pytest.mark.parametrize("by", [1e-9, np.nan])
def test_a_graph_that_deviates_is_refused(monkeypatch: pytest.MonkeyPatch, by: float) -> None:
    monkeypatch.setattr(
        onnx_export, "onnx_model", lambda artifact: onnx_model(shifted(artifact, by))
    )
    with pytest.raises(ExportError, match=r"deviates by .* at most 1e-12 is allowed; nothing"):
        export_onnx(COMMITTED)


def test_a_model_whose_answers_hang_on_rounding_is_refused() -> None:
    # The sums of the folded first layer are near 1e9, so that seven digits are left of a value.
    far = Feature("far", "", "continuous", 1e9, "", 1e9, 1e9 + 10, observed=(1e9, 1e9 + 10))
    features = FeatureSet([far])
    network = NeuralNetwork((1, 4, 1), "tanh", "sigmoid", glorot_uniform((1, 4, 1), 0))
    mean, scale = np.array([1e9 + 5]), np.array([3.1])
    pipeline = Pipeline(Encoding.plain(features), mean, scale, network)
    golden = features.golden_inputs()
    model = replace(COMMITTED, features=features, pipeline=pipeline, golden_inputs=golden)
    with pytest.raises(ExportError, match="deviates"):
        export_onnx(model)
