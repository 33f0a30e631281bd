"""Recipes: the figures of the source systems, and the served artifact made anew."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from model.artifact.artifact import Artifact
from model.data import load_heart
from model.errors import RecipeError
from model.network.losses import BinaryCrossEntropy
from model.recipes.design import Design
from model.recipes.procedures import SingleFit
from model.recipes.recipes import RECIPES, Recipe, find_recipe
from tests.conftest import read_json
from tests.model.conftest import Run


def to_12_places(figure: float) -> object:
    return pytest.approx(figure, rel=0.0, abs=1e-12)


def with_exact_gradient(name: str) -> Recipe:
    recipe = find_recipe(name)
    assert isinstance(recipe.procedure, SingleFit)
    assert isinstance(recipe.procedure.design, Design)
    design = replace(recipe.procedure.design, loss=BinaryCrossEntropy())
    return replace(recipe, procedure=replace(recipe.procedure, design=design))


@pytest.mark.parametrize(
    ("name", "first_loss", "last_loss", "train_right", "test_right", "percent"),
    [
        ("heart-tutorial", 1.406818099455712, 0.2783107364057316, 188, 41, (87, 75)),
        ("heart-tutorial-wide", 1.8062142549577949, 0.005322099333641531, 216, 38, (100, 70)),
    ],
)
def test_a_tutorial_recipe_gives_the_figures_of_the_source(
    name: str,
    first_loss: float,
    last_loss: float,
    train_right: int,
    test_right: int,
    percent: tuple[int, int],
) -> None:
    metrics = find_recipe(name).train().about["metrics"]
    assert metrics["first_loss"] == to_12_places(first_loss)
    assert metrics["last_loss"] == to_12_places(last_loss)
    assert metrics["train_accuracy"] == train_right / 216
    assert metrics["test_accuracy"] == test_right / 54
    accuracies = (metrics["train_accuracy"], metrics["test_accuracy"])
    assert tuple(int(100 * accuracy) for accuracy in accuracies) == percent


def test_on_the_small_network_the_exact_gradient_gives_the_same() -> None:
    metrics = with_exact_gradient("heart-tutorial").train().about["metrics"]
    assert metrics["first_loss"] == to_12_places(1.406818099455712)
    assert metrics["last_loss"] == to_12_places(0.2783107364057316)
    assert metrics["test_accuracy"] == 41 / 54


def test_on_the_wide_network_the_exact_gradient_ends_elsewhere() -> None:
    metrics = with_exact_gradient("heart-tutorial-wide").train().about["metrics"]
    # The tutorial takes 1 - p of a p that is rounded next to 1.
    assert metrics["first_loss"] == pytest.approx(1.8062142549577949, rel=0.0, abs=1e-10)
    assert metrics["last_loss"] == pytest.approx(0.0094096, rel=0.0, abs=5e-8)
    assert metrics["test_accuracy"] == pytest.approx(0.740741, rel=0.0, abs=5e-7)


@pytest.mark.parametrize(
    ("name", "layer_sizes"),
    [
        ("heart-tutorial", (13, 8, 1)),
        ("heart-tutorial-wide", (13, 10, 1)),
        ("heart", (22, 24, 1)),
    ],
)
def test_a_recipe_builds_the_network_of_the_reference(
    name: str, layer_sizes: tuple[int, ...], heart_run: Run
) -> None:
    artifact = heart_run.artifact if name == "heart" else find_recipe(name).train()
    assert artifact.name == name
    assert artifact.pipeline.network.layer_sizes == layer_sizes
    assert artifact.pipeline.network.output_activation == "sigmoid"
    assert artifact.labels == ("absence", "presence")
    assert artifact.threshold == 0.5


def test_a_tutorials_scaler_and_ranges_know_the_training_rows_alone() -> None:
    artifact = find_recipe("heart-tutorial").train()
    dataset = load_heart()
    X_train, _ = train_test_split(dataset.X, test_size=0.2, random_state=2)
    np.testing.assert_allclose(artifact.pipeline.mean, X_train.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(artifact.pipeline.scale, X_train.std(axis=0), rtol=1e-12)
    assert artifact.features[0].observed == (X_train[:, 0].min(), X_train[:, 0].max())


def test_the_served_artifact_is_what_its_recipe_gives(heart_run: Run, artifact: Artifact) -> None:
    trained = heart_run.artifact
    for key, weights in artifact.pipeline.network.parameters.items():
        again = trained.pipeline.network.parameters[key]
        np.testing.assert_allclose(again, weights, rtol=0, atol=1e-9)
    np.testing.assert_allclose(trained.pipeline.mean, artifact.pipeline.mean, atol=1e-9)
    np.testing.assert_allclose(trained.pipeline.scale, artifact.pipeline.scale, atol=1e-9)
    np.testing.assert_allclose(
        trained.golden_probabilities, artifact.golden_probabilities, rtol=0, atol=1e-9
    )
    np.testing.assert_array_equal(trained.golden_inputs, artifact.golden_inputs)


def test_the_served_artifact_says_what_its_recipe_says(heart_run: Run, artifact: Artifact) -> None:
    trained = heart_run.artifact
    reported, served = (read_json(json.dumps(a.about)) for a in (trained, artifact))
    assert served == reported
    assert list(artifact.features) == list(trained.features)
    assert artifact.pipeline.encoding.columns == trained.pipeline.encoding.columns


def test_an_unknown_recipe_is_reported_with_those_that_there_are() -> None:
    with pytest.raises(RecipeError) as caught:
        find_recipe("hart")
    assert str(caught.value) == (
        "there is no recipe 'hart'; the recipes are heart, heart-tutorial, heart-tutorial-wide, "
        "moons, moons-1, moons-2, moons-3, moons-4, moons-5, moons-20, moons-50, "
        "moons-baseline, iris"
    )


def test_every_recipe_is_found_by_its_own_name() -> None:
    assert all(find_recipe(name).name == name for name in RECIPES)
