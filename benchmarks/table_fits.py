"""Fits of tables of many rows: ours beside scikit-learn's MLPClassifier, and whole trainings.

Run as ``python -m benchmarks.table_fits``. A fit of ours is one network, or three of different
penalties, that reads the columns without ramps; that of MLPClassifier is one with as many
hidden units, passes and rows in a batch. One thread each, rounds taken in turns, medians.
``--trainings`` adds whole trainings on all cores, each in a
process of its own, with the most memory that it held.
"""

import os

# Before NumPy is imported: BLAS reads it once.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import click
import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from model.data import Dataset
from model.recipes.own_tables import table_recipe
from model.recipes.tables.inputs import EncodedTable
from model.recipes.tables.stacks import MANY_ROWS, UNITS, Family, Stacks, batch_rows
from model.recipes.tables.table_fit import SEVERAL_CLASSES, TWO_CLASSES
from model.schema.features import Feature, FeatureSet

ROUNDS = 3
PENALTIES = (3.0, 10.0, 30.0)
TABLES = ((1_000, 13, 2), (10_000, 13, 2), (50_000, 50, 2), (20_000, 30, 5))
"""Rows, columns and classes."""

SCIKIT_LEARNS_BATCH = 200
MANY_CLASSES = 2


def made(rows: int, columns: int, classes: int) -> Dataset:
    """Return a table of numbers."""
    X, y = make_classification(
        rows,
        columns,
        n_informative=min(columns, 10),
        n_redundant=0,
        n_classes=classes,
        n_clusters_per_class=2,
        flip_y=0.05,
        random_state=0,
    )
    names = [f"x{number}" for number in range(columns)]
    codes = tuple((number, f"class {number}") for number in range(classes))
    return Dataset(
        pd.DataFrame(X, columns=names).assign(label=y.astype(float)),
        FeatureSet(Feature(name, "A number", "continuous", 0, "", -999, 999) for name in names),
        Feature("label", "A class", "binary" if classes == MANY_CLASSES else "nominal", 0,
                codes=codes),
        {"intended_use": "Benchmarks.", "not_for": "Anything else.", "limits": ["Made up."]},
        "scikit-learn's make_classification",
    )  # fmt: skip


def ours(dataset: Dataset, penalties: tuple[float, ...]) -> None:
    design = TWO_CLASSES if len(dataset.labels) == MANY_CLASSES else SEVERAL_CLASSES
    table = EncodedTable.of(dataset, design)
    everything = np.ones((1, len(dataset)), dtype=bool)
    Stacks(design, (Family(penalties),)).fit(table, everything, 0, lambda _: None)


def scikit_learn(dataset: Dataset, batch_size: int) -> None:
    design = TWO_CLASSES
    passes = Stacks(design, ()).iterations(len(dataset))
    network = MLPClassifier(
        UNITS[len(dataset) > MANY_ROWS],
        activation=design.hidden_activation,
        alpha=15.0,
        batch_size=batch_size,
        learning_rate_init=0.02,
        max_iter=passes,
        n_iter_no_change=passes,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It stops at the number of passes.
        network.fit(StandardScaler().fit_transform(dataset.X), dataset.classes)


def seconds(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def train(rows: int, columns: int, classes: int) -> None:
    """Train on a table and print the time and the memory."""
    dataset = made(rows, columns, classes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    recipe = table_recipe("benchmark", lambda _: dataset)
    wall, used = time.perf_counter(), time.process_time()
    recipe.train()
    wall, used = time.perf_counter() - wall, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(
        f"| {rows} x {columns}, {classes} classes | {wall:.1f} | {used:.1f} | {before:.0f} | "
        f"{peak:.0f} |"
    )


@click.command()
@click.option("--trainings", is_flag=True, help="Whole trainings too.")
@click.option("--train-on", type=int, nargs=3, hidden=True)
def main(trainings: bool, train_on: tuple[int, int, int] | None) -> None:  # noqa: FBT001
    """Print the tables."""
    if train_on:
        train(*train_on)
        return
    click.echo(
        "| table | ours, 3 networks, s | 1 network | scikit-learn, same batches | batches of "
        "200 | ratio | ratio |\n|---|---|---|---|---|---|---|"
    )
    for shape in TABLES:
        dataset = made(*shape)
        batch = batch_rows(len(dataset))
        runs: list[Callable[[], None]] = [
            lambda dataset=dataset: ours(dataset, PENALTIES),  # type: ignore[misc]
            lambda dataset=dataset: ours(dataset, PENALTIES[:1]),  # type: ignore[misc]
            lambda dataset=dataset, batch=batch: scikit_learn(dataset, batch),  # type: ignore[misc]
            lambda dataset=dataset: scikit_learn(dataset, SCIKIT_LEARNS_BATCH),  # type: ignore[misc]
        ]
        times = [[seconds(run) for run in runs] for _ in range(ROUNDS)]
        three, one, same, usual = (statistics.median(column) for column in zip(*times, strict=True))
        click.echo(
            f"| {shape[0]} x {shape[1]}, {shape[2]} classes | {three:.2f} | {one:.2f} | {same:.2f} "
            f"| {usual:.2f} | {three / same:.2f} | {one / same:.2f} |"
        )
    if trainings:
        click.echo(
            "\n| training | s | processor, s | MiB before | MiB at most |\n|---|---|---|---|---|"
        )
        for shape in TABLES:
            numbers = [str(number) for number in shape]
            command = [sys.executable, "-m", "benchmarks.table_fits", "--train-on", *numbers]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
