"""The comparison: a recipe's network and its rivals, on the same rows and the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import TypeAlias, TypeVar

import numpy as np

from model.arrays import Array
from model.data import Dataset
from model.evaluation.metrics import metrics_for, value_of
from model.evaluation.validation import Mask, Rows, hold_out
from model.inference.pipeline import Pipeline, scaled
from model.network.network import NeuralNetwork
from model.recipes.recipes import Recipe
from model.reports.markdown import table
from model.schema.classes import class_probabilities

TEST_SIZE = 0.2
SPLIT_SEED = 2
"""The split of the source, whatever the seed of the fits."""

HEADINGS = {
    "accuracy": "accuracy",
    "roc_auc": "ROC AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "cost": "cost",
    "fit_seconds": "fit, s",
    "predict_milliseconds": "predict a row, ms",
}
"""The reported figures, and their column headings."""

Result = TypeVar("Result")

Predict: TypeAlias = Callable[[Array], Array]
"""Takes encoded and scaled rows of shape (n, d); returns what
`model.schema.classes.class_probabilities` does."""


@dataclass(frozen=True)
class Contender:
    """A model that is fitted to the same columns as the network.

    Parameters
    ----------
    name : str
        Its name in the table.
    fit : callable
        Takes encoded and scaled rows of shape (n, d), the class of each counted from 0, and the
        seed of all that is drawn; returns how to predict.
    """

    name: str
    fit: Callable[[Array, Rows, int], Predict]


@dataclass(frozen=True)
class Spread:
    """A figure over the seeds.

    Parameters
    ----------
    mean, deviation : float
        The standard deviation between these seeds; 0 for a single seed.
    """

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.deviation:.3f}"


@dataclass(frozen=True)
class Scores:
    """The figures of a contender.

    Parameters
    ----------
    name : str
        Of the contender.
    figures : mapping of str to Spread
        By the keys of `HEADINGS`; no cost where the data set has no cost matrix.
    """

    name: str
    figures: Mapping[str, Spread]


def compare(
    recipe: Recipe,
    contenders: Sequence[Contender],
    seeds: Sequence[int],
    on_fit: Callable[[], None] = lambda: None,
) -> list[Scores]:
    """Fit a recipe's network and its rivals with every seed, and score them on held-out rows.

    Parameters
    ----------
    recipe : Recipe
        Its whole procedure is fitted to the training rows, choices and calibration included.
    contenders : sequence of Contender
        The rivals. They are fitted to the same rows in the same order, as the network's own
        encoding and scaler hand them on.
    seeds : sequence of int
        Of the fits. The split is the same for all.
    on_fit : callable
        Called after each fit, ``(1 + len(contenders)) * len(seeds)`` times.

    Returns
    -------
    list of Scores
        The network's, by the name of the recipe, then those of the rivals.

    Notes
    -----
    Prediction time is that of the model without encoding and scaling, which all share. The
    network's fit time includes them, because its fit computes them.
    """
    dataset, is_training = _in_order_of_split(recipe.load(None))
    trials: dict[str, list[dict[str, float]]] = {}

    def note(name: str, predict: Predict, seconds: float, X: Array) -> None:
        """Judge a contender's fit on the rows held out."""
        figures = _figures(dataset, ~is_training, predict, X)
        trials.setdefault(name, []).append({**figures, "fit_seconds": seconds})
        on_fit()

    for seed in seeds:
        pipeline, seconds = _timed(partial(_fit_network, recipe, dataset, is_training, seed))
        X = _columns(pipeline, dataset.X)
        note(recipe.name, partial(_predict, pipeline.network), seconds, X)
        for contender in contenders:
            fit = partial(contender.fit, X[is_training], dataset.classes[is_training], seed)
            predict, seconds = _timed(fit)
            note(contender.name, predict, seconds, X)
    return [Scores(name, _spreads(figures)) for name, figures in trials.items()]


def as_markdown(scores: Iterable[Scores]) -> str:
    """Return a table with a line for each contender, means with standard deviations.

    Notes
    -----
    A dash marks a figure that the data set does not have.
    """
    rows = [
        [each.name, *(str(each.figures.get(key, "\N{EN DASH}")) for key in HEADINGS)]
        for each in scores
    ]
    return table(["model", *HEADINGS.values()], rows)


def _in_order_of_split(dataset: Dataset) -> tuple[Dataset, Mask]:
    """Return the rows in the order of the split, and which are training rows.

    Notes
    -----
    Procedures keep the order of the rows. The rows of a file may be sorted by class, and training
    by batches would fit the last class best.
    """
    parts = hold_out(TEST_SIZE, SPLIT_SEED, len(dataset), 0)
    order = np.concatenate(list(parts.values()))
    is_training = np.arange(len(dataset)) < len(parts["train"])
    return replace(dataset, frame=dataset.frame.iloc[order]), is_training


def _fit_network(recipe: Recipe, dataset: Dataset, is_training: Mask, seed: int) -> Pipeline:
    training = is_training[np.newaxis]
    procedure = recipe.procedure.planned(dataset)
    (pipeline,) = procedure.fit_folds(dataset, training, seed, lambda _: None)
    return pipeline


def _columns(pipeline: Pipeline, X: Array) -> Array:
    """Return the encoded and scaled rows."""
    encoded = pipeline.encoding.transform(X)
    return scaled(pipeline.encoding, encoded, pipeline.mean, pipeline.scale)


def _predict(network: NeuralNetwork, X: Array) -> Array:
    return class_probabilities(network.predict_proba(X), network.output_activation)


def _figures(dataset: Dataset, is_test: Mask, predict: Predict, X: Array) -> dict[str, float]:
    """Return the metrics of the test rows, and the prediction time of one row."""
    metrics = metrics_for(len(dataset.labels), dataset.costs)
    y = dataset.classes[is_test].astype(np.float64)
    probabilities = np.asarray(predict(X[is_test]), dtype=np.float64)[np.newaxis]
    figures = {
        name: value_of(metric, y, probabilities)
        for name, metric in metrics.items()
        if name in HEADINGS
    }
    return {**figures, "predict_milliseconds": 1000 * _seconds_of_a_row(predict, X[is_test])}


def _seconds_of_a_row(predict: Predict, X: Array) -> float:
    """Return the median over the rows, each predicted alone."""
    # The first call may compile.
    predict(X[:1])
    return float(np.median([_timed(partial(predict, row[np.newaxis]))[1] for row in X]))


def _spreads(trials: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    spreads = {}
    for key in trials[0]:
        figures = [trial[key] for trial in trials]
        spreads[key] = Spread(float(np.mean(figures)), float(np.std(figures)))
    return spreads


def _timed(function: Callable[[], Result]) -> tuple[Result, float]:
    start = perf_counter()
    result = function()
    return result, perf_counter() - start
