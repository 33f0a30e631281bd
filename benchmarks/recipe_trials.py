"""What was tried for the served recipe: the table of docs/decisions/0004-the-served-recipe.md.

Run as ``python -m benchmarks.recipe_trials``. Each line is a fixed design in eight repeats of
stratified nine-fold cross-validation, without choice; "calibrated" lines take intercept and slope
from the held-out rows themselves, which flatters.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import click
import numpy as np

from model.arrays import Array
from model.datasets import Dataset, load_heart
from model.design import Design
from model.encoding import Encoding
from model.evaluation.calibration import fit_calibration, logit
from model.evaluation.metrics import METRICS
from model.evaluation.validation import cross_validate, repeated_training_sets
from model.recipes import HEART

REPEATS = 8
FOLDS = 9
ENSEMBLE = 8


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


def calibrated(probabilities: Array, y: Array) -> Array:
    """Return probabilities with the intercept and slope that suit them best."""
    logits = logit(probabilities)
    intercept, slope = fit_calibration(logits, y, np.ones_like(logits))
    return 1.0 / (1.0 + np.exp(-(intercept[:, np.newaxis] + slope[:, np.newaxis] * logits)))


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


def main() -> None:
    """Print the table."""
    dataset = load_heart()
    shown = ("cost", "roc_auc", "brier", "log_loss", "calibration_slope")
    click.echo(f"| design | {' | '.join(shown)} |\n|---|{'---|' * len(shown)}")
    y, once = dataset.classes.astype(np.float64), np.ones((1, len(dataset)))
    for name, probabilities in trials(dataset):
        figures = [METRICS[metric](y, probabilities, once)[0] for metric in shown]
        click.echo(f"| {name} | {' | '.join(f'{figure:.4f}' for figure in figures)} |")


if __name__ == "__main__":
    main()
