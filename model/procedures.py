"""Procedures: from a data set to an artifact, with figures from rows that were held out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import numpy as np
from sklearn.model_selection import train_test_split

from model.arrays import Array
from model.artifact import Artifact
from model.datasets import Dataset
from model.design import Design
from model.errors import DataError
from model.evaluation.calibration import fit_calibration, logit
from model.evaluation.metrics import accuracy, binary_metrics
from model.evaluation.validation import Mask, held_out, training_sets
from model.pipeline import Pipeline


class Procedure(Protocol):
    """How a recipe gets from a data set to an artifact."""

    @property
    def fits(self) -> int:
        """Number of networks that `run` fits."""
        ...

    def run(
        self, name: str, dataset: Dataset, random_state: int, on_fit: Callable[[int], None]
    ) -> Artifact:
        """Return an artifact; `on_fit` is called with the number of networks just fitted."""
        ...


@dataclass(frozen=True)
class HoldOut:
    """Fits on some of the rows and tells the figures of the others.

    Parameters
    ----------
    design : Design
        The network.
    test_size : float
        Share of the rows that are held out.
    split_seed : int
        Seed of the split.
    """

    design: Design
    test_size: float
    split_seed: int

    @property
    def fits(self) -> int:
        """Number of networks that `run` fits."""
        return 1

    def run(
        self, name: str, dataset: Dataset, random_state: int, on_fit: Callable[[int], None]
    ) -> Artifact:
        """Return an artifact; `on_fit` is called with the number of networks just fitted."""
        # With fewer, one of the parts may have none of a class.
        _check_rows(dataset, 5, "the split")
        X_train, X_test, y_train, y_test = train_test_split(
            dataset.X, dataset.y, test_size=self.test_size, random_state=self.split_seed
        )
        pipeline, history = self.design.fit(dataset.features, X_train, y_train, random_state)
        on_fit(1)
        metrics = {
            "first_loss": float(history.loss[0]),
            "last_loss": float(history.loss[-1]),
            "train_accuracy": accuracy(y_train[:, 0], pipeline.predict_proba(X_train)[:, 0]),
            "test_accuracy": accuracy(y_test[:, 0], pipeline.predict_proba(X_test)[:, 0]),
        }
        protocol = f"{len(X_train)} rows fitted, {len(X_test)} held out"
        training = {"seed": random_state, "protocol": protocol, "l2": self.design.l2}
        return _artifact(name, dataset, X_train, pipeline, training, metrics)


@dataclass(frozen=True)
class NestedCrossValidation:
    """Chooses among designs and calibrates by cross-validation; tells the figures of doing that.

    Parameters
    ----------
    candidates : tuple of Design
        The choice is that of the lowest log loss, calibrated, in the inner cross-validation.
    folds, repeats : int
        Of the outer cross-validation, which tells the figures.
    inner_folds : int
        Of the inner one, made anew within the training rows of each outer fold.

    Notes
    -----
    The inner cross-validation gives every training row a probability from a fit that has not seen
    it. These choose the design, and on them intercept and slope of the calibration are fitted. No
    row that a figure is told of has been seen by the fit, the choice or the calibration before
    it. The served weights then come from the same on all rows.
    """

    candidates: tuple[Design, ...]
    folds: int = 9
    repeats: int = 20
    inner_folds: int = 9

    @property
    def fits(self) -> int:
        """Number of networks that `run` fits."""
        chosen_and_fitted = len(self.candidates) * self.inner_folds + 1
        return chosen_and_fitted * (self.repeats * self.folds + 1)

    def run(
        self, name: str, dataset: Dataset, random_state: int, on_fit: Callable[[int], None]
    ) -> Artifact:
        """Return an artifact; `on_fit` is called with the number of networks just fitted."""
        _check_rows(dataset, self._rows_needed(), "cross-validation")
        labels = dataset.y[:, 0]
        probabilities = self.held_out_probabilities(dataset, random_state, on_fit)
        everything = np.ones((1, len(labels)), dtype=bool)
        ((pipeline, design),) = self._choose_and_fit(dataset, random_state, on_fit, everything)
        training_card = {
            "seed": random_state,
            "protocol": (
                f"nested stratified {self.folds}-fold cross-validation, {self.repeats} times; "
                f"served weights fitted on all {len(labels)} rows"
            ),
            "l2": design.l2,
            "l2_candidates": [candidate.l2 for candidate in self.candidates],
        }
        metrics = binary_metrics(labels, probabilities, random_state)
        return _artifact(name, dataset, dataset.X, pipeline, training_card, metrics)

    def outer_folds(self, y: Array, random_state: int) -> Mask:
        """Return the training rows of every outer fold, of shape (repeats, folds, n)."""
        everything = np.ones(len(y), dtype=bool)
        repeats = range(random_state, random_state + self.repeats)
        return np.array([training_sets(y, everything, self.folds, repeat) for repeat in repeats])

    def held_out_probabilities(
        self, dataset: Dataset, random_state: int, on_fit: Callable[[int], None]
    ) -> Array:
        """Return each row's probability from a run of the whole procedure without it.

        Returns
        -------
        Array of shape (repeats, n)
        """
        everything = np.ones(len(dataset.y), dtype=bool)
        probabilities = []
        for training in self.outer_folds(dataset.y[:, 0], random_state):
            pipelines = self._choose_and_fit(dataset, random_state, on_fit, training)
            predictions = [fold.predict_proba(dataset.X)[:, 0] for fold, _ in pipelines]
            probabilities.append(held_out(training, everything, np.array(predictions)))
        return np.array(probabilities)

    def _rows_needed(self) -> int:
        """Return how many rows of a class leave one for every inner fold of every outer fold."""
        return next(
            rows
            for rows in count(self.folds)
            if rows - math.ceil(rows / self.folds) >= self.inner_folds
        )

    def _choose_and_fit(
        self, dataset: Dataset, random_state: int, on_fit: Callable[[int], None], training: Mask
    ) -> list[tuple[Pipeline, Design]]:
        """Return for each training set a calibrated pipeline, and the design chosen for it."""
        X, y = dataset.X, dataset.y
        inner = [training_sets(y[:, 0], rows, self.inner_folds, random_state) for rows in training]
        trials = []
        for design in self.candidates:
            stack = design.fit_stack(dataset.features, X, y, np.concatenate(inner), random_state)
            on_fit(len(training) * self.inner_folds)
            predictions = stack.predict_proba(X)[..., 0].reshape(len(training), -1, len(X))
            logits = np.array(
                [
                    held_out(folds, rows, logit(of_folds))
                    for folds, rows, of_folds in zip(inner, training, predictions, strict=True)
                ]
            )
            trials.append(_calibrate(logits, y[:, 0], training.astype(np.float64)))
        losses, intercepts, slopes = (np.array(parts) for parts in zip(*trials, strict=True))
        chosen = losses.argmin(axis=0)
        pipelines = []
        for index, choice in enumerate(chosen):
            design, rows = self.candidates[choice], training[index]
            pipeline, _ = design.fit(dataset.features, X[rows], y[rows], random_state)
            on_fit(1)
            calibrated = pipeline.calibrated(intercepts[choice, index], slopes[choice, index])
            pipelines.append((calibrated, design))
        return pipelines


def _calibrate(logits: Array, y: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Return the log loss of each set's calibrated logits, the intercept and the slope."""
    intercept, slope = fit_calibration(logits, y, weights)
    z = intercept[:, np.newaxis] + slope[:, np.newaxis] * logits
    losses = np.logaddexp(0.0, np.where(y == 1, -z, z))
    return (losses * weights).sum(axis=1) / weights.sum(axis=1), intercept, slope


def _check_rows(dataset: Dataset, needed: int, what_for: str) -> None:
    positives = int(dataset.y.sum())
    fewest = min(positives, len(dataset.y) - positives)
    if fewest < needed:
        raise DataError(
            dataset.path,
            f"{fewest} rows of one class ({dataset.target.name}); "
            f"{what_for} needs at least {needed} of each",
        )


def _artifact(
    name: str,
    dataset: Dataset,
    training_rows: Array,
    pipeline: Pipeline,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Artifact:
    golden_inputs = dataset.features.golden_inputs()
    return Artifact(
        name=name,
        features=dataset.features.observe(training_rows),
        labels=dataset.labels,
        threshold=0.5,
        pipeline=pipeline,
        golden_inputs=golden_inputs,
        golden_probabilities=pipeline.predict_proba(golden_inputs)[:, 0],
        about={
            **dataset.card,
            "data": {"source": dataset.source, "sha256": dataset.sha256, "rows": len(dataset.y)},
            "training": {"recipe": name, **training},
            "metrics": dict(metrics),
        },
    )
