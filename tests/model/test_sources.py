"""The moons and iris systems of the sources, by their recipes: their published figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.lib.introspect import opt_func_info
from sklearn.datasets import load_iris, make_moons
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_info

from model.artifact.artifact import Artifact
from model.network.descent import Descent
from model.recipes.procedures import SingleFit
from model.recipes.recipes import IRIS, MOONS_SIZES, Recipe, find_recipe
from tests.conftest import ARTIFACT

pytestmark = pytest.mark.slow

TRAINED = ["moons", "iris"]


def rounding() -> tuple[str, set[str]]:
    """Return the kernels of NumPy's exp and of BLAS, which decide the last bit of every step."""
    exp: str = opt_func_info(func_name="^exp$", signature="float64")["exp"]["dd"]["current"]
    blas = [each["architecture"] for each in threadpool_info() if each["user_api"] == "blas"]
    return exp, set(blas)


# Both runs are chaotic: with another last bit at the start the moons may end in a second minimum,
# and single seeds of iris learn more or fewer flowers. What holds everywhere is tested beside.
rounded_as_published = pytest.mark.skipif(
    rounding() != ("X86_V4", {"SkylakeX"}),
    reason="the last digits of these runs are those of AVX-512",
)


@pytest.fixture(scope="module")
def trained(moons_run: Artifact, irises: list[Artifact]) -> dict[str, Artifact]:
    return {"moons": moons_run, "iris": irises[0]}


def single_fit(recipe: Recipe) -> SingleFit:
    assert isinstance(recipe.procedure, SingleFit)
    return recipe.procedure


def progress(artifact: Artifact) -> dict[int, dict[str, Any]]:
    return {noted["iteration"]: noted for noted in artifact.about["training"]["progress"]}


def losses(moons: Artifact) -> list[float]:
    """Return the loss after pass 0, 1000, ...: so many and one more have been made by then."""
    return [float(progress(moons)[number]["loss"]) for number in (1, 1001, 2001, 10001, 19001)]


@rounded_as_published
def test_the_moons_network_has_the_published_losses(moons_run: Artifact) -> None:
    rounded = [round(loss, 6) for loss in losses(moons_run)]
    assert rounded == [0.432387, 0.068947, 0.068888, 0.070758, 0.070758]


def test_the_moons_network_learns_as_published_whatever_the_rounding(moons_run: Artifact) -> None:
    first, second, third, *last = losses(moons_run)
    assert (round(first, 6), round(second, 6)) == (0.432387, 0.068947)
    assert 0.0688 < third < 0.0692
    assert all(0.0707 < loss < 0.0714 for loss in last)
    assert list(progress(moons_run)) == list(range(1, 20_001, 1000))


def test_the_moons_network_has_the_accuracy_of_the_source_and_its_baseline_that_of_a_line(
    moons_run: Artifact,
) -> None:
    assert moons_run.about["metrics"]["train_accuracy"] == 0.975
    assert find_recipe("moons-baseline").train().about["metrics"]["train_accuracy"] == 0.85


def test_the_accuracy_of_the_moons_is_that_of_the_larger_output(moons_run: Artifact) -> None:
    X, y = make_moons(200, noise=0.20, random_state=0)
    outputs = moons_run.pipeline.predict_proba(X)
    assert outputs.shape == (200, 2)
    assert np.mean(outputs.argmax(axis=1) == y) == 0.975
    np.testing.assert_allclose(outputs.sum(axis=1), 1.0, atol=1e-15)


def test_the_boundaries_beside_are_those_of_the_sizes_of_the_source() -> None:
    assert MOONS_SIZES == (1, 2, 3, 4, 5, 20, 50)
    beside = [f"moons-{units}" for units in MOONS_SIZES]
    assert find_recipe("moons").beside == ("moons-baseline", *beside)
    published = single_fit(find_recipe("moons"))
    for units, name in zip(MOONS_SIZES, beside, strict=True):
        assert isinstance(published.design, type(IRIS))
        design = replace(published.design, hidden_layer_sizes=(units,))
        assert find_recipe(name).procedure == replace(published, design=design)
        assert find_recipe(name).random_state == 0


def medians(irises: list[Artifact]) -> dict[str, float]:
    metrics = [artifact.about["metrics"] for artifact in irises]
    return {
        part: round(float(np.median([figures[f"{part}_accuracy"] for figures in metrics])), 6)
        for part in ("train", "validation", "test")
    }


@rounded_as_published
def test_the_iris_network_has_the_medians_of_the_source(irises: list[Artifact]) -> None:
    assert medians(irises) == {"train": 0.956140, "validation": 1.0, "test": 0.956522}


def test_the_iris_network_learns_as_the_source_does_whatever_the_rounding(
    irises: list[Artifact],
) -> None:
    found = medians(irises)
    assert 0.94 < found["train"] < 0.98
    assert found["validation"] > 0.92
    assert 0.93 < found["test"] < 0.98


@pytest.mark.parametrize("seed", [0, 3])
def test_the_accuracies_of_iris_are_those_of_the_parts_that_scikit_learn_makes(
    seed: int, irises: list[Artifact]
) -> None:
    X, y = load_iris(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.15, random_state=seed)
    X, X_validation, y, y_validation = train_test_split(X, y, test_size=0.1, random_state=seed)
    parts = {"train": (X, y), "validation": (X_validation, y_validation), "test": (X_test, y_test)}
    for name, (rows, classes) in parts.items():
        predicted = irises[seed].pipeline.predict_proba(rows).argmax(axis=1)
        accuracy = irises[seed].about["metrics"][f"{name}_accuracy"]
        assert accuracy == np.mean(predicted == classes), name


def test_iris_shows_its_progress_every_twenty_epochs_and_nothing_of_the_test_rows(
    irises: list[Artifact],
) -> None:
    for artifact in irises:
        noted = progress(artifact)
        assert list(noted) == [20, 40, 60, 80, 100]
        for figures in noted.values():
            assert set(figures) == {"iteration", "loss", "train_accuracy", "validation_accuracy"}
        metrics = artifact.about["metrics"]
        assert noted[100]["train_accuracy"] == metrics["train_accuracy"]
        assert noted[100]["validation_accuracy"] == metrics["validation_accuracy"]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_exact_gradient_learns_iris_as_well(seed: int) -> None:
    recipe = find_recipe("iris")
    exact = replace(single_fit(recipe), design=replace(IRIS, descent=Descent))
    metrics = replace(recipe, procedure=exact).train(random_state=seed).about["metrics"]
    assert metrics["train_accuracy"] > 0.94
    assert metrics["test_accuracy"] > 0.94


@pytest.fixture(params=TRAINED)
def pair(request: pytest.FixtureRequest, trained: dict[str, Artifact]) -> tuple[Artifact, Artifact]:
    """Return a committed artifact and what its recipe gives."""
    return Artifact.load(ARTIFACT.with_name(f"{request.param}.npz")), trained[request.param]


@rounded_as_published
def test_a_committed_artifact_is_what_its_recipe_gives(pair: tuple[Artifact, Artifact]) -> None:
    committed, again = pair
    for key, weights in committed.pipeline.network.parameters.items():
        np.testing.assert_allclose(again.pipeline.network.parameters[key], weights, 0, 1e-9)
    np.testing.assert_allclose(
        again.golden_probabilities, committed.golden_probabilities, rtol=0, atol=1e-9
    )
    assert again.about["metrics"] == pytest.approx(committed.about["metrics"], rel=0, abs=1e-9)
    for noted, before in zip(progress(again).values(), progress(committed).values(), strict=True):
        assert noted == pytest.approx(before, rel=0, abs=1e-9)


def test_a_committed_artifact_says_what_its_recipe_says_whatever_the_rounding(
    pair: tuple[Artifact, Artifact],
) -> None:
    committed, again = pair
    np.testing.assert_array_equal(again.golden_inputs, committed.golden_inputs)
    np.testing.assert_allclose(
        again.golden_probabilities, committed.golden_probabilities, rtol=0, atol=0.01
    )
    assert list(again.features) == list(committed.features)
    assert (again.name, again.labels) == (committed.name, committed.labels)
    assert again.threshold == committed.threshold
    assert again.threshold_reason == committed.threshold_reason
    for key, reported in committed.about.items():
        if key not in ("metrics", "training"):
            assert again.about[key] == reported
    reported, fresh = (dict(a.about["training"]) | {"progress": ()} for a in pair)
    assert reported == fresh
