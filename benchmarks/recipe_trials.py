"""What was tried for the served recipe: the tables of docs/decisions/0004-the-served-recipe.md.

Run as ``python -m benchmarks.recipe_trials``. In the first table each line is a fixed design in
eight repeats of stratified nine-fold cross-validation, without choice; "calibrated" lines take
intercept and slope from the held-out rows themselves, which flatters. In the second each line is a
whole procedure in the twenty repeats of the card: what it chooses and calibrates, it learns from
the training rows of the fold. The third has variants of the procedure for any table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import click
import numpy as np

from model.arrays import Array
from model.data import Dataset, load_heart
from model.data.heart import STATLOG_COSTS
from model.evaluation.calibration import fit_calibration, logit
from model.evaluation.metrics import RESAMPLES, bootstrap_counts, metrics_for
from model.evaluation.validation import (
    Mask,
    cross_validate,
    held_out,
    repeated_training_sets,
    training_sets,
)
from model.network.optimizers import Adam
from model.recipes.design import Design
from model.recipes.procedures import judge
from model.recipes.recipes import HEART as SERVED
from model.recipes.recipes import find_recipe
from model.recipes.tables.plans import Plan
from model.recipes.tables.stacks import Family, Stacks
from model.recipes.tables.table_fit import FAMILIES, TWO_CLASSES, PlannedTableFit
from model.schema.encoding import Encoding
from model.schema.features import FeatureSet

METRICS = metrics_for(2, STATLOG_COSTS)

HEART = replace(SERVED, optimizer=partial(Adam, learning_rate=0.05), iterations=100)
"""All rows in each step, as the trials were made."""

REPEATS = 8
FOLDS = 9
ENSEMBLE = 8
SHOWN = ("cost", "roc_auc", "brier", "log_loss", "calibration_slope")


@dataclass(frozen=True)
class ScaledIndicators(Design):
    """A design that standardises the indicators too."""

    def scaler(self, encoding: Encoding, encoded: Array) -> tuple[Array, Array]:  # noqa: ARG002
        """Return mean and scale of each encoded column."""
        mean, scale = encoded.mean(axis=0), encoded.std(axis=0)
        return mean, np.where(scale > 0, scale, 1.0)


def cross_validated(design: Design, dataset: Dataset, seed: int = 1) -> Array:
    """Return held-out probabilities, of shape (repeats, n)."""
    training = repeated_training_sets(dataset.classes, FOLDS, REPEATS, 0)
    return cross_validate(
        dataset.X, training, lambda folds: design.fit_folds(dataset, folds, seed)
    ).probabilities


def sigmoid(logits: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def calibrated(probabilities: Array, y: Array) -> Array:
    """Return probabilities with the intercept and slope that suit them best."""
    logits = logit(probabilities)
    intercept, slope = fit_calibration(logits, y, np.ones_like(logits))
    return sigmoid(intercept[:, np.newaxis] + slope[:, np.newaxis] * logits)


def trials(dataset: Dataset) -> Iterator[tuple[str, Array]]:
    y = dataset.classes.astype(np.float64)
    scaled = ScaledIndicators(**{name: getattr(HEART, name) for name in vars(HEART)})
    yield "scaled indicators, L2 10", cross_validated(replace(scaled, l2=10.0), dataset)
    for l2 in (6.0, 10.0, 15.0, 20.0):
        probabilities = cross_validated(replace(HEART, l2=l2), dataset)
        yield f"L2 {l2:g}", probabilities
        yield f"L2 {l2:g}, calibrated", calibrated(probabilities, y)
    for units in (4, 16, 32):
        design = replace(HEART, l2=15.0, hidden_layer_sizes=(units,))
        yield f"{units} units, L2 15, calibrated", calibrated(cross_validated(design, dataset), y)
    relu = replace(HEART, l2=20.0, hidden_activation="relu")
    yield "ReLU, L2 20, calibrated", calibrated(cross_validated(relu, dataset), y)
    members = [cross_validated(replace(HEART, l2=6.0), dataset, seed) for seed in range(ENSEMBLE)]
    yield f"mean of {ENSEMBLE} seeds, L2 6", np.mean(members, axis=0)


@dataclass(frozen=True)
class Candidate:
    """What a procedure may choose, as logits of all rows by each fold of each repeat.

    Parameters
    ----------
    inner : Array of shape (repeats, folds, n)
        By fits of the inner cross-validation that have not seen the row.
    outer : Array of shape (repeats, folds, n)
        By the fit to the training rows of the fold.
    """

    inner: Array
    outer: Array


def vessels_as_indicators(features: FeatureSet) -> Encoding:
    """Encode the number of vessels like the nominal columns."""
    vessels = features.names.index("num_of_major_vessels")
    columns = [pair for pair in Encoding.one_hot(features).columns if pair[0] != vessels]
    return Encoding([*columns, *((vessels, float(count)) for count in range(4))])


def candidate(design: Design, dataset: Dataset, training: Mask, seed: int) -> Candidate:
    inner, outer = [], []
    for folds in training:
        parts = [training_sets(dataset.classes, rows, FOLDS, seed) for rows in folds]
        stack = design.fit_stack(dataset, np.concatenate(parts), seed)
        logits = logit(stack.class_probabilities(dataset.X)).reshape(len(folds), FOLDS, -1)
        inner.append([held_out(*of_fold) for of_fold in zip(parts, folds, logits, strict=True)])
        outer.append(logit(design.fit_stack(dataset, folds, seed).class_probabilities(dataset.X)))
    return Candidate(np.array(inner), np.array(outer))


def mean(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate whose logits are the mean of those of several."""
    return Candidate(
        np.mean([one.inner for one in candidates], axis=0),
        np.mean([one.outer for one in candidates], axis=0),
    )


def procedure(candidates: Sequence[Candidate], dataset: Dataset, training: Mask) -> Array:
    """Return held-out probabilities by the candidate of the lowest inner log loss, calibrated."""
    y, weights = dataset.classes.astype(np.float64), training.astype(np.float64)
    losses, all_logits = [], []
    for one in candidates:
        intercept, slope = (
            part[..., np.newaxis] for part in fit_calibration(one.inner, y, weights)
        )
        z = intercept + slope * one.inner
        losses.append((weights * (np.logaddexp(0.0, z) - y * z)).sum(axis=-1))
        all_logits.append(intercept + slope * one.outer)
    chosen = np.argmin(losses, axis=0)[np.newaxis, ..., np.newaxis]
    logits = np.take_along_axis(np.array(all_logits), chosen, axis=0)[0]
    everything = np.ones(len(dataset), dtype=bool)
    repeats = [held_out(*of_repeat) for of_repeat in zip(
        training, [everything] * len(training), logits, strict=True
    )]  # fmt: skip
    return sigmoid(np.array(repeats))


def procedures(dataset: Dataset) -> Iterator[tuple[str, Array]]:
    recipe = find_recipe("heart")
    seed, judged = recipe.random_state, recipe.procedure.planned(dataset)
    training = repeated_training_sets(dataset.classes, judged.folds, judged.repeats, seed)

    def candidates(design: Design, *penalties: float) -> list[Candidate]:
        return [candidate(replace(design, l2=l2), dataset, training, seed) for l2 in penalties]

    def run(*of: Candidate) -> Array:
        return procedure(of, dataset, training)

    served = candidates(HEART, 10.0, 15.0, 20.0)
    wider = [*candidates(HEART, 6.0), *served, *candidates(HEART, 30.0)]
    indicators = candidates(replace(HEART, encode=vessels_as_indicators), 10.0, 15.0, 20.0)
    yield "L2 10, 15 or 20, chosen", run(*served)
    yield "L2 10, 15 and 20, averaged", run(mean(served))
    yield "L2 6, 10, 15, 20 or 30, chosen", run(*wider)
    yield "L2 6, 10, 15, 20 and 30, averaged", run(mean(wider))
    yield "vessels as indicators, averaged", run(mean(indicators))
    yield "vessels as indicators or number, averaged, chosen", run(mean(served), mean(indicators))


def variants(dataset: Dataset) -> Iterator[tuple[str, Array]]:
    """Yield variants of the procedure for any table, judged as the recipe is."""
    plan, plain = Plan(9, 20, 9), Family((3.0, 10.0, 30.0))
    strong, scaled = Family((10.0, 15.0, 20.0)), Family((3.0, 10.0), has_scales=True)
    table, tanh = TWO_CLASSES, replace(TWO_CLASSES, hidden_activation="tanh")
    for name, design, families in (
        ("as any table", table, FAMILIES),
        ("no ramps, no scales", table, (plain,)),
        ("no ramps", table, (plain, scaled)),
        ("no ramps, no scales, tanh", tanh, (plain,)),
        ("no ramps, no scales, tanh, L2 10, 15 and 20 (served)", tanh, (strong,)),
    ):
        procedure = PlannedTableFit(plan, Stacks(design, families))
        yield name, judge(procedure, dataset, 1, lambda _: None).probabilities


def main() -> None:
    """Print the tables."""
    dataset = load_heart()
    y, once = dataset.classes.astype(np.float64), np.ones((1, len(dataset)))

    def figures(probabilities: Array) -> str:
        return " | ".join(f"{METRICS[name](y, probabilities, once)[0]:.4f}" for name in SHOWN)

    click.echo(f"| design | {' | '.join(SHOWN)} |\n|---|{'---|' * len(SHOWN)}")
    for name, probabilities in trials(dataset):
        click.echo(f"| {name} | {figures(probabilities)} |")
    counts = bootstrap_counts(len(y), RESAMPLES, 1)
    last = "log_loss, difference to the first"
    click.echo(f"\n| procedure | {' | '.join(SHOWN)} | {last} |\n|---|{'---|' * (1 + len(SHOWN))}")
    first: Array | None = None
    for name, probabilities in procedures(dataset):
        losses = METRICS["log_loss"](y, probabilities, counts)
        first = losses if first is None else first
        low, high = np.quantile(losses - first, [0.025, 0.975])
        click.echo(f"| {name} | {figures(probabilities)} | {low:+.4f} to {high:+.4f} |")
    click.echo(f"\n| procedure for tables | {' | '.join(SHOWN)} |\n|---|{'---|' * len(SHOWN)}")
    for name, probabilities in variants(dataset):
        click.echo(f"| {name} | {figures(probabilities)} |")


if __name__ == "__main__":
    main()
