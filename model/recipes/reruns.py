"""The existing file at the output of a training run: the model of an earlier run, or another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.artifact.artifact import FORMAT_VERSION, Artifact
from model.errors import ArtifactError, HeartlineError
from model.recipes.recipes import Recipe

DIGITS = 1e-6
"""Relative difference of figures that another processor's rounding explains."""

WAYS_OUT = "give another --output, or --force to replace it"


class OtherModel(HeartlineError):
    """The output file holds another model than the run would write."""


@dataclass(frozen=True)
class EarlierRun:
    """The artifact of an earlier run with the same recipe, seed and rows.

    Parameters
    ----------
    path : Path
        Its file.
    artifact : Artifact
        What it holds.
    """

    path: Path
    artifact: Artifact

    def agreement(self, artifact: Artifact) -> str:
        """Return a sentence that compares the artifact of this run with the earlier one.

        Raises
        ------
        OtherModel
            When it is another model: the recipe or a library has changed since.
        """
        if artifact.is_in(self.artifact):
            return "the run gave the same bytes"
        same_card = _agree(_facts(artifact), _facts(self.artifact))
        inputs = self.artifact.golden_inputs
        if same_card and self.artifact.are_golden(artifact.predict_proba(inputs)):
            if self.artifact.format_version < FORMAT_VERSION:
                return f"the run gave the same model; --force writes it in format {FORMAT_VERSION}"
            return (
                "the run gave the same model, except for last digits that depend on the processor"
            )
        raise OtherModel(
            f"{self.path}: kept, although the same recipe, seed and rows now give another model: "
            f"{WAYS_OUT}"
        )


def saved_version(
    path: Path, recipe: Recipe, data: Path | None, random_state: int | None, artifact: Artifact
) -> str | None:
    """Return the version of a file that has the same model; None if it has another, or none.

    Raises
    ------
    DataError
        When the rows cannot be used.
    """
    try:
        earlier = earlier_run(path, recipe, data, random_state)
        if earlier is not None:
            earlier.agreement(artifact)
    except OtherModel:
        return None
    return earlier.artifact.version if earlier else None


def earlier_run(
    path: Path, recipe: Recipe, data: Path | None, random_state: int | None
) -> EarlierRun | None:
    """Return the earlier run that wrote a file; None where there is no file.

    Raises
    ------
    OtherModel
        When the file was written with another recipe, seed or rows, or cannot be read.
    DataError
        When the rows cannot be used.
    """
    if not path.exists():
        return None
    try:
        artifact = Artifact.load(path)
    except ArtifactError as error:
        raise OtherModel(f"{error}: {WAYS_OUT}") from None
    seed = recipe.random_state if random_state is None else random_state
    wanted = {"recipe": recipe.name, "seed": seed, "rows": recipe.load(data).about()}
    training = artifact.about.get("training")
    training = training if isinstance(training, dict) else {}
    found = {
        "recipe": training.get("recipe"),
        "seed": training.get("seed"),
        "rows": artifact.about.get("data"),
    }
    if other := [name for name, value in wanted.items() if found[name] != value]:
        raise OtherModel(f"{path}: contains a model of another {' and '.join(other)}: {WAYS_OUT}")
    return EarlierRun(path, artifact)


def _facts(artifact: Artifact) -> dict[str, Any]:
    """Return the card without what identifies the file."""
    return {k: v for k, v in artifact.card().items() if k not in ("version", "sha256")}


def _agree(one: Any, other: Any) -> bool:
    """Return whether two documents are equal except for the last digits of their numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_agree(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_agree, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=DIGITS, abs_tol=DIGITS)
    return bool(one == other)
