"""The served procedure against one-hot logistic regression, patient by patient.

Run as ``python -m benchmarks.against_logistic``. Both predict the same held-out rows of the same
twenty times nine folds; the interval is that of the difference over 1,000 bootstrap samples of the
patients.
"""

import click
import numpy as np
from sklearn.linear_model import LogisticRegression

from model.arrays import Array
from model.data import Dataset, load_heart
from model.data.heart import STATLOG_COSTS
from model.evaluation.metrics import RESAMPLES, bootstrap_counts, metrics_for
from model.evaluation.validation import Mask, held_out
from model.recipes.procedures import judge
from model.recipes.recipes import HEART, find_recipe

METRICS = metrics_for(2, STATLOG_COSTS)

C = 0.3
"""Inverse strength of the penalty, the best of those tried on all rows: it flatters the rival."""


def logistic(dataset: Dataset, outer_folds: Mask) -> Array:
    """Return held-out probabilities of shape (repeats, n), on the columns of the network."""
    encoding = HEART.encode(dataset.features)
    encoded = encoding.transform(dataset.X)
    everything = np.ones(len(dataset), dtype=bool)
    repeats = []
    for training in outer_folds:
        predictions = []
        for rows in training:
            mean, scale = HEART.scaler(encoding, encoded[rows])
            scaled = (encoded - mean) / scale
            model = LogisticRegression(C=C, max_iter=1000).fit(scaled[rows], dataset.classes[rows])
            predictions.append(model.predict_proba(scaled)[:, 1])
        repeats.append(held_out(training, everything, np.array(predictions)))
    return np.array(repeats)


def main() -> None:
    """Print a table of both, and of the difference with its interval."""
    dataset, recipe = load_heart(), find_recipe("heart")
    y, seed = dataset.classes.astype(np.float64), recipe.random_state
    validation = judge(recipe.procedure.planned(dataset), dataset, seed, lambda _: None)
    training = np.array([repeat.training for repeat in validation.repeats])
    ours, theirs = validation.probabilities, logistic(dataset, training)
    counts = bootstrap_counts(len(y), RESAMPLES, seed)
    once = np.ones((1, len(y)))
    click.echo(
        "| metric | network | logistic | difference | 95 % interval |\n|---|---|---|---|---|"
    )
    for name in ("accuracy", "cost", "roc_auc", "brier", "log_loss"):
        metric = METRICS[name]
        mine, other = metric(y, ours, once)[0], metric(y, theirs, once)[0]
        differences = metric(y, ours, counts) - metric(y, theirs, counts)
        low, high = np.quantile(differences, [0.025, 0.975])
        row = f"{mine:.4f} | {other:.4f} | {mine - other:+.4f} | {low:+.4f} to {high:+.4f}"
        click.echo(f"| {name} | {row} |")


if __name__ == "__main__":
    main()
