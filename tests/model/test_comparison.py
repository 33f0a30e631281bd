"""The comparison: the rivals give the published figures, and no fit uses a test row."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning

from model.arrays import Array
from model.data import Dataset, load_heart
from model.evaluation.validation import Rows, hold_out
from model.recipes.recipes import Recipe, find_recipe
from model.reports.comparison import (
    HEADINGS,
    Contender,
    Predict,
    Scores,
    as_markdown,
    compare,
)
from model.reports.rivals import fit_mlp_classifier, rivals

pytestmark = pytest.mark.slow

TUTORIAL = find_recipe("heart-tutorial")
NAMES = [
    "scikit-learn MLPClassifier",
    "scikit-learn LogisticRegression",
    "scikit-learn RandomForestClassifier",
    "Keras, hidden layer without activation",
    "Keras, ReLU hidden layer",
]

Columns = tuple[Array, Rows]


def columns_of(dataset: Dataset, part: str) -> Columns:
    """Return the columns of the tutorial network, scaled by the training rows alone."""
    parts = hold_out(0.2, 2, len(dataset), 0)
    train = dataset.X[parts["train"]]
    rows = parts[part]
    return (dataset.X[rows] - train.mean(axis=0)) / train.std(axis=0), dataset.classes[rows]


def constant(probability: float) -> Predict:
    return lambda X: np.full(len(X), probability)


def with_test_rows(recipe: Recipe, change: Callable[[pd.DataFrame, Rows], None]) -> Recipe:
    """Return the recipe with its test rows changed."""
    dataset = recipe.load(None)
    frame = dataset.frame.copy()
    change(frame, hold_out(0.2, 2, len(dataset), 0)["test"])
    return replace(recipe, load=lambda _: replace(dataset, frame=frame))


class Recording:
    """Notes what it is fitted to and what it is asked."""

    def __init__(self) -> None:
        self.fitted: list[Columns] = []
        self.asked: list[Array] = []

    def fit(self, X: Array, classes: Rows, _: int) -> Predict:
        self.fitted.append((X, classes))
        return self.predict

    def predict(self, X: Array) -> Array:
        self.asked.append(X)
        return np.full(len(X), 0.5)


def accuracies(rival: Contender, part: str, seeds: Sequence[int]) -> list[float]:
    dataset = load_heart()
    X, classes = columns_of(dataset, part)
    train = columns_of(dataset, "train")
    return [float(((rival.fit(*train, seed)(X) > 0.5) == classes).mean()) for seed in seeds]


@pytest.fixture(scope="module")
def reports() -> list[str]:
    return []


@pytest.fixture(scope="module")
def contenders() -> Sequence[Contender]:
    return rivals()  # imports Keras, which takes seconds


@pytest.fixture(scope="module")
def rows(reports: list[str], contenders: Sequence[Contender]) -> list[Scores]:
    return compare(TUTORIAL, contenders, [1, 2], lambda: reports.append("a fit"))


def test_the_network_is_that_of_the_source() -> None:
    (row,) = compare(TUTORIAL, [], [1])
    assert row.name == "heart-tutorial"
    assert row.figures["accuracy"].mean == pytest.approx(41 / 54)
    assert row.figures["accuracy"].deviation == 0


def test_scikit_learns_network_is_as_good_as_in_the_source() -> None:
    rival = Contender("MLPClassifier", fit_mlp_classifier)
    train = accuracies(rival, "train", range(5))
    test = accuracies(rival, "test", range(5))
    # The source's figures have two digits.
    assert round(min(train), 2) >= 0.75
    assert round(max(train), 2) <= 0.86
    assert round(min(test), 2) >= 0.63
    assert round(max(test), 2) <= 0.78


def test_every_contender_has_a_row_and_every_fit_is_reported(
    rows: list[Scores], reports: list[str]
) -> None:
    assert [row.name for row in rows] == ["heart-tutorial", *NAMES]
    assert all(row.figures.keys() == HEADINGS.keys() for row in rows)
    assert len(reports) == 2 * len(rows)


@pytest.mark.parametrize("index", range(len(NAMES)), ids=NAMES)
def test_every_rival_learns(rows: list[Scores], index: int) -> None:
    figures = rows[1 + index].figures
    share = load_heart().classes.mean()
    by_chance = share * (1 - share)
    assert figures["roc_auc"].mean > 0.7
    assert figures["brier"].mean < by_chance
    assert figures["fit_seconds"].mean > 0
    assert figures["predict_milliseconds"].mean > 0


def test_the_table_has_a_line_for_each_contender_with_mean_and_spread(rows: list[Scores]) -> None:
    lines = as_markdown(rows).splitlines()
    cells = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines]
    assert cells[0] == ["model", *HEADINGS.values()]
    assert [line[0] for line in cells[2:]] == [row.name for row in rows]
    assert {len(line) for line in cells} == {8}
    assert all("±" in cell for line in cells[2:] for cell in line[1:])


def test_means_and_deviations_are_those_over_the_seeds() -> None:
    def fit(_: Array, __: Rows, seed: int) -> Predict:
        return constant(0.5 if seed else 0.25)

    _, row = compare(TUTORIAL, [Contender("constant", fit)], [0, 1])
    classes = columns_of(load_heart(), "test")[1]
    of_first = np.mean((0.25 - classes) ** 2)
    assert row.figures["brier"].mean == pytest.approx((of_first + 0.25) / 2)
    assert row.figures["brier"].deviation == pytest.approx(abs(of_first - 0.25) / 2)
    # Both are above 1/6, so that everybody is called sick.
    assert row.figures["cost"].mean == pytest.approx(np.mean(classes == 0))
    assert row.figures["cost"].deviation == 0
    assert row.figures["roc_auc"].mean == 0.5
    assert f"| {row.figures['brier'].mean:.3f} ± " in as_markdown([row])


@pytest.mark.parametrize("index", range(len(NAMES)), ids=NAMES)
def test_the_seed_and_nothing_else_moves_a_fit(contenders: Sequence[Contender], index: int) -> None:
    rival = contenders[index]
    X, classes = columns_of(load_heart(), "train")
    first, second, other = (rival.fit(X, classes, seed)(X) for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    # A logistic regression draws nothing.
    assert np.array_equal(first, other) == ("LogisticRegression" in rival.name)


def test_rivals_get_the_columns_of_the_network_in_the_order_of_the_source() -> None:
    recording = Recording()
    compare(TUTORIAL, [Contender("recording", recording.fit)], [1])
    for (X, classes), part in (
        (recording.fitted[0], "train"),
        ((recording.asked[0], None), "test"),
    ):
        expected, expected_classes = columns_of(load_heart(), part)
        np.testing.assert_allclose(X, expected, atol=1e-12)
        assert classes is None or np.array_equal(classes, expected_classes)


def test_a_row_is_asked_for_by_itself_when_the_time_is_taken() -> None:
    recording = Recording()
    compare(TUTORIAL, [Contender("recording", recording.fit)], [1])
    assert [len(X) for X in recording.asked] == [54, 1] + 54 * [1]


def test_rivals_never_see_a_test_row() -> None:
    def older(frame: pd.DataFrame, test: Rows) -> None:
        frame.iloc[test, 0] += 1

    before, after = Recording(), Recording()
    compare(TUTORIAL, [Contender("recording", before.fit)], [1])
    compare(with_test_rows(TUTORIAL, older), [Contender("recording", after.fit)], [1])
    for fitted_before, fitted_after in zip(before.fitted[0], after.fitted[0], strict=True):
        assert np.array_equal(fitted_before, fitted_after)
    assert (before.asked[0][:, 0] < after.asked[0][:, 0]).all()


@pytest.mark.parametrize("name", ["heart", "heart-tutorial"])
def test_the_network_never_sees_a_test_row(name: str) -> None:
    def turned(frame: pd.DataFrame, test: Rows) -> None:
        frame.iloc[test, -1] = 3 - frame.iloc[test, -1]

    recipe = find_recipe(name)
    (before,) = compare(recipe, [], [1])
    (after,) = compare(with_test_rows(recipe, turned), [], [1])
    right = before.figures["accuracy"].mean
    assert after.figures["accuracy"].mean == pytest.approx(1 - right)
    assert right > 0.7


def test_three_classes_are_compared_without_a_cost(contenders: Sequence[Contender]) -> None:
    probabilities: list[Array] = []

    def noting(rival: Contender) -> Contender:
        def fit(X: Array, classes: Rows, random_state: int) -> Predict:
            predict = rival.fit(X, classes, random_state)
            probabilities.append(predict(X))
            return predict

        return Contender(rival.name, fit)

    rows = compare(find_recipe("iris"), [noting(rival) for rival in contenders], [0])
    assert [row.name for row in rows] == ["iris", *NAMES]
    assert all(row.figures.keys() == HEADINGS.keys() - {"cost"} for row in rows)
    assert all(row.figures["roc_auc"].mean > 0.5 for row in rows)
    assert as_markdown(rows).count("| \N{EN DASH} |") == len(rows)
    assert [p.shape for p in probabilities] == len(NAMES) * [(120, 3)]
    # Keras computes in single precision.
    np.testing.assert_allclose([p.sum(axis=1) for p in probabilities], 1, atol=1e-6)


def test_no_other_warning_of_scikit_learn_is_silenced() -> None:
    X, classes = columns_of(load_heart(), "train")
    with pytest.warns(DataConversionWarning):
        fit_mlp_classifier(X, classes[:, np.newaxis], 0)


def python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(home), "KERAS_BACKEND": "none of them"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_keras_is_imported_without_a_word_and_without_a_trace(tmp_path: Path) -> None:
    ended = python(
        "import os\n"
        "from model.reports.rivals import rivals\n"
        "before = dict(os.environ)\n"
        "rivals()\n"
        "import keras\n"
        "assert keras.backend.backend() == 'jax'\n"
        "assert dict(os.environ) == before",
        tmp_path,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not (tmp_path / ".keras").exists()


def test_without_keras_the_error_names_it(tmp_path: Path) -> None:
    ended = python(
        "import sys\n"
        "sys.modules['keras'] = None\n"
        "from model.reports.rivals import rivals\n"
        "try:\n"
        "    rivals()\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error.name)",
        tmp_path,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "keras\n", "")
