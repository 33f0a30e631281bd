"""The predictor: the same answers as the artifact, whatever rows come together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.artifact.artifact import Artifact
from model.errors import ArtifactError
from model.inference.predictor import Predictor
from model.inference.single_row import SingleRow
from model.network.activations import sigmoid, softmax
from model.recipes.recipes import find_recipe
from tests.conftest import ARTIFACT
from tests.model.properties import PROPERTY

ARTIFACTS = {name: Artifact.load(ARTIFACT.with_name(f"{name}.npz")) for name in ("moons", "iris")}
OF_SEVERAL_CLASSES = {name: artifact.predictor() for name, artifact in ARTIFACTS.items()}


@pytest.fixture(scope="module", params=["heart-tutorial", "heart-tutorial-wide"])
def other_artifact(request: pytest.FixtureRequest) -> Artifact:
    return find_recipe(request.param).train()


@pytest.fixture(scope="module")
def other_predictor(other_artifact: Artifact) -> Predictor:
    return other_artifact.predictor()


def test_folding_the_scaler_changes_nothing_but_rounding(
    predictor: Predictor, artifact: Artifact
) -> None:
    X = predictor.features.golden_inputs(1000)
    unfolded = artifact.predict_proba(X)
    np.testing.assert_allclose(predictor.predict_proba(X), unfolded, rtol=0, atol=1e-13)


def test_folding_is_right_for_the_other_recipes_too(
    other_predictor: Predictor, other_artifact: Artifact
) -> None:
    X = other_predictor.features.golden_inputs(1000)
    unfolded = other_artifact.predict_proba(X)
    np.testing.assert_allclose(other_predictor.predict_proba(X), unfolded, rtol=0, atol=1e-11)
    assert other_predictor.is_sound()


@PROPERTY
@given(rows=st.integers(1, 200), seed=st.integers(0, 9))
def test_a_patient_gets_the_same_probability_in_any_company_bit_for_bit(
    rows: int, seed: int, predictor: Predictor
) -> None:
    X = predictor.features.golden_inputs(rows)
    order = np.random.default_rng(seed).permutation(rows)
    batch = predictor.predict_proba(X)
    alone = np.concatenate([predictor.predict_proba(X[[row]]) for row in range(rows)])
    assert batch.tobytes() == alone.tobytes()
    assert predictor.predict_proba(X[order]).tobytes() == batch[order].tobytes()
    assert predictor.predict_proba(np.asfortranarray(X)).tobytes() == batch.tobytes()
    assert predictor.predict_proba(np.repeat(X, 2, axis=0)[::2]).tobytes() == batch.tobytes()


@PROPERTY
@given(
    name=st.sampled_from(sorted(OF_SEVERAL_CLASSES)),
    rows=st.integers(1, 200),
    seed=st.integers(0, 9),
)
def test_a_row_gets_the_same_probabilities_of_all_classes_in_any_company_bit_for_bit(
    name: str, rows: int, seed: int
) -> None:
    predictor = OF_SEVERAL_CLASSES[name]
    X = predictor.features.golden_inputs(rows)
    order = np.random.default_rng(seed).permutation(rows)
    batch = predictor.predict_proba(X)
    assert batch.shape == ((rows,) if name == "moons" else (rows, 3))
    alone = np.concatenate([predictor.predict_proba(X[[row]]) for row in range(rows)])
    assert batch.tobytes() == alone.tobytes()
    assert predictor.predict_proba(X[order]).tobytes() == batch[order].tobytes()
    assert predictor.predict_proba(np.asfortranarray(X)).tobytes() == batch.tobytes()
    assert predictor.predict_proba(np.repeat(X, 2, axis=0)[::2]).tobytes() == batch.tobytes()


@pytest.mark.parametrize("name", ["heart", "moons", "iris"])
def test_a_row_that_is_computed_by_itself_gets_the_same_bits(name: str) -> None:
    predictor = Artifact.load(ARTIFACT.with_name(f"{name}.npz")).predictor()
    X = predictor.features.golden_inputs(2000)
    assert [predictor.predict_row(row) for row in X.tolist()] == predictor.predict_proba(X).tolist()


@pytest.mark.parametrize("weight", [1e3, -1e3, 1e300])
def test_a_row_that_is_computed_by_itself_does_not_overflow(
    artifact: Artifact, weight: float
) -> None:
    pipeline = artifact.pipeline
    W = f"W{pipeline.network.depth}"
    parameters = {**pipeline.network.parameters}
    parameters[W] = np.full_like(parameters[W], weight)
    large = replace(pipeline, network=pipeline.network.with_parameters(parameters))
    steep = replace(artifact, pipeline=large).predictor()
    X = artifact.features.golden_inputs(100)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        alone = [steep.predict_row(row) for row in X.tolist()]
    assert alone == steep.predict_proba(X).tolist()


def test_the_other_recipes_compute_a_row_by_itself_too(other_predictor: Predictor) -> None:
    X = other_predictor.features.golden_inputs(500)
    alone = [other_predictor.predict_row(row) for row in X.tolist()]
    assert alone == other_predictor.predict_proba(X).tolist()


def test_the_moons_get_the_second_share_of_softmax() -> None:
    predictor = OF_SEVERAL_CLASSES["moons"]
    weights = ARTIFACTS["moons"].pipeline.network.parameters
    X = predictor.features.golden_inputs(100)
    outputs = softmax(np.tanh(X @ weights["W1"] + weights["b1"]) @ weights["W2"] + weights["b2"])
    np.testing.assert_allclose(predictor.predict_proba(X), outputs[:, 1], rtol=0, atol=1e-13)


def test_irises_get_the_shares_of_three_sigmoids() -> None:
    predictor = OF_SEVERAL_CLASSES["iris"]
    weights = ARTIFACTS["iris"].pipeline.network.parameters
    X = predictor.features.golden_inputs(100)
    outputs = X
    for layer in (1, 2, 3):
        outputs = sigmoid(outputs @ weights[f"W{layer}"] + weights[f"b{layer}"])
    shares = outputs / outputs.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predictor.predict_proba(X), shares, rtol=0, atol=1e-13)
    assert np.abs(outputs.sum(axis=1) - 1.0).max() > 0.01


@pytest.mark.parametrize("name", OF_SEVERAL_CLASSES)
def test_records_of_several_classes_give_what_their_rows_give(name: str) -> None:
    predictor = OF_SEVERAL_CLASSES[name]
    features = predictor.features
    X = features.golden_inputs()
    records = [dict(zip(features.names, row, strict=True)) for row in X.tolist()]
    assert predictor.predict_records(records).tobytes() == predictor.predict_proba(X).tobytes()
    assert predictor.predict_records([]).shape == ((0,) if name == "moons" else (0, 3))


@pytest.mark.parametrize("value", [-1e6, 0.0, 1e6])
@pytest.mark.parametrize("name", OF_SEVERAL_CLASSES)
def test_nothing_overflows_for_several_classes(name: str, value: float) -> None:
    predictor = OF_SEVERAL_CLASSES[name]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        probabilities = predictor.predict_proba(np.full((1, len(predictor.features)), value))
    assert ((probabilities >= 0.0) & (probabilities <= 1.0)).all()


@pytest.mark.parametrize("name", OF_SEVERAL_CLASSES)
def test_of_several_classes_a_predictor_is_sound_until_one_golden_probability_is_not(
    name: str,
) -> None:
    artifact = ARTIFACTS[name]
    assert OF_SEVERAL_CLASSES[name].is_sound()
    for change, expected in ((9e-10, True), (2e-9, False), (np.nan, False)):
        golden = artifact.golden_probabilities.copy()
        golden.flat[-1] += change
        assert replace(artifact, golden_probabilities=golden).predictor().is_sound() is expected


def test_records_give_what_their_rows_give(predictor: Predictor) -> None:
    features = predictor.features
    X = features.golden_inputs()
    records = [dict(zip(reversed(features.names), row[::-1].tolist(), strict=True)) for row in X]
    assert predictor.predict_records(records).tobytes() == predictor.predict_proba(X).tobytes()
    assert predictor.predict_records([]).shape == (0,)


@pytest.mark.parametrize("value", [-1e3, 0.0, 1e3])
def test_nothing_overflows_for_inputs_of_a_thousand(value: float, predictor: Predictor) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        probability = predictor.predict_proba(np.full((1, 13), value))
    assert 0.0 <= probability[0] <= 1.0


def test_a_predictor_is_sound_until_it_no_longer_gives_the_golden_probabilities(
    predictor: Predictor, artifact: Artifact
) -> None:
    assert predictor.is_sound()
    within = replace(artifact, golden_probabilities=artifact.golden_probabilities + 9e-10)
    beyond = replace(artifact, golden_probabilities=artifact.golden_probabilities + 2e-9)
    nan = replace(artifact, golden_probabilities=artifact.golden_probabilities * np.nan)
    assert [a.predictor().is_sound() for a in (within, beyond, nan)] == [True, False, False]


def worse_by_a_bit(way: Callable[..., Any]) -> Callable[..., Any]:
    """Return a way to predict whose last bit is another."""

    def worse(*arguments: Any) -> Any:
        found = np.nextafter(way(*arguments), 1.0)
        return found.tolist() if isinstance(found, np.float64) else found

    return worse


@pytest.mark.parametrize(
    ("name", "owner", "way"),
    [
        ("heart", SingleRow, "output"),
        ("heart", Predictor, "predict_row"),
        ("heart", Predictor, "predict_proba"),
        ("moons", Predictor, "predict_row"),
        ("iris", Predictor, "predict_row"),
    ],
)
def test_a_form_whose_last_bit_is_another_is_not_sound_and_not_loaded(
    name: str, owner: type, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ARTIFACT.with_name(f"{name}.npz")
    predictor = Artifact.load(path).predictor()
    monkeypatch.setattr(owner, way, worse_by_a_bit(getattr(owner, way)))
    assert not predictor.is_sound()
    with pytest.raises(
        ArtifactError, match="the golden check failed: the golden rows give other results"
    ):
        Artifact.load(path)


def test_a_single_row_that_is_wrong_is_not_sound(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in (0.5, float("nan"), float("inf")):
        monkeypatch.setattr(SingleRow, "output", lambda *_, wrong=wrong: wrong)
        assert not predictor.is_sound()
