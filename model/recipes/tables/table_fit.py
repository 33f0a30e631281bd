"""Tables: the procedure that fits what any table shows, and the recipe made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.data import Dataset
from model.evaluation.calibration import fit_temperature, platt
from model.evaluation.figures import dataset_metrics, subgroup_metrics
from model.evaluation.stacking import stacking_weights
from model.evaluation.validation import Mask, Rows
from model.inference.pipeline import Pipeline
from model.network.initializers import glorot_uniform
from model.network.losses import BinaryCrossEntropy, CategoricalCrossEntropy
from model.network.optimizers import Adam
from model.network.training import History
from model.recipes.design import Design, Fitted
from model.recipes.procedures import Judged, OnFit, artifact_of, judge
from model.recipes.tables.inputs import EncodedTable
from model.recipes.tables.parallel import OnShare, in_parallel
from model.recipes.tables.plans import EFFORTS, USUAL, Choices, Plan, inner_sets, plan_for
from model.recipes.tables.refusals import check_classes, check_limits, check_values
from model.recipes.tables.stacks import Family, Members, Stacks
from model.schema.encoding import Encoding

FAMILIES = (
    Family((3.0, 10.0, 30.0), has_ramps=True, has_scales=True),
    Family((10.0, 30.0), has_ramps=True),
    Family((3.0, 10.0, 30.0)),
)

TWO_CLASSES = Design(
    encode=Encoding.for_table,
    hidden_layer_sizes=(),  # by the number of rows
    hidden_activation="relu",
    initializer=glorot_uniform,
    loss=BinaryCrossEntropy(),
    optimizer=partial(Adam, learning_rate=0.02),
    iterations=60,
)
SEVERAL_CLASSES = replace(TWO_CLASSES, loss=CategoricalCrossEntropy())


@dataclass(frozen=True)
class PlannedTableFit:
    """Weighs networks and calibrates their sum, for a table of any size.

    Parameters
    ----------
    plan : Plan
        How often the table is divided.
    stacks : Stacks
        The networks: of one sigmoid for two classes, else of a softmax.
    weigh : callable
        Gives the networks their weights, see `model.evaluation.stacking`.

    Notes
    -----
    The networks of all families are fitted to the training rows of the inner division; what they
    say of the rows that were held out gives the weights with which the networks fitted to all
    training rows are summed (`model.evaluation.stacking`), and the calibration of the sum. The
    result is one network, with the members side by side. All that is learned, quantiles and means
    that stand in for missing values included, is learned from the training rows of a fold.
    """

    plan: Plan
    stacks: Stacks
    weigh: Callable[[Array, Rows, Array], Array] = stacking_weights
    fewest_rows: ClassVar[int] = 2
    safeguards: ClassVar[tuple[str, ...]] = (
        "The scaler, the quantiles, and the means that replace missing values come from the "
        "training rows of each fold only; in the inner cross-validation, from the training rows of "
        "the inner fold.",
        "The weights of the networks and the calibration are fitted to held-out predictions of a "
        "cross-validation within the training rows of each outer fold.",
        "If the table has groups, the rows of one group are always in the same fold, in both "
        "cross-validations.",
        "The threshold for the cost comes from the cost matrix; it is not fitted to the rows.",
    )

    @property
    def folds(self) -> int:
        """Folds of the cross-validation that judges the procedure."""
        return self.plan.folds

    @property
    def repeats(self) -> int:
        """Times that it is repeated."""
        return self.plan.repeats

    @property
    def fits(self) -> int:
        """Number of networks that `run` fits."""
        return self.fits_of_a_fold * (self.repeats * self.folds + 1)

    @property
    def fits_of_a_fold(self) -> int:
        """Number of networks that `fit_folds` fits for a set of rows, at most."""
        return len(self.stacks.penalties) * (self.plan.inner_folds + 1)

    def planned(self, dataset: Dataset) -> PlannedTableFit:  # noqa: ARG002  # it is already
        """Return the procedure itself."""
        return self

    def check(self, dataset: Dataset) -> None:
        """Refuse, by a DataError, a table from which it could not learn or be judged."""
        check_limits(dataset, len(self.stacks.design.encode(dataset.features)))
        check_classes(dataset, self.folds)
        check_values(dataset)

    def run(self, name: str, dataset: Dataset, random_state: int, on_fit: OnFit) -> Artifact:
        """Return an artifact."""
        self.check(dataset)
        probabilities = judge(self, dataset, random_state, on_fit).probabilities
        metrics = dataset_metrics(dataset, probabilities, random_state)
        subgroups = subgroup_metrics(dataset, probabilities, random_state)
        fitted = self.fit(dataset, random_state, on_fit)
        return self.artifact(name, dataset, random_state, fitted, Judged(metrics, subgroups))

    def artifact(
        self, name: str, dataset: Dataset, random_state: int, fitted: Fitted, judged: Judged
    ) -> Artifact:
        """Return the artifact of a fit to all rows."""
        training = {
            "seed": random_state,
            "protocol": f"{self.plan.protocol}; served weights fitted on all {len(dataset)} rows",
            **fitted.settings,
        }
        artifact = artifact_of(name, dataset, dataset.X, fitted, training, judged.metrics)
        about = {**artifact.about, "subgroups": judged.subgroups}
        if dataset.other_columns:
            about["other_columns"] = [*dataset.other_columns]
        if dataset.costs is not None:
            about["costs"] = {**asdict(dataset.costs), "threshold": dataset.costs.threshold}
        return replace(artifact, about=about)

    def fit(self, dataset: Dataset, random_state: int, on_fit: OnFit) -> Fitted:
        """Return what the artifact is made of; its loss is the mean of the members'."""
        everything = np.ones((1, len(dataset)), dtype=bool)
        (fitted,) = self._fit_sets(dataset, everything, random_state, on_fit)
        return fitted

    def fit_folds(
        self, dataset: Dataset, training: Mask, random_state: int, on_fit: OnFit
    ) -> list[Pipeline]:
        """Return what the whole procedure gives for each set of rows, of shape (K, n)."""
        fitted = self._fit_sets(dataset, training, random_state, on_fit)
        return [one.pipeline for one in fitted]

    def _fit_sets(
        self, dataset: Dataset, training: Mask, random_state: int, on_fit: OnFit
    ) -> list[Fitted]:
        table = EncodedTable.of(dataset, self.stacks.design)
        inner = [
            inner_sets(dataset, mask, self.plan.inner_folds, random_state) for mask in training
        ]
        sets = np.concatenate([*inner, training])
        owners = np.repeat(np.arange(len(training)), list(map(len, inner)))
        within = np.concatenate([training[owners], training])
        tasks = [
            partial(self._fit_chunk, table, sets[chunk], within[chunk], random_state)
            for chunk in self.stacks.chunks(sets, table.inputs)
        ]
        of_a_set = self.fits_of_a_fold * len(training) / len(sets)
        done = in_parallel(tasks, lambda number: on_fit(number * of_a_set))
        found = [one for chunk in done for one in chunk]
        return [
            self._combined(
                dataset.classes,
                table,
                served,
                [one for one, owner in zip(found, owners, strict=False) if owner == index],
            )
            for index, served in enumerate(found[len(owners) :])
        ]

    def _fit_chunk(
        self, table: EncodedTable, sets: Mask, within: Mask, random_state: int, on_share: OnShare
    ) -> list[_Found]:
        """Fit to sets of rows, and predict those of the rows within that a set leaves out."""
        members = self.stacks.fit(
            table, sets, random_state, lambda share: on_share(share * len(sets))
        )
        held_out = [np.flatnonzero(mask) for mask in within & ~sets]
        return [
            _Found(members, index, rows, members.logits(index, rows))
            for index, rows in enumerate(held_out)
        ]

    def _combined(
        self, classes: Rows, table: EncodedTable, served: _Found, inner: Sequence[_Found]
    ) -> Fitted:
        """Sum and calibrate members by what those of the inner division say of held-out rows."""
        rows = np.concatenate([one.rows for one in inner])
        logits = np.concatenate([one.logits for one in inner], axis=1)
        counts = table.counts(rows)
        weights = self.weigh(logits, classes[rows], counts)
        combined = np.tensordot(weights, logits, 1)
        settings: dict[str, str | float | list[float]] = {
            "effort": self.plan.effort,
            "l2_of_members": self.stacks.penalties,
            "weights_of_members": weights.tolist(),
        }
        if combined.shape[1] == 1:
            labels = classes[rows].astype(np.float64)
            intercept, slope = platt(combined[:, 0], labels, counts)
            settings |= {"platt_intercept": intercept, "platt_slope": slope}
        else:
            intercept, slope = 0.0, fit_temperature(combined, classes[rows], counts)
            settings |= {"softmax_slope": slope}
        pipeline = served.members.pipeline(served.index, weights).calibrated(intercept, slope)
        return Fitted(pipeline, History(list(served.members.losses[:, served.index])), settings)


@dataclass(frozen=True, eq=False)
class _Found:
    """The members of a set of rows, and the logits that they give rows that they have not seen."""

    members: Members
    index: int
    rows: Rows
    logits: Array


@dataclass(frozen=True)
class TableFit:
    """The procedure for any table; its plan is made when the table is known.

    Parameters
    ----------
    choices : Choices
        Folds, repeats and effort.
    """

    choices: Choices = USUAL
    fits: ClassVar[int] = 1
    """`run` reports shares of one fit, so this number is known before the table is."""

    def planned(self, dataset: Dataset) -> PlannedTableFit:
        """Return the procedure for a table."""
        design = TWO_CLASSES if len(dataset.labels) == 2 else SEVERAL_CLASSES
        plan = plan_for(dataset, self.choices)
        passes = round(design.iterations * EFFORTS[plan.effort])
        design = replace(design, iterations=passes)
        return PlannedTableFit(plan, Stacks(design, FAMILIES))

    def run(self, name: str, dataset: Dataset, random_state: int, on_fit: OnFit) -> Artifact:
        """Return an artifact."""
        procedure = self.planned(dataset)
        return procedure.run(
            name, dataset, random_state, lambda number: on_fit(number / procedure.fits)
        )
