"""Figures: the metrics of a data set and of its subgroups."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.artifact.card import card_markdown
from model.data import Dataset, Subgroup, load_heart, load_iris, load_moons
from model.data.heart import STATLOG_COSTS
from model.evaluation.figures import dataset_metrics, subgroup_metrics
from model.evaluation.metrics import (
    MULTICLASS_METRICS,
    SUBGROUP_METRICS,
    metrics_for,
    metrics_with_intervals,
)
from model.network.activations import sigmoid, softmax

METRICS = metrics_for(2, STATLOG_COSTS)


@pytest.fixture(scope="module")
def heart() -> Dataset:
    return load_heart()


@pytest.fixture(scope="module")
def probabilities(heart: Dataset) -> Array:
    """Two repeats of probabilities that depend on the classes."""
    z = np.random.default_rng(0).normal(size=(2, len(heart))) + 2.0 * heart.classes - 1.0
    return sigmoid(z)


@pytest.mark.slow
def test_a_data_set_is_reported_by_the_metrics_of_its_classes(
    heart: Dataset, probabilities: Array
) -> None:
    without_cost = [name for name in METRICS if name != "cost"]
    assert list(dataset_metrics(heart, probabilities, 0)) == list(METRICS)
    moons, iris = load_moons(), load_iris()
    assert list(dataset_metrics(moons, probabilities[:, :200], 0)) == without_cost
    of_three = softmax(np.random.default_rng(0).normal(size=(2, 150, 3)))
    assert list(dataset_metrics(iris, of_three, 0)) == list(MULTICLASS_METRICS)


@pytest.mark.slow
def test_a_data_set_is_reported_by_its_own_classes(heart: Dataset, probabilities: Array) -> None:
    y = heart.classes.astype(np.float64)
    expected = metrics_with_intervals(METRICS, y, probabilities, 3)
    assert dataset_metrics(heart, probabilities, 3) == expected


def test_every_subgroup_is_reported_with_its_size_and_its_positive_rows(
    heart: Dataset, probabilities: Array
) -> None:
    reported = subgroup_metrics(heart, probabilities, 0)
    assert {name: (each["rows"], each["positives"]) for name, each in reported.items()} == {
        "women": (87, 20),
        "men": (183, 100),
        "under 55 years": (132, 40),
        "55 years and older": (138, 80),
    }


@pytest.mark.slow
def test_the_figures_of_a_subgroup_are_those_of_its_rows_alone(
    heart: Dataset, probabilities: Array
) -> None:
    women = heart.X[:, 1] == 0.0
    frame = heart.frame.loc[women]
    alone = dataset_metrics(replace(heart, frame=frame), probabilities[:, women], 4)
    reported = subgroup_metrics(heart, probabilities, 4)["women"]["metrics"]
    assert reported == {name: alone[name] for name in SUBGROUP_METRICS}


def test_the_probabilities_of_other_rows_have_no_influence(
    heart: Dataset, probabilities: Array
) -> None:
    men = heart.X[:, 1] == 1.0
    changed = np.where(men, 0.5, probabilities)
    before, after = (subgroup_metrics(heart, p, 0) for p in (probabilities, changed))
    assert before["women"] == after["women"]
    assert before["men"] != after["men"]


def test_a_subgroup_without_a_cost_matrix_has_no_cost(heart: Dataset, probabilities: Array) -> None:
    reported = subgroup_metrics(replace(heart, costs=None), probabilities, 0)
    metrics = reported["men"]["metrics"]
    assert isinstance(metrics, dict)
    assert list(metrics) == [name for name in SUBGROUP_METRICS if name != "cost"]


@pytest.mark.parametrize(
    ("subgroup", "reported"),
    [
        (Subgroup("no row", "age", 0, 18), {"rows": 0, "positives": 0, "metrics": {}}),
        (Subgroup("one class", "sex", 0, 1), {"rows": 20, "positives": 20, "metrics": {}}),
    ],
    ids=lambda value: value.name if isinstance(value, Subgroup) else "",
)
def test_a_subgroup_of_no_rows_or_one_class_is_reported_without_metrics(
    subgroup: Subgroup, reported: dict[str, object], heart: Dataset, probabilities: Array
) -> None:
    kept = (heart.X[:, 1] == 1.0) | (heart.classes == 1)
    only = replace(heart, frame=heart.frame.loc[kept], subgroups=(subgroup,))
    assert subgroup_metrics(only, probabilities[:, kept], 0) == {subgroup.name: reported}


def test_a_data_set_without_subgroups_shows_of_none() -> None:
    assert subgroup_metrics(load_moons(), np.full((1, 200), 0.5), 0) == {}


def test_all_figures_can_be_written_as_json(heart: Dataset, probabilities: Array) -> None:
    reported = subgroup_metrics(heart, probabilities, 0)
    assert json.loads(json.dumps(reported, allow_nan=False)) == reported


def test_the_served_card_shows_of_every_subgroup(artifact: Artifact, heart: Dataset) -> None:
    card = artifact.card()
    reported = card["subgroups"]
    assert list(reported) == [subgroup.name for subgroup in heart.subgroups]
    page = card_markdown(card)
    assert f"| | rows | positive | {' | '.join(SUBGROUP_METRICS)} |" in page
    for name, of_rows in reported.items():
        assert list(of_rows["metrics"]) == list(SUBGROUP_METRICS)
        assert f"\n| {name} | {of_rows['rows']} | {of_rows['positives']} | " in page
        for figure in of_rows["metrics"].values():
            assert figure["low"] < figure["value"] < figure["high"]
            shown = "{value:.3f} ({low:.3f} to {high:.3f})".format_map(figure)
            assert shown in page


def test_a_pair_of_served_subgroups_together_has_the_accuracy_of_all(artifact: Artifact) -> None:
    card = artifact.card()
    everyone = card["metrics"]["accuracy"]["value"]
    for pair in (("women", "men"), ("under 55 years", "55 years and older")):
        right = [
            reported["rows"] * reported["metrics"]["accuracy"]["value"]
            for reported in (card["subgroups"][name] for name in pair)
        ]
        assert sum(right) / 270 == pytest.approx(everyone, abs=1e-9)


def test_of_three_classes_the_rows_of_the_last_are_counted() -> None:
    iris = load_iris()
    big = replace(iris, subgroups=(Subgroup("big", "sepal_length", 5.8, 100.0),))
    rows = iris.X[:, 0] >= 5.8
    shares = softmax(np.random.default_rng(0).normal(size=(2, 150, 3)))
    reported = subgroup_metrics(big, shares, 0)["big"]
    assert (reported["rows"], reported["positives"]) == (
        rows.sum(),
        (iris.classes[rows] == 2).sum(),
    )
    assert list(reported["metrics"]) == ["accuracy", "roc_auc", "brier", "log_loss"]  # type: ignore[call-overload]
