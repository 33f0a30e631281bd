"""The API for notebooks: frames as the files that they were read from, and errors in a sentence."""

from __future__ import annotations

import ast
import doctest
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import heartline
from model.artifact.artifact import Artifact
from model.data.loading import rows_to_predict
from model.inference.frames import Frame, column_of, matrix_of
from model.schema.features import Feature, FeatureSet
from service.cli import cli
from tests.conftest import ARTIFACT, ROOT

FAST: dict[str, Any] = {"folds": 2, "repeats": 1}
ROWS = [
    f"{row},{20 + 7 * row % 31},{'north' if row % 3 else 'south'},"
    f"{'' if row % 7 == 0 else row / 8},{'True' if row % 5 else 'False'},"
    f"{'yes' if row % 4 == 0 else 'no'},{('basic', 'plus', 'pro')[7 * row % 11 % 3]}"
    for row in range(60)
]
TEXT = "\n".join(["id,age,alk.phos,from,active,left,plan", *ROWS])
IGNORED = (
    r"^columns that are not used: id \(All or most of its whole numbers are distinct, as ids are\)$"
)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "churn.csv"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def of_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, heartline.Model]:
    """Models of two classes and of three; those of three are fitted several times as fast."""
    path = tmp_path_factory.mktemp("rows") / "churn.csv"
    path.write_text(TEXT)
    models = {}
    for target in ("left", "plan"):
        with pytest.warns(UserWarning, match=IGNORED):
            models[target] = heartline.train(path, target, **FAST)
    return models


@pytest.fixture(scope="module")
def trained(of_target: dict[str, heartline.Model]) -> heartline.Model:
    return of_target["left"]


def pandas() -> pd.DataFrame:
    return pd.read_csv(io.StringIO(TEXT))


def polars() -> pl.DataFrame:
    return pl.read_csv(io.StringIO(TEXT))


def mapping() -> dict[str, list[Any]]:
    return polars().to_dict(as_series=False)


@pytest.mark.slow
def test_the_examples_in_the_docstrings_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(heartline)
    assert result.attempted >= 15
    assert not result.failed


@pytest.mark.slow
def test_a_path_gives_the_bytes_that_the_command_gives(rows: Path, tmp_path: Path) -> None:
    by_command, by_call = tmp_path / "command.npz", tmp_path / "call.npz"
    options = ["--target", "plan", "--folds", "2", "--repeats", "1", "--seed", "3"]
    command = ["train", str(rows), *options, "--output", str(by_command)]
    assert CliRunner().invoke(cli, command).exit_code == 0
    with pytest.warns(UserWarning, match=IGNORED) as caught:
        model = heartline.train(str(rows), target="plan", seed=3, **FAST)
    assert caught[0].filename == __file__
    model.save(by_call)
    assert by_call.read_bytes() == by_command.read_bytes()
    for suffix in (".json", ".md"):
        beside = [path.with_suffix(suffix).read_text() for path in (by_call, by_command)]
        assert beside[0] == beside[1]


@pytest.mark.slow
def test_a_schema_file_gives_the_bytes_that_the_command_gives(rows: Path, tmp_path: Path) -> None:
    schema, path = rows.with_suffix(".toml"), tmp_path / "command.npz"
    run = CliRunner()
    assert run.invoke(cli, ["init", str(rows), "--target", "plan"]).exit_code == 0
    command = ["train", str(schema), "--folds", "2", "--repeats", "1", "--output", str(path)]
    assert run.invoke(cli, command).exit_code == 0
    heartline.train(schema, **FAST).save(tmp_path / "call.npz")
    assert (tmp_path / "call.npz").read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frame", "target"),
    [(pandas, "left"), (pandas, "plan"), (polars, "plan"), (mapping, "plan")],
)
def test_a_frame_gives_the_weights_that_its_file_gives(
    frame: Callable[[], Frame], target: str, of_target: dict[str, heartline.Model]
) -> None:
    with pytest.warns(UserWarning, match=IGNORED):
        artifact = heartline.train(frame(), target=target, **FAST).artifact
    expected = of_target[target].artifact
    assert_same_weights(artifact, expected)
    assert artifact.about["metrics"] == expected.about["metrics"]
    assert artifact.name == target
    assert artifact.about["data"] == {"source": "a data frame of the user's own", "rows": 60}


def assert_same_weights(one: Artifact, other: Artifact) -> None:
    arrays, others = one.arrays(), other.arrays()
    assert arrays.keys() == others.keys()
    for name in arrays:
        if not name.startswith("golden"):  # made of the model's name and the schema
            assert arrays[name].tobytes() == others[name].tobytes(), name


@pytest.mark.parametrize("frame", [pandas, polars, mapping])
def test_a_frame_is_predicted_as_its_file(
    frame: Callable[[], Frame], trained: heartline.Model, rows: Path
) -> None:
    expected = trained.artifact.predict_proba(matrix_of(polars(), trained.artifact.features))
    probabilities = trained.predict_proba(frame())
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities[:, 1], expected, rtol=0, atol=1e-12)
    assert probabilities.tobytes() == trained.predict_proba(rows).tobytes()
    assert (probabilities.sum(axis=1) == 1.0).all()
    labels = trained.predict(frame())
    assert labels.tolist() == trained.predict(rows).tolist()
    assert set(labels) <= set(trained.classes_) == {"no", "yes"}
    assert labels.tolist() == trained.classes_[(probabilities[:, 1] > 0.5).astype(int)].tolist()


def test_of_several_classes_the_most_probable_is_predicted() -> None:
    model = heartline.load(ROOT / "artifacts" / "iris.npz")
    low, high = zip(*(feature.observed for feature in model.artifact.features), strict=True)
    frame = pd.DataFrame([low, high], columns=model.feature_names_in_)
    probabilities = model.predict_proba(frame)
    assert probabilities.shape == (2, 3)
    assert model.predict(frame).tolist() == model.classes_[probabilities.argmax(axis=1)].tolist()


def test_the_threshold_of_the_model_decides() -> None:
    model = heartline.Model(replace(Artifact.load(ARTIFACT), threshold=0.9))
    rows = model.artifact.golden_inputs
    frame = dict(zip(model.feature_names_in_, rows.T, strict=True))
    with pytest.warns(UserWarning, match="outside of what training saw"):
        positive = model.predict_proba(frame)[:, 1] > 0.9
    with pytest.warns(UserWarning, match="outside of what training saw"):
        labels = model.predict(frame)
    assert len({*labels}) == 2
    assert labels.tolist() == model.classes_[positive.astype(int)].tolist()


def test_no_rows_have_no_predictions() -> None:
    model = heartline.load(ARTIFACT)
    frame = pd.DataFrame({name: [] for name in model.feature_names_in_})
    assert model.predict_proba(frame).shape == (0, 2)
    assert model.predict(frame).tolist() == []


def test_values_outside_of_the_training_rows_are_counted_in_one_warning() -> None:
    model = heartline.load(ARTIFACT)
    example = model.artifact.features.example()
    frame = pd.DataFrame([example, {**example, "age": 99}, {**example, "age": 98}])
    expected = r"^values outside of what training saw, in 2 of 3 rows: age$"
    with pytest.warns(UserWarning, match=expected) as caught:
        model.predict(frame)
    assert [warning.filename for warning in caught] == [__file__]


def test_all_bad_cells_are_counted_and_no_value_is_repeated(trained: heartline.Model) -> None:
    frame = pandas()
    frame["age"] = frame["age"].astype(object)
    frame.loc[1, "age"] = "secret"
    frame.loc[4, "age"] = np.inf
    frame.loc[[2, 5], "alk.phos"] = ["private", None]
    with pytest.raises(heartline.DataError) as caught:
        trained.predict_proba(frame)
    first, second, third, fourth = (
        "row 2, column age: not a value of this column; expected a whole number from 0 to 80",
        "row 3, column alk.phos: not a value of this column; expected north or south",
        "row 5, column age: not a value of this column; expected a whole number from 0 to 80",
        "row 6, column alk.phos: a value is missing; expected north or south",
    )
    assert str(caught.value) == f"data frame, {first}"
    assert caught.value.__notes__ == [
        f"4 cells cannot be used:\n  {first}\n  {second}\n  {third}\n  {fourth}"
    ]


def test_a_missing_value_is_answered_where_training_saw_some(trained: heartline.Model) -> None:
    frame = pandas()
    frame["from"] = None
    assert trained.predict(frame).shape == (60,)
    with pytest.raises(heartline.DataError, match="row 1, column age: a value is missing; "):
        trained.predict(frame.assign(age=np.nan))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda of: of.drop(columns="age"), "column age: is missing"),
        (
            lambda of: of.rename(columns={"age": "Agee"}),
            "column age: is missing; did you mean 'Agee'?",
        ),
        (
            lambda of: pd.concat([of, of[["age"]]], axis=1),
            "column age: is given twice",
        ),
        (
            lambda of: of.assign(age=[[1]] * 60),
            "column age: holds lists, objects or bytes",
        ),
        (
            lambda of: of.assign(age=datetime(2026, 1, 1, tzinfo=UTC)),
            "row 1, column age: not a value of this column; expected a whole number from 0 to 80",
        ),
        (
            lambda of: of.assign(age=True),
            "row 1, column age: not a value of this column; expected a whole number from 0 to 80",
        ),
    ],
)
def test_a_frame_that_cannot_be_predicted_is_rejected(
    change: Callable[[pd.DataFrame], pd.DataFrame], expected: str, trained: heartline.Model
) -> None:
    with pytest.raises(heartline.DataError) as caught:
        trained.predict(change(pandas()))
    assert str(caught.value) == f"data frame, {expected}"


def test_what_is_no_frame_is_rejected(trained: heartline.Model) -> None:
    others: list[Any] = [pandas()["age"], np.zeros((2, 2)), [{"age": 1}], polars().lazy()]
    for data in others:
        with pytest.raises(TypeError, match="expected a data frame of pandas or Polars"):
            trained.predict(data)
    for value in (54, "north"):
        with pytest.raises(TypeError, match=r"^column age: expected a sequence of values, found"):
            trained.predict({**mapping(), "age": value})
    uneven = {**mapping(), "from": [1.0]}
    with pytest.raises(heartline.DataError, match="different numbers of rows"):
        trained.predict(uneven)
    with pytest.raises(heartline.DataError, match="different numbers of rows"):
        heartline.train(uneven, "left")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({}, "data frame: no rows"),
        ({"left": []}, "data frame: no rows"),
        (pd.DataFrame([[1, "a"], [2, "b"]]), "data frame: the name of a column is not a text"),
        (
            pd.DataFrame([["a", "b", "c"]], columns=["age", "age", "left"]),
            "data frame, column age: is given twice",
        ),
        (
            {"lft": ["a", "b"], "age": [1, 2]},
            "data frame, column left: no column has the target's name; did you mean lft?",
        ),
        (
            {"left": ["a", "b", None], "age": [1.5, 2.5, 3.5]},
            "data frame, row 3, column left: the label is missing; leave the row out or fill it in",
        ),
    ],
)
def test_a_frame_that_cannot_be_trained_on_is_rejected(frame: Frame, expected: str) -> None:
    with pytest.raises(heartline.DataError) as caught:
        heartline.train(frame, target="left")
    assert str(caught.value) == expected


def test_options_that_contradict_the_rows_are_rejected(rows: Path) -> None:
    with pytest.raises(heartline.HeartlineError, match=r"^a data frame needs target, the column"):
        heartline.train(pandas())
    with pytest.raises(heartline.HeartlineError, match=r"csv: a file of rows needs target, the"):
        heartline.train(rows)
    with pytest.raises(heartline.HeartlineError, match=r"the schema names the target; leave tar"):
        heartline.train("churn.toml", "left")
    wrong: dict[str, Any] = {"seed": -1, "folds": 1, "repeats": 0}
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=f"^{name} must be from "):
            heartline.train(pandas(), "left", **{name: value})
    with pytest.raises(ValueError, match="effort must be one of quick, normal, thorough"):
        heartline.train(pandas(), "left", effort="great")  # type: ignore[arg-type]


def test_the_figures_are_those_of_the_card() -> None:
    figures = heartline.load(ARTIFACT).evaluate()
    metrics = Artifact.load(ARTIFACT).about["metrics"]
    assert {name: vars(figure) for name, figure in figures.items()} == metrics
    first, accuracy, *_ = repr(figures).splitlines()
    assert first.startswith("stratified 9-fold cross-validation, 20 times")
    assert accuracy == "accuracy               0.861  95 % interval 0.822 to 0.900"
    plain = heartline.load(ROOT / "artifacts" / "moons.npz").evaluate()
    assert plain["train_accuracy"] == heartline.Figure(0.975)
    assert repr(plain).splitlines()[-1] == "train_accuracy         0.975"


def test_saving_replaces_a_model_completely_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    heartline.load(ROOT / "artifacts" / "iris.npz").save(path)
    heart = heartline.load(ARTIFACT)
    heart.save(path)
    assert path.read_bytes() == ARTIFACT.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["own.json", "own.md", "own.npz"]
    with pytest.raises(heartline.HeartlineError, match=r"must end in \.npz"):
        heart.save(tmp_path / "own.pkl")
    (tmp_path / "taken.json").mkdir()
    with pytest.raises(OSError, match=r"taken\.json"):
        heart.save(tmp_path / "taken.npz")
    assert not (tmp_path / "taken.npz").exists()


def test_the_module_names_what_it_has() -> None:
    assert heartline.__version__ == version("heartline")
    assert all(hasattr(heartline, name) for name in heartline.__all__)
    assert repr(heartline.load(ARTIFACT)) == "Model('heart', 13 columns, absence, presence)"


def test_only_what_the_serving_install_has_is_imported_with_the_module() -> None:
    """The import rules do not distinguish imports at the top of a module from later ones."""
    tree = ast.parse((ROOT / "heartline" / "__init__.py").read_text())
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name and name.partition(".")[0] in ("model", "service")}
    served = ("model.artifact", "model.errors", "model.inference", "model.schema")
    assert ours
    assert [name for name in ours if not name.startswith(served)] == []


FEATURES = FeatureSet(
    [
        Feature("number", "", "continuous", 1, minimum=-9, maximum=9, missing="indicator"),
        Feature("count", "", "count", 1, minimum=0, maximum=5, missing_cells=(5.0, "?")),
        Feature("code", "", "nominal", 1, codes=((1, "one"), (2, "two"))),
        Feature("text", "", "binary", 0, codes=((0, "1"), (1, "b")), texts_only=True, other=1),
        Feature(
            "flag",
            "",
            "binary",
            0,
            codes=((0, "no"), (1, "yes")),
            is_boolean=True,
            missing="indicator",
            missing_cells=("?",),
        ),
    ]
)
NUMBERS = (0, 1, 2, 5, 1.5, -9.0, 99, float("inf"), float("nan"), 10**400)
TEXTS = ("1", "b", "one", "two", "no", "yes", "?", "NA", "", "other")
CELLS = st.sampled_from([None, True, False, *NUMBERS, *TEXTS])


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(*[CELLS] * len(FEATURES)), min_size=1, max_size=6))
def test_every_way_to_give_a_table_says_the_same_of_it(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[Any, ...]]
) -> None:
    """The rules are read cell by cell in a frame of objects, by column in one of numbers."""
    columns = dict(zip(FEATURES.names, map(list, zip(*table, strict=True)), strict=True))
    said = [said_of(partial(matrix_of, of, FEATURES)) for of in forms(columns)]
    assert all(one == said[0] for one in said)


def forms(columns: dict[str, list[Any]]) -> list[Frame]:
    objects = pd.DataFrame({name: pd.Series(of, dtype=object) for name, of in columns.items()})
    typed = {name: pl.Series(name, of, strict=True) for name, of in columns.items() if is_one(of)}
    return [
        columns,
        objects,
        objects.convert_dtypes(),
        {**columns, **typed},
    ]


def is_one(cells: list[Any]) -> bool:
    return len(set(map(type, cells)) - {type(None)}) == 1 and 10**400 not in cells


def said_of(read: Callable[[], Any]) -> Any:
    try:
        return read().tobytes()
    except heartline.DataError as error:
        return str(error), getattr(error, "__notes__", [])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([Decimal("1.5"), None], [1.5, None]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([1, 2], np.uint8), [1.0, 2.0]),
        (pd.Series(["a", None], dtype="category"), ["a", None]),
        (pd.Series([1, None], dtype="category"), [1.0, None]),
        (pd.Series([1, None], dtype="Int64"), [1.0, None]),
        (pd.Series([True, None], dtype="boolean"), [True, None]),
        (pd.Series(["a", None], dtype="string"), ["a", None]),
        (pd.Series([pd.Timestamp("2026-01-02"), None]), ["2026-01-02T00:00:00", None]),
        (pl.Series([1, None]), [1.0, None]),
        (pl.Series([True, None]), [True, None]),
        (pl.Series(["a", None], dtype=pl.Categorical), ["a", None]),
        (pl.Series(["a", None], dtype=pl.Enum(["a"])), ["a", None]),
        (pl.Series([Decimal("1.5"), None]), [1.5, None]),
        (pl.Series([date(2026, 1, 2), None]), ["2026-01-02", None]),
        (pl.Series([None, None]), [None, None]),
    ],
)
def test_every_kind_of_column_holds_cells(column: Any, expected: list[Any]) -> None:
    cells = [None if cell != cell else cell for cell in column_of({"x": column}, "x").tolist()]
    assert [cell if type(cell) is not str else cell.partition(".")[0] for cell in cells] == expected


@pytest.mark.parametrize(
    "column",
    [
        [b"a"],
        [[1]],
        [1j],
        np.zeros((2, 2)),
        pd.Series([pd.Timedelta(1)]),
        pl.Series([[1]]),
        pl.Series([[1]], dtype=pl.Array(pl.Int64, 1)),
        pl.Series([{"a": 1}]),
    ],
)
def test_other_columns_cannot_be_used(column: Any) -> None:
    with pytest.raises(ValueError, match=r"^holds lists, objects or bytes$"):
        column_of({"x": column}, "x")


def test_an_unused_column_of_any_kind_is_left_out() -> None:
    table = {"left": ["a", "b", "c"] * 20, "age": [*range(30), *range(30)], "tags": [[1]] * 60}
    expected = r"^columns that are not used: tags \(It holds lists, objects or bytes\)$"
    with pytest.warns(UserWarning, match=expected):
        model = heartline.train(table, "left", **FAST)
    assert model.feature_names_in_.tolist() == ["age"]


def test_a_recipe_is_trained_by_its_name() -> None:
    model = heartline.train("moons-baseline")
    assert model.artifact.name == "moons-baseline"


def test_a_file_that_cannot_be_predicted_names_the_line(
    trained: heartline.Model, rows: Path
) -> None:
    rows.write_text(TEXT.replace("\n3,", "\n3,secret", 1).replace("\n4,", "\n4,private", 1))
    with pytest.raises(heartline.DataError) as caught:
        trained.predict(rows)
    problem = "column age: not a value of this column; expected a whole number from 0 to 80"
    assert str(caught.value) == f"{rows}, line 5, {problem}"
    assert caught.value.__notes__ == [
        f"2 cells cannot be used:\n  line 5, {problem}\n  line 6, {problem}"
    ]
    rows.write_text(TEXT.replace("age", "agee", 1))
    with pytest.raises(heartline.DataError, match="column age: is missing; did you mean 'agee'"):
        trained.predict(rows)


def test_a_file_says_the_same_as_the_frame_that_was_read_from_it(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "number": [1.5, None, 99.0, float("nan")],
            "count": [1, 5, 6, None],
            "code": ["one", "two", "NA", None],
            "text": ["1", "b", "else", None],
            "flag": [True, False, None, True],
        }
    )
    path = tmp_path / "rows.parquet"
    frame.write_parquet(path)
    said = said_of(lambda: rows_to_predict(path, FEATURES))
    expected = said_of(lambda: matrix_of(frame, FEATURES))
    assert said[0].removeprefix(f"{path}, ") == expected[0].removeprefix("data frame, ")
    assert said[1] == expected[1]
    good = frame.head(1)
    good.write_parquet(path)
    assert rows_to_predict(path, FEATURES).tobytes() == matrix_of(good, FEATURES).tobytes()
