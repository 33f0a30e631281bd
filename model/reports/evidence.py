"""Evidence: everything that a report states about a recipe, gathered by running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from model.artifact.artifact import Artifact
from model.data import Dataset
from model.evaluation.figures import Figures, dataset_metrics, subgroup_metrics
from model.evaluation.importance import Importance, permutation_importances
from model.evaluation.learning import SHARES, LearningPoint, learning_curve
from model.evaluation.validation import CrossValidation, Repeat
from model.inference.pipeline import Pipeline
from model.recipes.design import Fitted
from model.recipes.procedures import Judged, OnFit, Procedure, judge
from model.recipes.recipes import Recipe, find_recipe

Phase: TypeAlias = Callable[[str, float], OnFit]
"""Called with the name of a phase and its number of fits; returns what is called after each."""

LEARNING_REPEATS = 3
MAX_PLOTTED_CLASSES = 6


@dataclass(frozen=True, eq=False)
class Evidence:
    """The results of running a recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    procedure : Procedure
        Its procedure for these rows.
    random_state : int
        Seed of the run.
    dataset : Dataset
        The rows.
    validation : CrossValidation
        The whole procedure's probabilities of held-out rows.
    fitted : Fitted
        The fit that would be saved as an artifact.
    metrics, subgroups : mapping
        Figures with their intervals.
    importances : sequence of Importance
        The importance of each column.
    learning : sequence of LearningPoint
        The log loss with fewer training rows.
    boundaries : mapping of str to Pipeline
        By name of the recipe, the pipelines whose boundaries are drawn; only for two columns.
    caveats : sequence of str
        Known leakage that the procedure does not prevent.
    artifact : Artifact
        The model that this run would save.
    """

    recipe: Recipe
    procedure: Procedure
    random_state: int
    dataset: Dataset
    validation: CrossValidation
    fitted: Fitted
    metrics: Figures
    subgroups: Mapping[str, Mapping[str, Any]]
    importances: Sequence[Importance]
    learning: Sequence[LearningPoint]
    boundaries: Mapping[str, Pipeline]
    caveats: Sequence[str]
    artifact: Artifact


def gather(recipe: Recipe, data: Path | None, random_state: int | None, phase: Phase) -> Evidence:
    """Run a recipe and its evaluation.

    Raises
    ------
    DataError
        When a file of the user's own cannot be used.
    DivergenceError
        When a fit leaves the finite numbers.
    """
    seed = recipe.random_state if random_state is None else random_state
    dataset = recipe.load(data)
    procedure = recipe.procedure.planned(dataset)
    procedure.check(dataset)
    fits = procedure.fits_of_a_fold
    on_fit = phase("cross-validation", procedure.folds * procedure.repeats * fits)
    validation = judge(procedure, dataset, seed, on_fit)
    fitted = procedure.fit(dataset, seed, phase("fit", fits))
    learning = _learning(procedure, dataset, validation.repeats, seed, phase)
    on_figures = phase("figures", 3)
    metrics = dataset_metrics(dataset, validation.probabilities, seed)
    on_figures(1)
    subgroups = subgroup_metrics(dataset, validation.probabilities, seed)
    on_figures(1)
    importances = permutation_importances(dataset, validation.repeats, seed)
    on_figures(1)
    judged = Judged(metrics, subgroups)
    artifact = procedure.artifact(recipe.name, dataset, seed, fitted, judged)
    return Evidence(
        recipe=recipe,
        procedure=procedure,
        random_state=seed,
        dataset=dataset,
        validation=validation,
        fitted=fitted,
        metrics=metrics,
        subgroups=subgroups,
        importances=importances,
        learning=learning,
        boundaries=_boundaries(recipe, dataset, fitted, seed, phase),
        caveats=recipe.caveats(data),
        artifact=recipe.with_caveats(artifact, data).with_digest(),
    )


def _learning(
    procedure: Procedure,
    dataset: Dataset,
    repeats: Sequence[Repeat],
    random_state: int,
    phase: Phase,
) -> list[LearningPoint]:
    """Return the learning curve over the first repeats."""
    judged = repeats[:LEARNING_REPEATS]
    parts = procedure.folds * len(judged) * (len(SHARES) - 1)
    on_fit = phase("learning curve", parts * procedure.fits_of_a_fold)
    return learning_curve(
        dataset,
        judged,
        lambda rows: procedure.fit_folds(dataset, rows, random_state, on_fit),
        procedure.fewest_rows,
        random_state,
    )


def _boundaries(
    recipe: Recipe, dataset: Dataset, fitted: Fitted, random_state: int, phase: Phase
) -> dict[str, Pipeline]:
    """Return the recipe's pipeline and those of the recipes beside it, on two columns."""
    too_many = len(dataset.labels) > MAX_PLOTTED_CLASSES
    if len(dataset.features) != 2 or any(one.is_coded for one in dataset.features) or too_many:
        return {}
    on_fit = phase("boundaries", len(recipe.beside))
    procedures = {name: find_recipe(name).procedure for name in recipe.beside}
    beside = {
        name: procedure.planned(dataset).fit(dataset, random_state, on_fit).pipeline
        for name, procedure in procedures.items()
    }
    return {recipe.name: fitted.pipeline, **beside}
