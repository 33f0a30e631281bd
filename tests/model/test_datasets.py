"""Data sets: the rows that they hold, and the files of a user's own that take their place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from model.artifact.artifact import CARD_KEYS
from model.data import Costs, Dataset, Subgroup, load_heart, load_iris, load_moons
from model.data.heart import HEART_FILE
from model.errors import DataError
from model.evaluation.validation import hold_out_twice

Load = Callable[[Path | None], Dataset]
LOADS: dict[str, Load] = {"heart": load_heart, "moons": load_moons, "iris": load_iris}


@pytest.fixture(params=LOADS)
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return LOADS[request.param](None)


@pytest.fixture(scope="module")
def heart() -> Dataset:
    return load_heart()


def written(path: Path, dataset: Dataset, header: list[str], *, by_name: bool) -> Path:
    """Write a data set as a user would have it: CSV with a header."""
    answers = dataset.labels if by_name else [code for code, _ in dataset.target.codes]
    rows = zip(dataset.X.tolist(), dataset.classes.tolist(), strict=True)
    lines = [",".join(map(str, (*row, answers[number]))) for row, number in rows]
    path.write_text("\n".join([",".join(header), *lines]), encoding="utf-8")
    return path


def test_the_moons_are_the_points_of_the_source() -> None:
    # The source seeds NumPy's own generator with 0 and lets scikit-learn draw from it.
    X, y = datasets.make_moons(200, noise=0.20, random_state=np.random.RandomState(0))
    dataset = load_moons()
    np.testing.assert_array_equal(dataset.X, X)
    np.testing.assert_array_equal(dataset.classes, y)
    assert dataset.features.names == ["x", "y"]


def test_the_upper_moon_lies_above_the_lower() -> None:
    dataset = load_moons()
    lower = dataset.classes == dataset.labels.index("lower")
    assert dataset.X[~lower, 1].mean() > dataset.X[lower, 1].mean() + 0.5
    assert lower.sum() == 100


def test_the_irises_are_fishers() -> None:
    bunch = datasets.load_iris()
    dataset = load_iris()
    np.testing.assert_array_equal(dataset.X, bunch.data)
    np.testing.assert_array_equal(dataset.classes, bunch.target)
    assert list(dataset.labels) == list(bunch.target_names)
    assert [aliases for f in dataset.features for aliases in f.aliases] == bunch.feature_names


def test_the_patients_are_those_of_the_file(heart: Dataset) -> None:
    numbers = np.array([line.split() for line in HEART_FILE.read_text().splitlines()], dtype=float)
    np.testing.assert_array_equal(heart.X, numbers[:, :-1])
    np.testing.assert_array_equal(heart.classes, numbers[:, -1] == 2)
    assert heart.labels == ("absence", "presence")
    assert heart.about()["sha256"] == hashlib.sha256(HEART_FILE.read_bytes()).hexdigest()


def test_every_value_is_a_possible_one(dataset: Dataset) -> None:
    for feature, column in zip(dataset.features, dataset.X.T, strict=True):
        assert all(feature.accepts(value) for value in column.tolist()), feature.name
    assert np.isfinite(dataset.X).all()


def test_every_class_has_a_name_and_rows(dataset: Dataset) -> None:
    assert len(dataset) == len(dataset.X) == len(dataset.classes) == dataset.about()["rows"]
    assert (np.bincount(dataset.classes) > 40).all()
    assert dataset.classes.max() == len(dataset.labels) - 1
    assert len(set(dataset.labels)) == len(dataset.labels)


def test_made_up_rows_are_possible_and_none_of_the_rows(dataset: Dataset) -> None:
    rows = {tuple(row) for row in dataset.X.tolist()}
    made_up = [
        *dataset.features.golden_inputs().tolist(),
        list(dataset.features.example().values()),
    ]
    for row in made_up:
        assert all(f.accepts(value) for f, value in zip(dataset.features, row, strict=True))
        assert tuple(row) not in rows


def test_the_example_gets_no_warning(dataset: Dataset) -> None:
    features = dataset.features.observe(dataset.X)
    assert not features.rules.unseen(np.array([list(features.example().values())])).any()


def test_the_card_can_be_filled(dataset: Dataset) -> None:
    assert {*dataset.card, "metrics"} >= CARD_KEYS
    assert dataset.source
    assert dataset.threshold_reason.endswith(".")


def test_the_cost_matrix_belongs_to_heart_disease_alone(heart: Dataset) -> None:
    assert heart.costs == Costs(5.0, 1.0)
    assert "1/6" in heart.threshold_reason
    for load in (load_moons, load_iris):
        assert load().costs is None
        assert load().subgroups == ()
        assert load().threshold_reason == "The more probable class is predicted."


def test_the_subgroups_of_patients_divide_them_by_sex_and_by_age(heart: Dataset) -> None:
    women, men, younger, older = (heart.rows_of(subgroup) for subgroup in heart.subgroups)
    assert (women ^ men).all()
    assert (younger ^ older).all()
    assert (women.sum(), men.sum()) == (87, 183)
    np.testing.assert_array_equal(women, heart.X[:, 1] == 0.0)
    np.testing.assert_array_equal(younger, heart.X[:, 0] < 55.0)


def test_a_subgroup_begins_at_its_low_end_and_stops_before_its_high_end(heart: Dataset) -> None:
    rows = heart.rows_of(Subgroup("fifties", "age", 50, 60))
    assert set(heart.X[rows, 0]) == set(range(50, 60))


def test_own_irises_may_have_the_names_of_scikit_learn(tmp_path: Path) -> None:
    public = load_iris()
    header = [*datasets.load_iris().feature_names, "species"]
    for by_name in (True, False):
        own = load_iris(written(tmp_path / "own.csv", public, header, by_name=by_name))
        np.testing.assert_array_equal(own.X, public.X)
        np.testing.assert_array_equal(own.classes, public.classes)
        assert own.labels == public.labels


def test_own_columns_may_come_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("moon,y,x\nlower,0.5,1.5\n0,-0.25,2\n", encoding="utf-8")
    own = load_moons(path)
    assert own.X.tolist() == [[1.5, 0.5], [2.0, -0.25]]
    assert own.classes.tolist() == [1, 0]


@pytest.mark.parametrize("name", LOADS)
def test_an_own_file_is_reported_by_its_digest_and_claims_nothing_of_the_public_rows(
    name: str, tmp_path: Path
) -> None:
    public = LOADS[name](None)
    header = [*public.features.names, public.target.name]
    path = written(tmp_path / "own.csv", public, header, by_name=True)
    own = LOADS[name](path)
    assert own.about() == {
        "source": "a file of the user's own",
        "rows": len(public),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert "citation" not in own.card
    assert own.threshold_reason == "The more probable class is predicted."
    # The cost matrix and the subgroups are the columns', not the rows'.
    assert (own.costs, own.subgroups) == (public.costs, public.subgroups)


@pytest.mark.parametrize(
    ("load", "text", "problem"),
    [
        (load_moons, "x,y,moon\n0,0,upper\n0,0,left\n", "line 3, column moon: not a value"),
        (load_moons, "x,y,moon\n0,11,upper\n", "line 2, column y: not a value"),
        (load_moons, "x,y\n0,1\n", "line 1, column moon: is missing"),
        (load_moons, "x,y,moon,moon\n0,1,0,0\n", "line 1, column moon: is given twice"),
        (load_iris, "5.1 3.5 1.4 0.2 3\n", "line 1, column species: not a value"),
        (load_iris, "5.1 3.5 1.4 0.2\n", "line 1: expected 5 values"),
        (load_iris, "5.1 3.5 1.4 ? 0\n", "line 1, column petal_width: a value is missing"),
    ],
)
def test_a_fault_of_an_own_file_is_reported_by_line_and_column(
    load: Load, text: str, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "own"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}, {problem}")


def test_the_irises_split_into_the_parts_of_the_source() -> None:
    parts = hold_out_twice(0.15, 0.1, len(load_iris()), 0)
    assert {name: len(rows) for name, rows in parts.items()} == {
        "train": 114,
        "validation": 13,
        "test": 23,
    }
