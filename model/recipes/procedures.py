"""Procedures: from a data set to an artifact, with figures from rows that were held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

import numpy as np

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.data import Dataset
from model.errors import DataError
from model.evaluation.figures import Figures
from model.evaluation.validation import (
    CrossValidation,
    Mask,
    Parts,
    cross_validate,
    repeated_training_sets,
)
from model.inference.pipeline import Pipeline
from model.recipes.baseline import LogisticBaseline
from model.recipes.design import Design, Fitted, Watch
from model.recipes.tables.refusals import check_training_sets
from model.schema.classes import predicted_classes

THRESHOLD = 0.5

DIVIDED = (
    "The outputs of the network are sigmoids, which do not sum to 1. The probabilities are the "
    "outputs divided by their sum. They are not calibrated."
)
"""In the card of a model of several outputs without a softmax."""

OnFit: TypeAlias = Callable[[float], None]
"""Called with the number of networks just fitted, or with a fraction of one."""


class Judged(NamedTuple):
    """The metrics of held-out rows, those of subgroups included."""

    metrics: Figures
    subgroups: Mapping[str, Mapping[str, object]]


class Runnable(Protocol):
    """How a recipe gets from a data set to an artifact."""

    @property
    def fits(self) -> int:
        """Number of networks that `run` fits."""
        ...

    def planned(self, dataset: Dataset) -> Procedure:
        """Return the procedure for a data set, where it follows what this holds."""
        ...

    def run(self, name: str, dataset: Dataset, random_state: int, on_fit: OnFit) -> Artifact:
        """Return an artifact."""
        ...


class Procedure(Runnable, Protocol):
    """A procedure whose every setting is known, and which can be judged."""

    @property
    def folds(self) -> int:
        """Folds of the cross-validation that judges the procedure."""
        ...

    @property
    def repeats(self) -> int:
        """Times that it is repeated."""
        ...

    @property
    def fewest_rows(self) -> int:
        """Rows of each class that a fit needs."""
        ...

    @property
    def safeguards(self) -> tuple[str, ...]:
        """How it avoids data leakage, a sentence each."""
        ...

    @property
    def fits_of_a_fold(self) -> int:
        """Number of networks that `fit_folds` fits for a set of rows."""
        ...

    def check(self, dataset: Dataset) -> None:
        """Raise a DataError for a data set that it cannot be fitted to or evaluated on."""
        ...

    def fit(self, dataset: Dataset, random_state: int, on_fit: OnFit) -> Fitted:
        """Return the fit that the artifact is made of."""
        ...

    def fit_folds(
        self, dataset: Dataset, training: Mask, random_state: int, on_fit: OnFit
    ) -> list[Pipeline]:
        """Return the procedure's pipeline for each set of rows, of shape (K, n)."""
        ...

    def artifact(
        self, name: str, dataset: Dataset, random_state: int, fitted: Fitted, judged: Judged
    ) -> Artifact:
        """Return the artifact of a fit to all rows."""
        ...


def judge(
    procedure: Procedure, dataset: Dataset, random_state: int, on_fit: OnFit
) -> CrossValidation:
    """Run the whole procedure on every fold of its cross-validation."""
    training = repeated_training_sets(
        dataset.classes, procedure.folds, procedure.repeats, random_state, dataset.groups
    )
    check_training_sets(dataset, training)
    return cross_validate(
        dataset.X,
        training,
        lambda folds: procedure.fit_folds(dataset, folds, random_state, on_fit),
    )


@dataclass(frozen=True)
class SingleFit:
    """Fits once and reports the figures of the parts that the data set is split into.

    Parameters
    ----------
    design : Design or LogisticBaseline
        The network.
    split : callable
        Takes the number of rows and the seed of the fit; returns the parts.
    reported : range
        The iterations after which the loss and the accuracy of each part are noted.
    folds, repeats : int
        Of the cross-validation that judges the design.
    """

    design: Design | LogisticBaseline
    split: Callable[[int, int], Parts]
    reported: range = range(0)
    folds: int = 10
    repeats: int = 1
    fewest_rows: ClassVar[int] = 2
    safeguards: ClassVar[tuple[str, ...]] = (
        "The scaler, if there is one, is fitted to the training rows of each fold only.",
        "No setting is chosen on held-out rows: all settings are those of the source.",
        "The test part, if there is one, is evaluated once, after the fit.",
    )

    @property
    def fits(self) -> int:
        """Number of networks that `run` fits."""
        return 1

    @property
    def fits_of_a_fold(self) -> int:
        """Number of networks that `fit_folds` fits for a set of rows."""
        return 1

    def planned(self, dataset: Dataset) -> Procedure:  # noqa: ARG002  # it follows none
        """Return the procedure itself."""
        return self

    def check(self, dataset: Dataset) -> None:
        """Refuse, by a DataError, a file from which it could not learn or be judged."""
        # With fewer, a part or a fold may have none of a class.
        _check_rows(dataset, self.folds)

    def run(self, name: str, dataset: Dataset, random_state: int, on_fit: OnFit) -> Artifact:
        """Return an artifact."""
        self.check(dataset)
        fitted = self.fit(dataset, random_state, on_fit)
        return self.artifact(name, dataset, random_state, fitted, Judged({}, {}))

    def artifact(
        self,
        name: str,
        dataset: Dataset,
        random_state: int,
        fitted: Fitted,
        judged: Judged,  # noqa: ARG002  # the figures are those of the parts
    ) -> Artifact:
        """Return the artifact of a fit."""
        parts = self.split(len(dataset), random_state)
        losses = fitted.history.loss
        metrics = {"first_loss": float(losses[0]), "last_loss": float(losses[-1])} if losses else {}
        metrics |= _accuracies(fitted.pipeline, dataset, parts)
        training = {
            "seed": random_state,
            "protocol": ", ".join(f"{name} {len(rows)} rows" for name, rows in parts.items()),
            **fitted.settings,
            "progress": list(fitted.progress),
        }
        return artifact_of(name, dataset, dataset.X[parts["train"]], fitted, training, metrics)

    def fit(self, dataset: Dataset, random_state: int, on_fit: OnFit) -> Fitted:
        """Return what the artifact is made of."""
        parts = self.split(len(dataset), random_state)
        # What is held out for testing is looked at once, at the end.
        watched = {name: rows for name, rows in parts.items() if name != "test"}
        progress: list[dict[str, float]] = []

        def note(iteration: int, loss: float, pipeline: Pipeline) -> None:
            """Add what there is by then."""
            accuracies = _accuracies(pipeline, dataset, watched)
            progress.append({"iteration": iteration, "loss": loss, **accuracies})

        watch = Watch(self.reported, note, on_fit)
        fitted = self.design.fit(dataset, parts["train"], random_state, watch)
        return replace(fitted, progress=progress)

    def fit_folds(
        self, dataset: Dataset, training: Mask, random_state: int, on_fit: OnFit
    ) -> list[Pipeline]:
        """Return the design's fit to each set of rows, of shape (K, n)."""
        pipelines = self.design.fit_folds(dataset, training, random_state)
        on_fit(len(pipelines))
        return pipelines


def _check_rows(dataset: Dataset, needed: int) -> None:
    """Raise a DataError for a data set that cannot be fitted or evaluated."""
    path = dataset.path or Path(dataset.source)
    rows = np.bincount(dataset.classes, minlength=len(dataset.labels))
    if rows.min() < needed:
        raise DataError(
            path,
            f"{rows.min()} rows of {dataset.labels[rows.argmin()]} ({dataset.target.name}); "
            f"cross-validation needs at least {needed} of each class: add rows of this class",
        )
    for feature, column in zip(dataset.features, dataset.X.T, strict=True):
        if column.min() == column.max():
            problem = (
                f"all {len(dataset)} rows have the same value, so nothing can be learned from it: "
                "add rows with other values"
            )
            raise DataError(path, problem, column=feature.name)


def _accuracies(pipeline: Pipeline, dataset: Dataset, parts: Parts) -> dict[str, float]:
    threshold = THRESHOLD if len(dataset.labels) == 2 else None
    predicted = predicted_classes(pipeline.class_probabilities(dataset.X), threshold)
    right = predicted == dataset.classes
    return {f"{name}_accuracy": float(right[rows].mean()) for name, rows in parts.items()}


def artifact_of(
    name: str,
    dataset: Dataset,
    training_rows: Array,
    fitted: Fitted,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Artifact:
    """Return the artifact of a fit.

    Parameters
    ----------
    name : str
        Of the model and of its recipe.
    dataset : Dataset
        What it was fitted to.
    training_rows : Array of shape (n, n_features)
        Of which the ranges are noted.
    fitted : Fitted
        The fit.
    training, metrics : mapping
        How it was fitted, and how good it is, for the model card.
    """
    golden_inputs = dataset.features.golden_inputs()
    network = fitted.pipeline.network
    is_divided = network.layer_sizes[-1] > 1 and network.output_activation != "softmax"
    has_threshold = len(dataset.labels) == 2
    return Artifact(
        name=name,
        features=dataset.features.observe(training_rows),
        labels=dataset.labels,
        threshold=dataset.threshold if has_threshold else None,
        threshold_reason=dataset.threshold_reason if has_threshold else "",
        pipeline=fitted.pipeline,
        golden_inputs=golden_inputs,
        golden_probabilities=fitted.pipeline.class_probabilities(golden_inputs),
        about={
            **dataset.card,
            "limits": [*dataset.card["limits"], *([DIVIDED] if is_divided else [])],
            "data": dataset.about(),
            "training": {"recipe": name, **training},
            "metrics": dict(metrics),
        },
    )
