"""Missing values: the same probability in every form of the model, and the mean in their place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.data.dataset import Dataset
from model.errors import ArtifactError
from model.inference.pipeline import Pipeline
from model.network.initializers import standard_normal
from model.network.losses import BinaryCrossEntropy
from model.network.network import NeuralNetwork
from model.network.optimizers import Adam
from model.recipes.design import Design
from model.schema.encoding import Encoding
from model.schema.features import Feature, FeatureSet
from tests.conftest import ARTIFACT
from tests.model.properties import PROPERTY
from tests.optional import AGE, AREA, OPTIONAL, WARD, WEIGHT, optional_artifact, optional_pipeline

COMMITTED = Artifact.load(ARTIFACT)
MODEL = optional_artifact(COMMITTED)
PREDICTOR = MODEL.predictor()


def rows_with_missing(rows: int, seed: int = 0) -> Array:
    """Return possible rows, a third of whose optional values are missing."""
    rng = np.random.default_rng(seed)
    X = rng.permutation(OPTIONAL.golden_inputs(rows))
    optional = list(OPTIONAL.rules.optional)
    X[:, optional] = np.where(rng.random((rows, len(optional))) < 1 / 3, np.nan, X[:, optional])
    assert OPTIONAL.rules.accepts(X).all()
    return X


def imputed(X: Array, pipeline: Pipeline) -> Array:
    """Return encoded rows that were filled by hand."""
    encoded: list[Array] = []
    for source, code in pipeline.encoding.columns:
        column, mean = X[:, source], pipeline.mean[len(encoded)]
        if code == "missing":
            encoded.append(np.isnan(column).astype(float))
        elif code is None:
            encoded.append(np.where(np.isnan(column), mean, column))
        else:
            encoded.append((column == code).astype(float))
    return np.column_stack(encoded)


def test_a_table_is_encoded_with_an_indicator_for_each_optional_column() -> None:
    encoding = Encoding.for_table(OPTIONAL)
    assert encoding.columns == (
        (0, None), (1, None), (2, None), (3, None), (4, None),
        (5, 0.0), (5, 1.0), (5, 2.0), (6, 3.0), (6, 6.0), (6, 7.0),
        (0, "missing"), (1, "missing"), (3, "missing"), (5, "missing"), (6, "missing"),
    )  # fmt: skip
    assert encoding.is_indicator.tolist() == [False] * 5 + [True] * 11
    assert encoding.is_filled.tolist() == [True, True, False, True] + [False] * 12
    row = np.array([[np.nan, 3.0, 70.0, np.nan, 0.0, np.nan, 7.0]])
    np.testing.assert_array_equal(
        encoding.transform(row),
        [[np.nan, 3, 70, np.nan, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0]],
    )
    assert Encoding.for_table(COMMITTED.features).columns == (
        Encoding.one_hot(COMMITTED.features).columns
    )


def test_a_missing_value_is_the_mean_for_the_network() -> None:
    X, pipeline = rows_with_missing(200), MODEL.pipeline
    scaled = (imputed(X, pipeline) - pipeline.mean) / pipeline.scale
    expected = pipeline.network.predict_proba(scaled)[:, 0]
    np.testing.assert_allclose(pipeline.class_probabilities(X), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(PREDICTOR.predict_proba(X), expected, rtol=0, atol=1e-12)


@PROPERTY
@given(rows=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_a_row_with_missing_values_is_the_same_alone_and_among_others(rows: int, seed: int) -> None:
    X = rows_with_missing(rows, seed)
    together = PREDICTOR.predict_proba(X)
    alone = np.array([PREDICTOR.predict_row(row) for row in X.tolist()])
    each = np.concatenate([PREDICTOR.predict_proba(X[n : n + 1]) for n in range(rows)])
    assert together.tobytes() == alone.tobytes() == each.tobytes()
    order = np.random.default_rng(seed).permutation(rows)
    assert PREDICTOR.predict_proba(X[order]).tobytes() == together[order].tobytes()
    assert np.isfinite(together).all()


def test_a_stack_fills_each_member_with_its_own_mean() -> None:
    members = [optional_pipeline(seed=seed) for seed in range(3)]
    networks = [member.network for member in members]
    parameters = {
        key: np.stack([network.parameters[key] for network in networks])
        for key in networks[0].parameters
    }
    stack = replace(
        members[0],
        mean=np.stack([member.mean for member in members]),
        scale=np.stack([member.scale for member in members]),
        network=networks[0].with_parameters(parameters),
    )
    X = rows_with_missing(50)
    found = stack.class_probabilities(X)
    for number, member in enumerate(members):
        assert found[number].tobytes() == member.class_probabilities(X).tobytes()
        assert stack.member(number).class_probabilities(X).tobytes() == found[number].tobytes()


def test_several_classes_are_predicted_beside_missing_values() -> None:
    encoding = Encoding.for_table(OPTIONAL)
    sizes = (len(encoding), 5, 3)
    network = NeuralNetwork(sizes, "relu", "softmax", standard_normal(sizes, 1))
    pipeline = replace(MODEL.pipeline, network=network)
    artifact = replace(
        MODEL,
        labels=("a", "b", "c"),
        threshold=None,
        pipeline=pipeline,
        golden_probabilities=pipeline.class_probabilities(MODEL.golden_inputs),
    )
    predictor, X = artifact.predictor(), rows_with_missing(50)
    assert predictor.is_sound()
    alone = np.array([predictor.predict_row(row) for row in X.tolist()])
    assert alone.tobytes() == predictor.predict_proba(X).tobytes()


def test_nan_where_none_may_be_is_never_filled() -> None:
    X = OPTIONAL.golden_inputs()
    X[:, OPTIONAL.names.index("weight")] = np.nan
    assert np.isnan(PREDICTOR.predict_proba(X)).all()
    assert np.isnan(MODEL.pipeline.predict_proba(X)).all()
    assert not OPTIONAL.rules.accepts(X).all(axis=1).any()


def test_golden_rows_have_missing_values_in_every_optional_column_and_no_other() -> None:
    rows = OPTIONAL.golden_inputs()
    assert rows.tobytes() == OPTIONAL.golden_inputs().tobytes()
    missing = np.isnan(rows)
    optional = np.isin(np.arange(len(OPTIONAL)), OPTIONAL.rules.optional)
    assert missing[:, optional].any(axis=0).all()
    assert not missing[:, ~optional].any()
    assert missing[0, optional].all()
    assert (~missing[:, optional]).any(axis=0).all()
    refusing = FeatureSet(replace(f, missing="refuse", missing_cells=()) for f in OPTIONAL)
    assert not np.isnan(refusing.golden_inputs()).any()
    assert OPTIONAL.rules.accepts(rows).all()


def test_an_artifact_comes_back_with_all_that_it_says_of_its_features(tmp_path: Path) -> None:
    saved = MODEL.save(tmp_path / "optional.npz")
    loaded = Artifact.load(tmp_path / "optional.npz")
    assert loaded.is_in(saved)
    assert list(loaded.features) == list(OPTIONAL)
    assert loaded.pipeline.encoding.columns == MODEL.pipeline.encoding.columns
    np.testing.assert_array_equal(loaded.golden_inputs, MODEL.golden_inputs)
    X = rows_with_missing(50)
    assert loaded.predictor().predict_proba(X).tobytes() == PREDICTOR.predict_proba(X).tobytes()


def test_a_field_that_is_as_by_default_is_left_out_of_the_artifact() -> None:
    (plain,) = FeatureSet([replace(AGE, missing="refuse", missing_cells=())]).to_json()
    assert plain.keys() == {
        "name", "description", "kind", "example", "unit", "minimum", "maximum", "codes", "aliases",
        "observed",
    }  # fmt: skip
    age, area, ward = FeatureSet([AGE, AREA, WARD]).to_json()
    assert age.keys() - plain.keys() == {"missing", "missing_cells"}
    assert area.keys() - plain.keys() == {"missing", "texts_only", "other"}
    assert ward.keys() - plain.keys() == {"missing", "missing_cells", "can_change"}


@pytest.mark.parametrize(
    "change",
    [
        {"missing": "mean"},
        {"missing": None},
        {"missing_cells": "?"},
        {"missing_cells": [True]},
        {"missing_cells": [None]},
        {"texts_only": 1},
        {"is_boolean": "yes"},
        {"can_change": 0},
        {"other": True},
        {"other": "other"},
        {"other": 5},
        {"named_only": True},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_feature_of_json_that_is_none_is_refused(change: dict[str, Any]) -> None:
    (fields,) = FeatureSet([AREA]).to_json()
    as_read = {**fields, "codes": [*map(list, fields["codes"])], "aliases": [], "observed": [0, 1]}
    Feature.from_json(as_read)
    with pytest.raises((TypeError, ValueError)):
        Feature.from_json(as_read | change)


def saving(artifact: Artifact, tmp_path: Path) -> str:
    with pytest.raises(ArtifactError) as refusal:
        artifact.save(tmp_path / "model.npz")
    return str(refusal.value)


def test_an_encoding_that_does_not_fit_the_policies_is_refused(tmp_path: Path) -> None:
    columns = MODEL.pipeline.encoding.columns
    without = [(s, None if code == "missing" and s == 0 else code) for s, code in columns]
    beside = [(2 if code == "missing" and s == 0 else s, code) for s, code in columns]
    for changed in (without, beside):
        pipeline = replace(MODEL.pipeline, encoding=Encoding(changed))
        problem = saving(replace(MODEL, pipeline=pipeline), tmp_path)
        assert "metadata check failed: the encoding does not fit the features" in problem


@pytest.mark.parametrize(("column", "number"), [("weight", np.nan), ("age", np.inf)])
def test_golden_rows_are_finite_or_missing_where_they_may_be(
    column: str, number: float, tmp_path: Path
) -> None:
    golden = MODEL.golden_inputs.copy()
    golden[3, OPTIONAL.names.index(column)] = number
    problem = saving(replace(MODEL, golden_inputs=golden), tmp_path)
    assert "finite check failed: golden_inputs contains NaN or infinity" in problem


def test_the_mean_in_place_of_a_missing_value_counts_for_the_largest_sum() -> None:
    pipeline, largest = MODEL.pipeline, OPTIONAL.rules.largest
    W1 = pipeline.network.parameters["W1"].copy()
    W1[:1], W1[1:] = 1.0, 0.0
    network = pipeline.network.with_parameters({**pipeline.network.parameters, "W1": W1})
    for mean, is_finite in ((4e299, True), (7e299, False)):  # the bias has its share too
        changed = replace(
            pipeline,
            mean=np.where(pipeline.encoding.is_filled, mean, 0.0),
            scale=np.ones_like(pipeline.scale),
            network=network,
        )
        assert changed.is_finite(largest) is is_finite


def test_more_missing_cells_than_are_tested_are_refused(tmp_path: Path) -> None:
    age = replace(AGE, missing_cells=tuple(float(-n) for n in range(1, 18)))
    features = FeatureSet([age, *OPTIONAL[1:]])
    problem = saving(replace(MODEL, features=features), tmp_path)
    assert "limits check failed: 17 missing cells of the feature 'age'; the limit is 16" in problem


def table(rows: int = 60) -> Dataset:
    """Return a data set whose second class has the higher ages, or none."""
    rng = np.random.default_rng(0)
    age = np.where(np.arange(rows) % 2, rng.uniform(60, 90, rows), rng.uniform(18, 50, rows))
    weight = rng.uniform(40, 120, rows)
    age[1::6] = np.nan
    frame = pd.DataFrame({"age": age, "weight": weight, "ill": np.arange(rows) % 2.0})
    target = Feature("ill", "", "binary", 0, codes=((0, "no"), (1, "yes")))
    return Dataset(frame, FeatureSet([AGE, WEIGHT]), target, {}, "made up")


DESIGN = Design(
    encode=Encoding.for_table,
    hidden_layer_sizes=(4,),
    hidden_activation="tanh",
    initializer=standard_normal,
    loss=BinaryCrossEntropy(),
    optimizer=lambda: Adam(0.05),
    iterations=60,
)


def test_the_scaler_leaves_out_what_is_missing_in_the_rows_of_each_fold() -> None:
    dataset = table()
    training = np.ones((2, len(dataset)), dtype=bool)
    training[1, 30:] = False
    stack = DESIGN.fit_stack(dataset, training, 0)
    for number, mask in enumerate(training):
        ages = dataset.X[mask, 0]
        assert stack.mean[number, 0] == pytest.approx(np.nanmean(ages))
        assert stack.scale[number, 0] == pytest.approx(np.nanstd(ages))
        alone = DESIGN.fit(dataset, np.flatnonzero(mask), 0).pipeline
        np.testing.assert_allclose(
            stack.member(number).class_probabilities(dataset.X),
            alone.class_probabilities(dataset.X),
            rtol=0,
            atol=1e-9,
        )


def test_what_is_missing_is_learned_from_its_indicator() -> None:
    dataset = table()
    pipeline = DESIGN.fit(dataset, np.arange(len(dataset)), 0).pipeline
    probabilities = pipeline.class_probabilities(dataset.X)
    missing = np.isnan(dataset.X[:, 0])
    assert np.isfinite(probabilities).all()
    assert (probabilities[missing] > 0.9).all()


def test_a_column_that_is_missing_in_all_rows_of_a_fold_is_left_as_it_is() -> None:
    encoding = Encoding.for_table(FeatureSet([AGE, WEIGHT]))
    encoded = encoding.transform(np.array([[np.nan, 50.0], [np.nan, 60.0]]))
    mean, scale = DESIGN.scaler(encoding, encoded)
    assert mean.tolist() == [0.0, 55.0, 0.0]
    assert scale.tolist() == [1.0, 5.0, 1.0]


def test_what_was_observed_is_what_was_there() -> None:
    X = np.array([[30.0, 3.0], [np.nan, np.nan], [60.0, 7.0]])
    age, ward = FeatureSet([AGE, WARD]).observe(X)
    assert age.observed == (30.0, 60.0)
    assert ward.observed == (3.0, 7.0)
