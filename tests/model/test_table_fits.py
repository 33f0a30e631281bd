"""The procedure for any table: what it learns from, what it says, and what it refuses."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.data import Costs, Dataset, load_heart, load_iris
from model.errors import DataError, DivergenceError
from model.evaluation import metrics
from model.evaluation.calibration import logit
from model.evaluation.validation import Mask, repeated_training_sets
from model.inference.pipeline import Pipeline
from model.network.activations import softmax
from model.network.optimizers import GradientDescent
from model.recipes.own_tables import table_recipe
from model.recipes.procedures import judge
from model.recipes.tables import parallel, refusals
from model.recipes.tables.inputs import RAMPS, EncodedTable, Inputs
from model.recipes.tables.parallel import Abandoned, OnShare, in_parallel
from model.recipes.tables.plans import EFFORTS, SIZES, Choices, Plan, inner_sets, plan_for
from model.recipes.tables.stacks import MANY_ROWS, Family, Members, Stacks
from model.recipes.tables.table_fit import (
    FAMILIES,
    SEVERAL_CLASSES,
    TWO_CLASSES,
    PlannedTableFit,
    TableFit,
)
from tests.model.made_tables import made_table

QUICK = Plan(folds=3, repeats=1, inner_folds=2)
FEW = (Family((10.0, 20.0)), Family((5.0,), has_ramps=True, has_scales=True))


def ignore(_: float) -> None:
    pass


def quick(dataset: Dataset, plan: Plan = QUICK, iterations: int = 4) -> PlannedTableFit:
    design = TWO_CLASSES if len(dataset.labels) == 2 else SEVERAL_CLASSES
    return PlannedTableFit(plan, Stacks(replace(design, iterations=iterations), FEW))


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 20)
    monkeypatch.setattr(metrics, "FEW_RESAMPLES", 20)


def groups_of(dataset: Dataset, size: int) -> Dataset:
    return replace(dataset, groups=np.arange(len(dataset)) // size)


def arrays(pipeline: Pipeline) -> list[Array]:
    return [*pipeline.network.parameters.values(), pipeline.mean, pipeline.scale]


def assert_same(one: Pipeline, other: Pipeline, tolerance: float = 0.0) -> None:
    for mine, theirs in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_allclose(mine, theirs, 0.0, tolerance)


@pytest.fixture
def no_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("something was fitted")

    monkeypatch.setattr(Stacks, "fit", fail)


@pytest.mark.parametrize(
    "dataset",
    [
        made_table(classes=2),
        made_table(classes=3),
        made_table(rows=200, classes=12),
        groups_of(made_table(classes=3), 3),
        replace(made_table(), weights=np.linspace(0.1, 9.0, 120)),
        made_table(rows=300, shares=np.array([0.97, 0.03])),
        made_table(rows=2600, columns=2),
        made_table(classes=3, missing=True),
        made_table(rows=2600, columns=2, missing=True),
    ],
    ids=[
        "two",
        "three",
        "twelve",
        "groups",
        "weights",
        "rare",
        "batches",
        "missing",
        "missing in batches",
    ],
)
@pytest.mark.parametrize("plan", [QUICK, Plan(3, 2, 1)], ids=["nested", "one division"])
def test_a_table_becomes_an_artifact_that_loads_and_reports_its_fits(
    dataset: Dataset, plan: Plan, tmp_path: Path
) -> None:
    reports: list[float] = []
    procedure = quick(dataset, plan)
    artifact = procedure.run("made", dataset, 1, reports.append).save(tmp_path / "made.npz")
    assert sum(reports) == pytest.approx(procedure.fits)
    loaded = Artifact.load(tmp_path / "made.npz")
    probabilities = loaded.predictor().predict_proba(dataset.X)
    classes = len(dataset.labels)
    assert probabilities.shape == ((len(dataset),) if classes == 2 else (len(dataset), classes))
    for figure in artifact.about["metrics"].values():
        assert np.isfinite(list(figure.values())).all()


def test_a_recipe_reports_shares_of_one_run_and_loads_once() -> None:
    loads: list[Path | None] = []

    def load(path: Path | None) -> Dataset:
        loads.append(path)
        return made_table(60)

    recipe = table_recipe("made", load, Choices(folds=2, repeats=1))
    reports: list[float] = []
    artifact = recipe.train(on_fit=reports.append)
    assert recipe.procedure.fits == 1
    assert sum(reports) == pytest.approx(1)
    assert artifact.about["training"]["protocol"].startswith("stratified 2-fold")
    recipe.load(None)
    assert loads == [None]


@pytest.mark.slow
@pytest.mark.parametrize("dataset", [load_heart(), load_iris()], ids=["heart", "iris"])
def test_real_tables_are_learned_and_calibrated(dataset: Dataset) -> None:
    found = table_recipe("real", lambda _: dataset, Choices(repeats=1)).train().about["metrics"]
    if len(dataset.labels) == 2:
        assert found["log_loss"]["value"] < 0.39
        assert found["calibration_slope"]["value"] == pytest.approx(1.0, abs=0.15)
    else:
        assert found["log_loss"]["value"] < 0.18
        assert found["accuracy"]["value"] > 0.93


@pytest.mark.parametrize("rows", [90, 2100])
@pytest.mark.parametrize("classes", [2, 4])
def test_a_stack_of_sets_gives_what_each_set_gives_alone(rows: int, classes: int) -> None:
    dataset = made_table(rows, classes=classes, missing=True)
    stacks = quick(dataset).stacks
    table = EncodedTable.of(dataset, stacks.design)
    training = np.ones((3, rows), dtype=bool)
    training[0, ::9] = training[1, : rows // 9] = training[2, -(rows // 9) :] = False
    training[0, : rows - rows // 9 - training[0].sum()] = True
    together = stacks.fit(table, training, 1, ignore)
    weights, everything = np.array([0.5, 0.3, 0.2]), np.arange(rows)
    for index, mask in enumerate(training):
        alone = stacks.fit(table, mask[np.newaxis], 1, ignore)
        found, expected = together.logits(index, everything), alone.logits(0, everything)
        np.testing.assert_allclose(found, expected, 1e-9, 1e-9)
        np.testing.assert_allclose(together.losses[:, index], alone.losses[:, 0], rtol=1e-9)
        assert_same(together.pipeline(index, weights), alone.pipeline(0, weights), 1e-9)


def test_the_inputs_of_a_set_are_learned_from_its_rows() -> None:
    dataset = made_table(200, classes=2)
    rows = np.arange(200) % 3 > 0
    table = EncodedTable.of(dataset, TWO_CLASSES)
    inputs = Inputs.learned(table, [np.flatnonzero(rows), np.flatnonzero(~rows)])
    for index, mask in enumerate((rows, ~rows)):
        values = dataset.X[mask, 0]
        assert (inputs.low[index, 0], inputs.high[index, 0]) == (values.min(), values.max())
        assert inputs.mean[index, 0] == pytest.approx(values.mean(), rel=1e-12)
        assert inputs.scale[index, 0] == pytest.approx(values.std(), rel=1e-12)
        ramps = np.flatnonzero(inputs.sources == 0)[1:]
        quantiles = np.quantile(values, np.linspace(0, 1, RAMPS + 1))
        np.testing.assert_allclose(inputs.low[index, ramps], quantiles[:-1], rtol=1e-12)
        np.testing.assert_allclose(inputs.high[index, ramps], quantiles[1:], rtol=1e-12)
        coded = np.flatnonzero(table.encoding.is_indicator)
        assert np.isinf(inputs.low[index, coded]).all()
        assert (inputs.scale[index, coded] == 1).all()


def test_members_say_the_same_one_by_one_and_as_one_network() -> None:
    dataset = made_table(missing=True, rows=200, classes=3)
    rows = np.arange(200) % 3 > 0
    stacks = quick(dataset).stacks
    table = EncodedTable.of(dataset, stacks.design)
    members = stacks.fit(table, rows[np.newaxis], 1, ignore)
    for weights in ([0.5, 0.3, 0.2], [0.0, 1.5, 0.0], [0.0, 0.0, 2.0]):
        pipeline = members.pipeline(0, np.array(weights))
        combined = np.tensordot(weights, members.logits(0, np.arange(200)), 1)
        found = pipeline.class_probabilities(dataset.X)
        np.testing.assert_allclose(found, softmax(combined), 1e-10)
        assert pipeline.network.layer_sizes[1] == 8 * np.count_nonzero(weights)


def test_members_without_any_weight_say_nothing_of_a_row() -> None:
    dataset = made_table(60)
    stacks = quick(dataset).stacks
    table = EncodedTable.of(dataset, stacks.design)
    members = stacks.fit(table, np.ones((1, 60), dtype=bool), 1, ignore)
    found = members.pipeline(0, np.zeros(3)).class_probabilities(dataset.X)
    assert (found == 0.5).all()


def test_an_input_of_one_value_is_left_out_of_the_artifact() -> None:
    dataset = made_table(90)
    dataset.frame["x0"] = dataset.frame["x0"].clip(0.0, 0.1)
    stacks = quick(dataset).stacks
    table = EncodedTable.of(dataset, stacks.design)
    members = stacks.fit(table, np.ones((1, 90), dtype=bool), 1, ignore)
    encoding = members.pipeline(0, np.ones(3)).encoding
    ends = [made for source, made in encoding.columns if source == 0]
    assert 1 < len(ends) < RAMPS + 1
    assert all(isinstance(made, tuple) and made[0] < made[1] for made in ends)
    assert len(encoding) < len(members.inputs.sources)


def test_a_missing_value_is_the_mean_of_the_training_rows_and_is_indicated() -> None:
    dataset = made_table(missing=True, rows=200)
    rows = np.arange(200) % 3 > 0
    procedure = quick(dataset)
    table = EncodedTable.of(dataset, procedure.stacks.design)
    members = procedure.stacks.fit(table, rows[np.newaxis], 1, ignore)
    weights = np.array([0.2, 0.3, 0.5])
    pipeline = members.pipeline(0, weights)
    assert pipeline.mean[0] == pytest.approx(np.nanmean(dataset.X[rows, 0]), rel=1e-12)
    held_out = np.flatnonzero(~rows)
    filled = np.tensordot(weights, members.logits(0, held_out), 1)[:, 0]
    expected = logit(pipeline.class_probabilities(dataset.X[~rows]))
    np.testing.assert_allclose(filled, expected, rtol=1e-9)
    whole = procedure.fit(dataset, 1, ignore).pipeline
    given, missing = np.array([[0.0, 0.0, 0.0, 1.0]]), np.array([[np.nan, 0.0, 0.0, 1.0]])
    given[0, 0] = np.nanmean(dataset.X[:, 0])
    assert whole.class_probabilities(missing) != whole.class_probabilities(given)


def test_a_column_that_a_fold_knows_no_value_of_is_no_fault() -> None:
    dataset = made_table(missing=True)
    dataset.frame.loc[5:, "x0"] = np.nan
    procedure = quick(dataset)
    training = np.ones((2, 120), dtype=bool)
    training[0, :5] = False
    for pipeline in procedure.fit_folds(dataset, training, 1, ignore):
        assert np.isfinite(pipeline.class_probabilities(dataset.X)).all()


def test_many_rows_are_fitted_set_by_set_and_few_in_stacks() -> None:
    networks = Stacks(TWO_CLASSES, FAMILIES)
    few, many = np.ones((100, 240), dtype=bool), np.ones((4, MANY_ROWS + 1), dtype=bool)
    assert [part.stop - part.start for part in networks.chunks(few, 20)] == [80, 80]
    assert [part.stop - part.start for part in networks.chunks(few, 1000)] == [17] * 6
    assert [part.stop - part.start for part in networks.chunks(many, 20)] == [1, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("grouped", [False, True], ids=["rows", "groups"])
@pytest.mark.parametrize("inner_folds", [1, 3])
@pytest.mark.parametrize("classes", [2, 3])
def test_what_is_held_out_has_no_influence(classes: int, inner_folds: int, grouped: bool) -> None:
    dataset = made_table(classes=classes, missing=True)
    dataset = replace(dataset, weights=np.linspace(1.0, 2.0, 120))
    dataset = groups_of(dataset, 2) if grouped else dataset
    procedure = quick(dataset, Plan(3, 1, inner_folds))
    training = repeated_training_sets(dataset.classes, 3, 1, 1, dataset.groups)[0]
    before = procedure.fit_folds(dataset, training, 1, ignore)
    frame, held_out = dataset.frame.copy(), ~training[0]
    frame.loc[held_out, ["x0", "x1"]] *= 3.0
    frame.loc[held_out, "colour"] = 2.0
    frame.loc[held_out, "label"] = (frame.loc[held_out, "label"] + 1) % classes
    weights = np.where(held_out, 50.0, np.linspace(1.0, 2.0, 120))
    changed = replace(dataset, frame=frame, weights=weights)
    after = procedure.fit_folds(changed, training, 1, ignore)
    assert_same(before[0], after[0])
    assert (before[1].predict_proba(dataset.X) != after[1].predict_proba(dataset.X)).any()


@pytest.mark.parametrize("inner_folds", [1, 3])
def test_no_fit_divides_a_group(inner_folds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = groups_of(made_table(classes=3), 4)
    groups = np.asarray(dataset.groups)
    seen: list[Mask] = []
    fit = Stacks.fit

    def watched(
        self: Stacks, table: EncodedTable, training: Mask, seed: int, on_share: OnShare
    ) -> Members:
        seen.extend(training)
        return fit(self, table, training, seed, on_share)

    monkeypatch.setattr(Stacks, "fit", watched)
    procedure = quick(dataset, Plan(3, 1, inner_folds), iterations=1)
    judge(procedure, dataset, 1, ignore)
    assert len(seen) == 3 * (inner_folds + 1)
    for mask in seen:
        assert not set(groups[mask]) & set(groups[~mask])


def test_the_calibration_sees_rows_that_the_inner_fits_have_not_seen() -> None:
    classes = made_table(classes=3).classes
    dataset = made_table(classes=3)
    within = np.arange(120) % 5 > 0
    sets = inner_sets(dataset, within, 4, 1)
    assert (sets & ~within).sum() == 0
    assert ((within & ~sets).sum(axis=0) == within).all()
    (single,) = inner_sets(dataset, within, 1, 1)
    assert (within & ~single).sum() == pytest.approx(within.sum() / 5, abs=2)
    assert set(classes[within & ~single]) == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize("rows", [150, 2500])
def test_the_same_seed_gives_the_same_bytes_on_any_number_of_cores(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = made_table(rows, classes=3, columns=30)
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(parallel, "cpu_count", lambda cores=cores: cores)
        with threadpool_limits(cores, "blas"):
            procedure = quick(dataset)
            training = repeated_training_sets(dataset.classes, 3, 1, 1)[0]
            found.append(procedure.fit_folds(dataset, training, 1, ignore))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            assert_same(one, same)
    again = procedure.fit_folds(dataset, training, 2, ignore)
    assert (arrays(found[0][0])[0] != arrays(again[0])[0]).any()


@pytest.mark.slow
def test_a_fit_does_not_copy_the_table() -> None:
    dataset = made_table(30_000, columns=60)
    procedure = quick(dataset, iterations=1)
    table = EncodedTable.of(dataset, procedure.stacks.design)
    training = repeated_training_sets(dataset.classes, 4, 1, 1)[0]
    tracemalloc.start()
    try:
        for mask in training:
            procedure.stacks.fit(table, mask[np.newaxis], 1, ignore)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < table.columns.nbytes / 2


def test_the_unit_of_weights_changes_nothing_and_weights_do() -> None:
    dataset = made_table(signal=0.3)
    weights = np.where(dataset.classes == 1, 3.0, 1.0)
    procedure = quick(dataset, iterations=30)
    once = procedure.fit(replace(dataset, weights=weights), 1, ignore).pipeline
    unit = procedure.fit(replace(dataset, weights=1000.0 * weights), 1, ignore).pipeline
    assert_same(once, unit, 1e-9)
    plain = procedure.fit(dataset, 1, ignore).pipeline
    assert (
        once.class_probabilities(dataset.X).mean()
        > plain.class_probabilities(dataset.X).mean() + 0.03
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (270, (9, 5, 5)),
        (900, (9, 3, 5)),
        (1500, (5, 3, 5)),
        (4000, (5, 2, 3)),
        (10_000, (5, 1, 3)),
        (50_000, (5, 1, 1)),
        (1_000_000, (3, 1, 1)),
    ],
)
def test_folds_and_repeats_follow_the_size(rows: int, expected: tuple[int, int, int]) -> None:
    dataset = made_table(rows, columns=1)
    assert plan_for(dataset, Choices()) == Plan(*expected)
    assert plan_for(dataset, Choices(4, 3)) == Plan(4, 3, expected[2])
    passes = Stacks(TWO_CLASSES, FAMILIES).iterations
    work = [
        rows * passes(int(rows)) * folds * repeats * (inner + 1)
        for rows, folds, repeats, inner in SIZES[:-1]
    ]
    assert max(work) < 3.5 * min(work)


@pytest.mark.slow
@pytest.mark.parametrize("effort", EFFORTS)
def test_an_effort_makes_more_passes_and_repeats(effort: str) -> None:
    dataset = made_table(100, columns=1)
    planned = TableFit(Choices(effort=effort)).planned(dataset)
    share = EFFORTS[effort]
    assert planned.stacks.design.iterations == 60 * share
    assert planned.plan == Plan(9, round(5 * share), 5, effort)
    chosen = TableFit(Choices(folds=2, repeats=1, effort=effort)).planned(dataset)
    assert (chosen.plan.folds, chosen.plan.repeats) == (2, 1)
    training = table_recipe("made", lambda _: dataset, Choices(2, 1, effort)).train()
    assert training.about["training"]["effort"] == effort


def test_a_rare_class_of_many_rows_is_calibrated_by_cross_validation() -> None:
    shares = np.array([0.985, 0.015])
    plan = plan_for(made_table(25_000, columns=1, shares=shares), Choices())
    assert plan == Plan(5, 1, 3)


def test_columns_and_classes_count_as_rows_do() -> None:
    assert plan_for(made_table(300, columns=1997), Choices()) == Plan(5, 1, 3)
    assert plan_for(made_table(960, classes=60, columns=20), Choices()) == Plan(5, 2, 3)


def test_a_class_with_few_rows_makes_fewer_folds() -> None:
    dataset = made_table(200, classes=3, shares=np.array([0.6, 0.38, 0.02]))
    assert np.bincount(dataset.classes).min() == 4
    plan = plan_for(dataset, Choices())
    assert plan.folds == 4
    artifact = quick(dataset, replace(plan, repeats=1)).run("made", dataset, 1, ignore)
    assert artifact.about["metrics"]["log_loss"]["value"] < 1.2


@pytest.mark.slow
def test_two_thousand_columns_are_learned() -> None:
    dataset = made_table(80, columns=1999, signal=0.2)
    artifact = quick(dataset).run("wide", dataset, 1, ignore)
    assert artifact.pipeline.network.layer_sizes == (2002, 24, 1)


def test_many_rows_have_fewer_passes() -> None:
    passes = Stacks(TWO_CLASSES, FAMILIES).iterations
    assert [passes(rows) for rows in (10, 4000, 16_000, 100_000, 10**6)] == [60, 60, 30, 12, 10]


def too_few_rows() -> Dataset:
    return made_table(100, classes=3, shares=np.array([0.5, 0.48, 0.02]))


def with_value(value: float) -> Dataset:
    dataset = made_table()
    dataset.frame.loc[3, "x1"] = value
    return dataset


def one_group() -> Dataset:
    return replace(made_table(), groups=np.zeros(120, dtype=np.int64))


def one_large_group() -> Dataset:
    return replace(made_table(), groups=np.maximum(np.arange(120) - 70, 0))


def class_in_one_group() -> Dataset:
    dataset = made_table(shares=np.array([0.7, 0.3]))
    return replace(dataset, groups=np.where(dataset.classes == 1, 0, np.arange(120) // 3))


def constant() -> Dataset:
    dataset = made_table()
    return replace(dataset, frame=dataset.frame.assign(x1=5.0))


@pytest.mark.usefixtures("no_fits")
@pytest.mark.parametrize(
    ("dataset", "problem"),
    [
        (
            too_few_rows(),
            "2 rows of class 2 (label); cross-validation needs at least 3 of each class: add rows "
            "of this class",
        ),
        (
            with_value(np.nan),
            "column x1: 1 value is missing, which the column does not allow",
        ),
        (with_value(np.inf), "column x1: a value is infinite, or its magnitude exceeds 1e+100"),
        (
            constant(),
            "column x1: all 120 rows have the same value, so nothing can be learned from it: add "
            "rows with other values",
        ),
        (one_group(), "1 group of rows; cross-validation needs at least 3"),
        (
            one_large_group(),
            "one group has 71 of the 120 rows; cross-validation needs groups of at most half of "
            "the rows",
        ),
        (
            class_in_one_group(),
            "1 group with rows of class 1 (label); cross-validation needs at least 3 of each "
            "class: add rows of this class",
        ),
        (
            replace(made_table(), weights=np.zeros(120)),
            "a weight is not above 0: leave out its row, or correct it",
        ),
        (
            replace(made_table(classes=3), costs=Costs(5.0, 1.0)),
            "costs need exactly two classes, and there are 3: remove them",
        ),
        (
            made_table(606, classes=101),
            "101 classes; the limit is 100: join rare ones",
        ),
        (
            made_table(60, columns=2000),
            "2001 columns; the limit is 2000: ignore some",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_cannot_be_fitted_is_refused_by_one_sentence(dataset: Dataset, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        table_recipe("made", lambda _: dataset).train()
    assert str(caught.value).removeprefix("made-up rows").lstrip(",: ") == problem


@pytest.mark.usefixtures("no_fits")
def test_the_folds_that_were_asked_for_are_what_a_class_must_have() -> None:
    dataset = made_table(120, classes=3, shares=np.array([0.5, 0.45, 0.05]))
    with pytest.raises(DataError, match=r"6 rows of class 2 .* at least 7 of each class"):
        table_recipe("made", lambda _: dataset, Choices(folds=7)).train()
    with pytest.raises(ValueError, match="at least two folds"):
        table_recipe("made", lambda _: dataset, Choices(folds=1)).train()


@pytest.mark.usefixtures("no_fits")
def test_more_rows_than_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "usable_memory", lambda: 9000)
    with pytest.raises(
        DataError, match=r"120 rows of 6 numbers .* is half of the available memory"
    ):
        table_recipe("made", lambda _: made_table()).train()


def test_a_fold_without_a_class_to_learn_from_is_refused() -> None:
    dataset = made_table()
    training = np.ones((1, 2, 120), dtype=bool)
    training[0, 1, dataset.classes == 1] = False
    with pytest.raises(DataError, match="the training rows of a fold would have no class 1"):
        refusals.check_training_sets(dataset, training)


def test_a_fit_that_diverges_is_reported_as_such() -> None:
    dataset, rate = made_table(), partial(GradientDescent, learning_rate=1e200)
    design = replace(TWO_CLASSES, optimizer=rate)
    with pytest.raises(DivergenceError, match="smaller learning rate"):
        PlannedTableFit(QUICK, Stacks(design, (Family((1.0,)),))).fit(dataset, 1, ignore)


def test_a_task_that_fails_ends_the_others() -> None:
    ended: list[str] = []

    def endless(on_share: OnShare) -> None:
        try:
            while True:
                on_share(0.0)
        except Abandoned:
            ended.append("abandoned")
            raise

    def failing(on_share: OnShare) -> None:
        raise DataError(Path("x"), "no good")

    with pytest.raises(DataError, match="no good"):
        in_parallel([failing, endless], ignore)
    assert ended in ([], ["abandoned"])


def test_no_two_threads_report_at_once() -> None:
    inside = 0

    def on_share(_: float) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        inside -= 1

    def reporting(advance: OnShare) -> int:
        for _ in range(200):
            advance(1.0)
        return 7

    assert in_parallel([reporting] * 4, on_share) == [7] * 4
