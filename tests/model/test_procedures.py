"""Procedures: rows held out stay out, fits are counted, and too small files are rejected."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from model.data import Dataset, load_heart, load_iris
from model.data.heart import STATLOG_COSTS
from model.errors import DataError, DivergenceError
from model.evaluation.metrics import metrics_for
from model.evaluation.validation import Mask, Rows, hold_out, training_sets
from model.inference.pipeline import Pipeline
from model.network.optimizers import GradientDescent
from model.recipes.design import Design, Fitted, Watch
from model.recipes.procedures import Procedure, SingleFit
from model.recipes.recipes import HEART, RECIPES, TUTORIAL, find_recipe
from model.recipes.tables.plans import Plan
from model.recipes.tables.stacks import Family, Stacks
from model.recipes.tables.table_fit import PlannedTableFit
from tests.model.conftest import Run

METRICS = metrics_for(2, STATLOG_COSTS)

QUICK = replace(HEART, iterations=3)
SPLIT = partial(hold_out, 0.2, 2)


def ignore(_: float) -> None:
    pass


@dataclass(frozen=True)
class RecordingDesign(Design):
    """A design that notes on which rows it was fitted."""

    fitted: list[set[tuple[float, ...]]] = field(default_factory=list)

    def fit(
        self, dataset: Dataset, rows: Rows, random_state: int, watch: Watch | None = None
    ) -> Fitted:
        self.fitted.append({tuple(row) for row in dataset.X[rows].tolist()})
        return super().fit(dataset, rows, random_state, watch)

    def fit_stack(self, dataset: Dataset, training: Mask, random_state: int) -> Pipeline:
        self.fitted.extend({tuple(row) for row in dataset.X[mask].tolist()} for mask in training)
        return super().fit_stack(dataset, training, random_state)


def recording(design: Design) -> RecordingDesign:
    return RecordingDesign(**{name: getattr(design, name) for name in Design.__dataclass_fields__})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_heart()


def own_file(tmp_path: Path, lines: list[str]) -> Path:
    path = tmp_path / "own.dat"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    return path


def test_the_product_reports_every_one_of_its_fits(heart_run: Run) -> None:
    assert heart_run.reported_fits == find_recipe("heart").procedure.fits


@pytest.mark.parametrize(
    "procedure",
    [
        SingleFit(QUICK, SPLIT),
        PlannedTableFit(Plan(2, 1, 2), Stacks(QUICK, (Family((5.0,)),))),
        pytest.param(
            PlannedTableFit(Plan(3, 2, 4), Stacks(QUICK, (Family((5.0, 5.0, 5.0)),))),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_procedure_reports_as_many_fits_as_it_announces(
    procedure: Procedure, dataset: Dataset
) -> None:
    reports: list[float] = []
    procedure.run("quick", dataset, 1, reports.append)
    assert sum(reports) == pytest.approx(procedure.fits)


def test_a_hold_out_fits_on_the_training_rows_alone(dataset: Dataset) -> None:
    design = recording(replace(TUTORIAL, iterations=1))
    artifact = SingleFit(design, SPLIT).run("quick", dataset, 1, ignore)
    assert [len(rows) for rows in design.fitted] == [216]
    assert list(artifact.about["metrics"]) == [
        "first_loss",
        "last_loss",
        "train_accuracy",
        "test_accuracy",
    ]


@pytest.mark.parametrize("design", [HEART, replace(HEART, hidden_activation="relu"), TUTORIAL])
def test_a_stack_gives_the_numbers_of_one_fit_at_a_time(design: Design, dataset: Dataset) -> None:
    everything = np.ones(270, dtype=bool)
    training = training_sets(dataset.classes, everything, 7, random_state=0)
    assert len({mask.sum() for mask in training}) > 1
    stack = design.fit_stack(dataset, training, 1)
    for index, mask in enumerate(training):
        single = design.fit(dataset, np.flatnonzero(mask), 1).pipeline
        np.testing.assert_allclose(
            stack.predict_proba(dataset.X)[index], single.predict_proba(dataset.X), 0, 1e-10
        )
        np.testing.assert_array_equal(
            stack.member(index).predict_proba(dataset.X), stack.predict_proba(dataset.X)[index]
        )


def test_the_folds_of_a_nested_procedure_get_what_its_own_fit_gives(dataset: Dataset) -> None:
    procedure = PlannedTableFit(Plan(3, 1, 3), Stacks(QUICK, (Family((1.0, 5.0)),)))
    everything = np.ones((1, 270), dtype=bool)
    (fold,) = procedure.fit_folds(dataset, everything, 1, ignore)
    served = procedure.fit(dataset, 1, ignore).pipeline
    np.testing.assert_allclose(
        fold.predict_proba(dataset.X), served.predict_proba(dataset.X), rtol=0, atol=1e-10
    )


def test_the_members_are_reported_and_the_figures_have_their_names(heart_run: Run) -> None:
    about = heart_run.artifact.about
    assert about["training"]["l2_of_members"] == [10.0, 15.0, 20.0]
    assert list(about["metrics"]) == list(METRICS)
    for figure in about["metrics"].values():
        assert figure["low"] < figure["value"] < figure["high"]
        assert 0.0 < figure["spread"] < figure["high"] - figure["low"]


def test_the_product_meets_its_marks(heart_run: Run) -> None:
    metrics = heart_run.artifact.about["metrics"]
    assert metrics["cost"]["value"] <= 0.345
    assert metrics["roc_auc"]["value"] >= 0.912
    assert metrics["brier"]["value"] <= 0.114
    assert 0.95 <= metrics["calibration_slope"]["value"] <= 1.05
    assert metrics["calibration_slope"]["low"] < 1.0 < metrics["calibration_slope"]["high"]
    assert metrics["calibration_intercept"]["low"] < 0.0 < metrics["calibration_intercept"]["high"]


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name.startswith("heart")])
@pytest.mark.parametrize("rows_of", [{"1": 20}, {"2": 20}, {"1": 1}, {"1": 1, "2": 1}], ids=str)
def test_a_file_with_too_few_rows_of_a_class_is_reported_how_many_are_needed(
    rows_of: dict[str, int], recipe: str, tmp_path: Path, heart_lines: list[str]
) -> None:
    lines: list[str] = []
    for label, count in rows_of.items():
        lines += [line for line in heart_lines if line.endswith(f" {label}")][:count]
    path = own_file(tmp_path, lines)
    with pytest.raises(DataError, match=r"needs at least \d+ ") as caught:
        find_recipe(recipe).train(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_a_card_says_of_several_sigmoids_that_they_are_divided(tmp_path: Path) -> None:
    frame = load_iris().frame.sample(60, random_state=1)
    frame.to_csv(tmp_path / "own.csv", index=False)
    about = find_recipe("iris").train(tmp_path / "own.csv").about
    assert about["limits"][-1].startswith("The outputs of the network are sigmoids")
    assert "citation" not in about


def test_an_overflow_on_the_way_is_reported_as_divergence(dataset: Dataset) -> None:
    wild = replace(TUTORIAL, optimizer=partial(GradientDescent, learning_rate=1e200))
    with pytest.raises(DivergenceError):
        SingleFit(wild, SPLIT, reported=range(1, 6)).run("wild", dataset, 1, ignore)


@pytest.mark.parametrize("recipe", ["heart", "heart-tutorial"])
def test_a_constant_column_is_reported_before_anything_is_fitted(
    recipe: str, tmp_path: Path, heart_lines: list[str]
) -> None:
    path = own_file(tmp_path, [" ".join(["54.0", *line.split()[1:]]) for line in heart_lines])
    with pytest.raises(DataError) as caught:
        find_recipe(recipe).train(path)
    assert str(caught.value) == (
        f"{path}, column age: all 270 rows have the same value, so nothing can be learned from it: "
        "add rows with other values"
    )


@pytest.mark.parametrize("design", [QUICK, replace(TUTORIAL, iterations=3)])
def test_a_column_that_is_constant_in_a_fold_gets_scale_one(
    design: Design, dataset: Dataset
) -> None:
    fasting = np.flatnonzero(dataset.X[:, 5] == 0.0)
    pipeline = design.fit(dataset, fasting, 1).pipeline
    column = pipeline.encoding.columns.index((5, None))
    assert (pipeline.mean[column], pipeline.scale[column]) == (0.0, 1.0)
    assert np.isfinite(pipeline.predict_proba(dataset.X)).all()


def test_a_code_that_nobody_has_gets_scale_one(tmp_path: Path, heart_lines: list[str]) -> None:
    path = own_file(tmp_path, [line for line in heart_lines if line.split()[2] != "1.0"])
    artifact = SingleFit(QUICK, SPLIT).run("quick", load_heart(path), 1, ignore)
    column = artifact.pipeline.encoding.columns.index((2, 1.0))
    assert (artifact.pipeline.mean[column], artifact.pipeline.scale[column]) == (0.0, 1.0)
    assert artifact.features[2].observed == (2.0, 3.0, 4.0)


def test_the_card_of_a_users_own_file_claims_nothing_of_the_public_set(
    tmp_path: Path, heart_lines: list[str]
) -> None:
    path = own_file(tmp_path, heart_lines[:100])
    about = find_recipe("heart-tutorial").train(path).about
    assert about["data"]["source"] == "a file of the user's own"
    assert about["data"]["rows"] == 100
    assert "Statlog" not in str(about)
    assert str(path) not in str(about)


def test_eight_rows_of_a_class_are_too_few_for_nine_folds(
    tmp_path: Path, heart_lines: list[str]
) -> None:
    sick = [line for line in heart_lines if line.endswith(" 2")]
    well = [line for line in heart_lines if line.endswith(" 1")]
    path = own_file(tmp_path, well + sick[:8])
    with pytest.raises(DataError) as caught:
        find_recipe("heart").train(path)
    assert str(caught.value) == (
        f"{path}: 8 rows of presence (heart_disease); cross-validation needs at least 9 of "
        "each class: add rows of this class"
    )
    quick = PlannedTableFit(Plan(9, 1, 9), Stacks(QUICK, (Family((5.0,)),)))
    nine = load_heart(own_file(tmp_path, well + sick[:9]))
    assert quick.run("quick", nine, 1, ignore).about["data"]["rows"] == 159
