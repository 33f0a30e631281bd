"""The model card: what a model is, what it is for, and how good it is, in one document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.artifact import Artifact


PAGE = """\
# Model card: {name}

Version `{version}`, SHA-256 `{sha256}`.

## Use

Intended for: {intended_use}

Not for: {not_for}

{warnings}

## Data

{data[rows]} rows of {data[source]}, SHA-256 `{data[sha256]}`. {citation}

## Model

Layers of {layers} units, {network[hidden_activation]}, {network[output_activation]} output; \
{settings}.

Predicts {positive} where its probability exceeds {threshold:g}, else {otherwise}.

## Metrics

| metric | value | 95 % interval over patients | spread between repeats |
|---|---|---|---|
{metric_rows}

## Features

| name | what it is | what it takes |
|---|---|---|
{feature_rows}
"""


def card_path(artifact_path: Path) -> Path:
    """Return where the card of an artifact's file stands."""
    return artifact_path.with_suffix(".json")


def model_card(artifact: Artifact) -> dict[str, Any]:
    """Return the card; every figure in it is the artifact's own.

    Notes
    -----
    The layout follows Mitchell et al., "Model Cards for Model Reporting", FAT* 2019: the model,
    its use, its data, how it was trained, what it reached.
    """
    network = artifact.pipeline.network
    return {
        **artifact.about,
        "name": artifact.name,
        "version": artifact.version,
        "sha256": artifact.sha256,
        "labels": list(artifact.labels),
        "threshold": artifact.threshold,
        "network": {
            "layer_sizes": list(network.layer_sizes),
            "hidden_activation": network.hidden_activation,
            "output_activation": network.output_activation,
        },
        "features": [
            {
                "name": feature.name,
                "description": feature.description,
                "expected": feature.expected,
                "observed": list(feature.observed),
            }
            for feature in artifact.features
        ],
    }


def markdown_path(artifact_path: Path) -> Path:
    """Return where the card of an artifact's file stands as a page."""
    return artifact_path.with_suffix(".md")


def card_markdown(card: Mapping[str, Any]) -> str:
    """Return a card as a page for people."""
    network = card["network"]
    return PAGE.format(
        **{"citation": "", **card},
        warnings="\n".join(f"- {limit}" for limit in card["limits"]),
        layers=", ".join(map(str, network["layer_sizes"])),
        settings=", ".join(f"{key} {value}" for key, value in card["training"].items()),
        otherwise=card["labels"][0],
        positive=card["labels"][-1],
        metric_rows="\n".join(
            f"| {name} | {_cells(figure)}|" for name, figure in card["metrics"].items()
        ),
        feature_rows="\n".join(
            f"| `{feature['name']}` | {feature['description']} | {feature['expected']} |"
            for feature in card["features"]
        ),
    )


def _cells(figure: float | Mapping[str, float]) -> str:
    if isinstance(figure, Mapping):
        return "{value:.3f} | {low:.3f} to {high:.3f} | {spread:.3f} ".format_map(figure)
    return f"{figure:.6g} | | "
