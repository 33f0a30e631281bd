from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.artifact.archive import pack
from model.artifact.artifact import Artifact
from model.artifact.card import card_path
from model.data.heart import HEART_FILE
from model.network.network import NeuralNetwork
from model.recipes.recipes import find_recipe
from model.recipes.reruns import EarlierRun, OtherModel, earlier_run
from tests.conftest import ROOT
from tests.model.conftest import Run

pytestmark = pytest.mark.slow

TUTORIAL = find_recipe("heart-tutorial")


@pytest.fixture(scope="module")
def made() -> Artifact:
    return TUTORIAL.train()


def shifted(artifact: Artifact, shift: float) -> Artifact:
    """Return a model whose weights are a little different, with golden rows of its own."""
    network = artifact.pipeline.network
    weights = {name: values + shift for name, values in network.parameters.items()}
    moved = NeuralNetwork(
        network.layer_sizes, network.hidden_activation, network.output_activation, weights
    )
    pipeline = replace(artifact.pipeline, network=moved)
    golden = pipeline.class_probabilities(artifact.golden_inputs)
    return replace(artifact, pipeline=pipeline, golden_probabilities=golden)


def rerun(path: Path, made: Artifact) -> str:
    earlier = earlier_run(path, TUTORIAL, None, None)
    assert isinstance(earlier, EarlierRun)
    return earlier.agreement(made)


@pytest.mark.parametrize("name", ["heart", "moons", "iris"])
def test_a_committed_artifact_is_what_its_recipe_gives_again(
    name: str, heart_run: Run, moons_run: Artifact, irises: list[Artifact]
) -> None:
    recipe = find_recipe(name)
    earlier = earlier_run(ROOT / "artifacts" / f"{name}.npz", recipe, None, None)
    assert isinstance(earlier, EarlierRun)
    runs = {"heart": heart_run.artifact, "moons": moons_run, "iris": irises[0]}
    assert earlier.agreement(runs[name]).startswith("the run gave the same ")


def test_without_a_file_there_is_no_earlier_run(tmp_path: Path) -> None:
    assert earlier_run(tmp_path / "none.npz", TUTORIAL, None, None) is None


def test_the_same_bytes_and_the_same_but_for_the_last_digits_are_the_same_model(
    tmp_path: Path, made: Artifact
) -> None:
    path = tmp_path / "a.npz"
    made.save(path)
    assert rerun(path, made) == "the run gave the same bytes"
    shifted(made, 1e-13).save(path)
    assert rerun(path, made).startswith("the run gave the same model, except for last digits")


@pytest.mark.parametrize("change", ["weights", "figures", "words"])
def test_another_model_from_the_same_run_is_refused(
    tmp_path: Path, made: Artifact, change: str
) -> None:
    about = json.loads(json.dumps(made.about))
    about["metrics"]["train_accuracy"] += 0.01 if change == "figures" else 0.0
    about["not_for"] += "!" if change == "words" else ""
    other = shifted(made, 1e-3) if change == "weights" else replace(made, about=about)
    other.save(tmp_path / "a.npz")
    with pytest.raises(OtherModel, match=r"now give another model: give another --output, or"):
        rerun(tmp_path / "a.npz", made)


@pytest.mark.parametrize(
    ("recipe", "seed", "is_own", "reported"),
    [
        ("heart-tutorial-wide", None, False, "recipe"),
        ("heart-tutorial", 3, False, "seed"),
        ("heart-tutorial", None, True, "rows"),
        ("moons-baseline", None, False, "recipe and seed and rows"),
    ],
)
def test_the_model_of_another_run_is_refused_before_the_work(
    tmp_path: Path, made: Artifact, recipe: str, seed: int | None, is_own: bool, reported: str
) -> None:
    path, data = tmp_path / "a.npz", tmp_path / "own.dat"
    made.save(path)
    data.write_text(HEART_FILE.read_text().splitlines()[0] + "\n")
    with pytest.raises(OtherModel, match=rf"a\.npz: contains a model of another {reported}: give"):
        earlier_run(path, find_recipe(recipe), data if is_own else None, seed)


@pytest.mark.parametrize("kind", ["no artifact", "another card", "directory", "no recipe reported"])
def test_what_cannot_be_read_as_an_artifact_is_refused(
    tmp_path: Path, made: Artifact, kind: str
) -> None:
    path = tmp_path / "a.npz"
    if kind == "directory":
        path.mkdir()
    elif kind == "no artifact":
        path.write_bytes(b"mine")
    elif kind == "another card":
        made.save(path)
        card_path(path).write_text("{}")
    else:
        replace(made, about={**made.about, "training": {}}).save(path)
    with pytest.raises(OtherModel, match="--force to replace it"):
        earlier_run(path, TUTORIAL, None, None)


def test_the_same_model_in_an_older_format_is_kept(heart_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "heart.npz"
    model = heart_run.artifact
    path.write_bytes(pack(model.arrays(), {"format_version": 1, **model.document()}))
    earlier = earlier_run(path, find_recipe("heart"), None, None)
    assert isinstance(earlier, EarlierRun)
    assert earlier.artifact.format_version == 1
    agreement = earlier.agreement(model)
    assert agreement == "the run gave the same model; --force writes it in format 2"
