"""The model card: its contents, and that no text in it can replace a fact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.artifact.archive import ArchiveFault
from model.artifact.artifact import Artifact
from model.artifact.card import MEANINGS, card_markdown, card_path, markdown_path, meaning
from model.artifact.metadata import check_about
from model.recipes.recipes import find_recipe
from tests.conftest import ARTIFACT
from tests.variants import with_feature


def test_the_card_stands_beside_the_file() -> None:
    assert card_path(Path("models/heart.npz")) == Path("models/heart.json")
    assert card_path(Path("models/heart.v2.npz")) == Path("models/heart.v2.json")


def test_the_committed_card_is_that_of_the_committed_artifact(artifact: Artifact) -> None:
    text = card_path(ARTIFACT).read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(artifact.card()))
    assert text.endswith("}\n")


def test_the_committed_page_is_that_of_the_committed_card(artifact: Artifact) -> None:
    assert markdown_path(ARTIFACT).read_text(encoding="utf-8") == card_markdown(artifact.card())


OTHERS = ["moons", "iris"]


@pytest.fixture(params=OTHERS)
def other(request: pytest.FixtureRequest) -> Artifact:
    return Artifact.load(ARTIFACT.with_name(f"{request.param}.npz"))


def test_the_other_committed_cards_and_pages_are_those_of_their_artifacts(other: Artifact) -> None:
    path = ARTIFACT.with_name(f"{other.name}.npz")
    card = json.loads(card_path(path).read_text(encoding="utf-8"))
    assert card == json.loads(json.dumps(other.card()))
    assert markdown_path(path).read_text(encoding="utf-8") == card_markdown(other.card())


def test_the_other_pages_show_their_data_their_limits_and_their_figures(other: Artifact) -> None:
    card = other.card()
    page = card_markdown(card)
    assert f"{card['data']['rows']} rows of scikit-learn's " in page
    for text in (card["not_for"], *card["limits"], card["citation"], *card["labels"]):
        assert text in page
    for name, figure in card["metrics"].items():
        assert f"| {name} | {MEANINGS[name]} | {figure:.6g} | | |" in page
    assert "Subgroups" not in page
    assert "iteration" not in page


def test_of_two_classes_the_page_shows_the_threshold_with_its_reason() -> None:
    moons = Artifact.load(ARTIFACT.with_name("moons.npz"))
    moved = replace(moons, threshold=0.125, threshold_reason="To be sure of the upper moon.")
    line = (
        "Predicts lower if its probability exceeds 0.125, otherwise upper. "
        "To be sure of the upper moon."
    )
    assert line in card_markdown(moved.card()).splitlines()


def test_of_three_classes_the_card_has_no_threshold_and_the_page_says_what_decides() -> None:
    card = Artifact.load(ARTIFACT.with_name("iris.npz")).card()
    assert (card["threshold"], card["threshold_reason"]) == (None, "")
    assert card["labels"] == ["setosa", "versicolor", "virginica"]
    page = card_markdown(card)
    assert "Predicts the most probable of setosa, versicolor, virginica." in page.splitlines()
    assert "threshold" not in page


def test_the_card_of_iris_says_that_its_probabilities_are_shares_of_sigmoids() -> None:
    page = card_markdown(Artifact.load(ARTIFACT.with_name("iris.npz")).card())
    assert "The outputs of the network are sigmoids, which do not sum to 1" in page
    assert "outputs divided by their sum" in page


def test_the_page_shows_what_the_card_tells(artifact: Artifact) -> None:
    card = artifact.card()
    page = card_markdown(card)
    for text in (card["sha256"], card["not_for"], *card["limits"], card["citation"]):
        assert text in page
    for name, figure in card["metrics"].items():
        reported = f"{figure['value']:.3f} | {figure['low']:.3f} to "
        assert f"| {name} | {meaning(name, card)} | {reported}" in page
    for feature in card["features"]:
        assert f"| `{feature['name']}` | {feature['description']} | {feature['expected']} |" in page


def test_the_page_of_a_tutorial_has_its_figures() -> None:
    page = card_markdown(find_recipe("heart-tutorial").train().card())
    assert f"| test_accuracy | {MEANINGS['test_accuracy']} | 0.759259 | | |" in page


def test_the_card_says_what_must_be_said_of_these_patients(artifact: Artifact) -> None:
    card = artifact.card()
    assert "Teaching" in card["intended_use"]
    assert "Diagnosis" in card["not_for"]
    limits = " ".join(card["limits"])
    for words in ("1988", "32 %", "44 %", "coronary angiography", "general population"):
        assert words in limits
    assert "were made by looking at all rows" in limits
    assert "10.24432/C57303" in card["citation"]
    assert "CC BY 4.0" in card["citation"]
    assert "Detrano" in card["citation"]
    assert card["data"]["rows"] == 270


def test_the_card_lists_every_feature_with_what_was_seen(artifact: Artifact) -> None:
    listed = artifact.card()["features"]
    assert [feature["name"] for feature in listed] == artifact.features.names
    assert listed[0] == {
        "name": "age",
        "aliases": [],
        "description": "Age",
        "kind": "continuous",
        "unit": "years",
        "minimum": 18,
        "maximum": 110,
        "codes": [],
        "named_only": False,
        "missing": "refuse",
        "missing_cells": [],
        "texts_only": False,
        "is_boolean": False,
        "other": None,
        "can_change": True,
        "expected": "a number from 18 to 110 (years)",
        "observed": [29.0, 77.0],
    }


def test_the_card_has_the_codes_of_a_feature_with_their_names(artifact: Artifact) -> None:
    features = {feature["name"]: feature for feature in artifact.card()["features"]}
    chest_pain = features["chest_pain"]
    assert chest_pain["aliases"] == ["cp"]
    assert (chest_pain["kind"], chest_pain["minimum"], chest_pain["maximum"]) == (
        "nominal",
        None,
        None,
    )
    assert chest_pain["codes"][3] == {"code": 4, "name": "asymptomatic"}
    named = replace(artifact, features=artifact.features.with_names_only()).card()["features"]
    assert [f["named_only"] for f in named] == [f.is_coded for f in artifact.features]


@pytest.mark.parametrize(
    "key", ["name", "version", "sha256", "labels", "threshold", "threshold_reason", "network"]
)
def test_what_the_file_says_of_itself_displaces_no_figure_of_the_card(
    key: str, artifact: Artifact
) -> None:
    boastful = replace(artifact, about={**artifact.about, key: "something else"})
    assert boastful.card()[key] == artifact.card()[key]


@pytest.mark.parametrize(
    "names",
    [
        "id",
        None,
        {"id": 1},
        [1],
        ["id", "id"],
        ["a\tb"],
        ["x" * 65],
        [str(n) for n in range(10_001)],
    ],
)
def test_names_of_other_columns_that_no_file_can_have_are_refused(
    names: object, artifact: Artifact
) -> None:
    about = {**artifact.about, "other_columns": ["id", "", " a"]}
    check_about(about)
    with pytest.raises(ArchiveFault, match="other_columns must be at most 10000 names"):
        check_about({**about, "other_columns": names})


def test_a_bar_in_a_name_divides_no_cell_of_the_page(artifact: Artifact) -> None:
    card = with_feature(artifact, "age", name="a|b", description="|").card()
    assert r"| `a\|b` | \| | a number from" in card_markdown(card)
