"""Procedures: from a data set to an artifact, with figures from rows that were held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from model.arrays import Array
from model.artifact import Artifact
from model.datasets import Dataset
from model.encoding import Encoding
from model.errors import DataError
from model.evaluation.metrics import accuracy, binary_metrics
from model.evaluation.validation import cross_validate, select
from model.features import FeatureSet
from model.initializers import Initializer
from model.losses import Loss
from model.network import NeuralNetwork
from model.optimizers import Optimizer
from model.pipeline import Pipeline
from model.training import History, Reduction, fit


@dataclass(frozen=True)
class Design:
    """What a network is and how it is fitted: all but the data and the seed.

    Parameters
    ----------
    encode : callable
        Makes the encoding for a feature set.
    hidden_layer_sizes : tuple of int
        Units of the hidden layers.
    hidden_activation : str
        Name in `model.activations.ACTIVATIONS`; the output is a sigmoid.
    initializer, loss, optimizer, iterations, reduction, l2
        See `model.training.fit`; the optimiser is made anew for every fit.
    """

    encode: Callable[[FeatureSet], Encoding]
    hidden_layer_sizes: tuple[int, ...]
    hidden_activation: str
    initializer: Initializer
    loss: Loss
    optimizer: Callable[[], Optimizer]
    iterations: int
    reduction: Reduction = "mean"
    l2: float = 0.0

    def fit(
        self, features: FeatureSet, X: Array, y: Array, random_state: int
    ) -> tuple[Pipeline, History]:
        """Return a pipeline fitted on X of shape (n, n_features) and y of shape (n, 1)."""
        encoding = self.encode(features)
        encoded = encoding.transform(X)
        scaler = StandardScaler().fit(encoded)
        layer_sizes = (len(encoding), *self.hidden_layer_sizes, 1)
        network = NeuralNetwork(
            layer_sizes,
            self.hidden_activation,
            "sigmoid",
            self.initializer(layer_sizes, random_state),
        )
        history = fit(
            network,
            scaler.transform(encoded),
            y,
            loss=self.loss,
            optimizer=self.optimizer(),
            iterations=self.iterations,
            l2=self.l2,
            reduction=self.reduction,
        )
        return Pipeline(encoding, scaler.mean_, scaler.scale_, network), history


class Procedure(Protocol):
    """How a recipe gets from a data set to an artifact."""

    @property
    def fits(self) -> int:
        """Number of networks that `run` fits."""
        ...

    def run(
        self, name: str, dataset: Dataset, random_state: int, on_fit: Callable[[], None]
    ) -> Artifact:
        """Return an artifact; `on_fit` is called after each fit."""
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
        self, name: str, dataset: Dataset, random_state: int, on_fit: Callable[[], None]
    ) -> Artifact:
        """Return an artifact; `on_fit` is called after each fit."""
        # With fewer, one of the parts may have none of a class.
        _check_rows(dataset, 5, "the split")
        X_train, X_test, y_train, y_test = train_test_split(
            dataset.X, dataset.y, test_size=self.test_size, random_state=self.split_seed
        )
        pipeline, history = self.design.fit(dataset.features, X_train, y_train, random_state)
        on_fit()
        metrics = {
            "first_loss": history.loss[0],
            "last_loss": history.loss[-1],
            "train_accuracy": accuracy(y_train[:, 0], pipeline.predict_proba(X_train)[:, 0]),
            "test_accuracy": accuracy(y_test[:, 0], pipeline.predict_proba(X_test)[:, 0]),
        }
        protocol = f"{len(X_train)} rows fitted, {len(X_test)} held out"
        training = {"seed": random_state, "protocol": protocol, "l2": self.design.l2}
        return _artifact(name, dataset, X_train, pipeline, training, metrics)


@dataclass(frozen=True)
class NestedCrossValidation:
    """Chooses among designs by cross-validation, and tells the figures of doing just that.

    Parameters
    ----------
    candidates : tuple of Design
        The choice is that of the lowest log loss.
    folds, repeats : int
        Of the outer loop, which tells the figures.
    inner_folds : int
        Of the choice, made anew within the training rows of each outer fold.

    Notes
    -----
    No row that a figure is told of has been seen by the fit or by the choice before it. The
    served weights then are fitted on all rows, with the choice made on all rows.
    """

    candidates: tuple[Design, ...]
    folds: int = 9
    repeats: int = 3
    inner_folds: int = 5

    @property
    def fits(self) -> int:
        """Number of networks that `run` fits."""
        chosen_and_fitted = len(self.candidates) * self.inner_folds + 1
        return chosen_and_fitted * (self.repeats * self.folds + 1)

    def run(
        self, name: str, dataset: Dataset, random_state: int, on_fit: Callable[[], None]
    ) -> Artifact:
        """Return an artifact; `on_fit` is called after each fit."""
        _check_rows(dataset, self.folds, "cross-validation")
        X, y = dataset.X, dataset.y

        def fit_one(design: Design, X: Array, y: Array) -> Pipeline:
            pipeline, _ = design.fit(dataset.features, X, y, random_state)
            on_fit()
            return pipeline

        def choose(X: Array, y: Array) -> Design:
            fits = [partial(fit_one, design) for design in self.candidates]
            chosen = select(fits, X, y, folds=self.inner_folds, random_state=random_state)
            return self.candidates[chosen]

        def choose_and_fit(X: Array, y: Array) -> Pipeline:
            return fit_one(choose(X, y), X, y)

        metrics = [
            binary_metrics(
                y[:, 0],
                cross_validate(choose_and_fit, X, y, folds=self.folds, random_state=repeat),
            )
            for repeat in range(random_state, random_state + self.repeats)
        ]
        design = choose(X, y)
        training = {
            "seed": random_state,
            "protocol": (
                f"nested stratified {self.folds}-fold cross-validation, {self.repeats} times; "
                f"served weights fitted on all {len(X)} rows"
            ),
            "l2": design.l2,
            "l2_candidates": [candidate.l2 for candidate in self.candidates],
        }
        pipeline = fit_one(design, X, y)
        return _artifact(name, dataset, X, pipeline, training, _means(metrics))


def _check_rows(dataset: Dataset, needed: int, what_for: str) -> None:
    positives = int(dataset.y.sum())
    fewest = min(positives, len(dataset.y) - positives)
    if fewest < needed:
        raise DataError(
            dataset.path,
            f"{fewest} rows of one class ({dataset.target.name}); "
            f"{what_for} needs at least {needed} of each",
        )


def _means(metrics: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each figure over the repeats, and its spread between them."""
    summary: dict[str, float] = {}
    for name in metrics[0]:
        figures = [repeat[name] for repeat in metrics]
        summary[name] = float(np.mean(figures))
        summary[f"{name}_std_between_repeats"] = float(np.std(figures))
    return summary


def _artifact(
    name: str,
    dataset: Dataset,
    training_rows: Array,
    pipeline: Pipeline,
    training: Mapping[str, Any],
    metrics: Mapping[str, float],
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
