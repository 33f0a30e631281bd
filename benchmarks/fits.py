"""180 fits of the heart network: as one stack, one by one, and by scikit-learn.

Run as ``python -m benchmarks.fits``; one thread each, rounds taken in turns, medians.
"""

import os

# Before NumPy is imported: BLAS reads it once.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import click
import numpy as np
from sklearn.neural_network import MLPClassifier

from model.arrays import Array
from model.data import Dataset, load_heart
from model.evaluation.validation import Mask, repeated_training_sets
from model.network.optimizers import Adam
from model.recipes.recipes import HEART

ROUNDS = 5
STACK = 60
"""Networks trained at once: with more, their activations leave the processor's cache."""

DESIGN = replace(HEART, l2=15.0, optimizer=partial(Adam, learning_rate=0.05), iterations=100)


def stack(dataset: Dataset, training: Mask) -> Array:
    """Return the probabilities of all rows by each of the networks, trained at once."""
    fitted = [
        DESIGN.fit_stack(dataset, folds, 1)
        for folds in np.array_split(training, len(training) // STACK)
    ]
    return np.concatenate([part.predict_proba(dataset.X)[..., 0] for part in fitted])


def one_by_one(dataset: Dataset, training: Mask) -> Array:
    """Return the same, trained one after the other."""
    fitted = [DESIGN.fit(dataset, np.flatnonzero(rows), 1).pipeline for rows in training]
    return np.array([pipeline.predict_proba(dataset.X)[:, 0] for pipeline in fitted])


def scikit_learn(dataset: Dataset, training: Mask) -> Array:
    """Return those of MLPClassifier on the same columns with the same number of passes."""
    encoding = DESIGN.encode(dataset.features)
    encoded = encoding.transform(dataset.X)
    probabilities = []
    for rows in training:
        mean, scale = DESIGN.scaler(encoding, encoded[rows])
        network = MLPClassifier(
            DESIGN.hidden_layer_sizes,
            activation=DESIGN.hidden_activation,
            alpha=DESIGN.l2,
            batch_size=int(rows.sum()),
            learning_rate_init=0.05,
            max_iter=DESIGN.iterations,
            n_iter_no_change=DESIGN.iterations,
            random_state=1,
        )
        scaled = (encoded - mean) / scale
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It stops at the requested number of passes.
            network.fit(scaled[rows], dataset.classes[rows])
        probabilities.append(network.predict_proba(scaled)[:, 1])
    return np.array(probabilities)


def seconds(run: Callable[[Dataset, Mask], Array], dataset: Dataset, training: Mask) -> float:
    started = time.perf_counter()
    run(dataset, training)
    return time.perf_counter() - started


def main() -> None:
    """Print a table of the times and their ratios."""
    dataset = load_heart()
    training = repeated_training_sets(dataset.classes, 9, 20, 0).reshape(180, -1)
    difference = np.abs(stack(dataset, training) - one_by_one(dataset, training)).max()
    runs = {"one stack": stack, "one by one": one_by_one, "scikit-learn": scikit_learn}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(seconds(run, dataset, training))
    medians = {name: statistics.median(values) for name, values in times.items()}
    click.echo(f"{len(training)} fits; largest difference stack to one by one {difference:.1e}\n")
    click.echo("| | seconds | of the stack |\n|---|---|---|")
    for name, median in medians.items():
        click.echo(f"| {name} | {median:.2f} | {median / medians['one stack']:.1f} |")


if __name__ == "__main__":
    main()
