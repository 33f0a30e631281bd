"""The model card: what a model is, what it is for, and how good it is, in one document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.artifact.core import Core
from model.schema.features import Feature

PAGE = """\
# Model card: {name}

Version `{version}`, SHA-256 `{sha256}`.

## Use

Intended for: {intended_use}

Not for: {not_for}

{warnings}

## Data

{data_line}

## Model

Layers of {layers} units, {network[hidden_activation]}, {network[output_activation]} output; \
{settings}.

{decision}

## Metrics

| metric | what it is | value | 95 % interval | spread between repeats |
|---|---|---|---|---|
{metric_rows}
{subgroups_table}
## Features

| name | what it is | accepted values |
|---|---|---|
{feature_rows}
"""


SUBGROUPS = """
Subgroups, each figure with its 95 % interval:

| | rows | positive |{names}
|---|---|---|{rules}
{rows}
"""


BAR = r"\|"
"""A bar within a cell of a table."""

MEANINGS = {
    "accuracy": "share of correct classes at threshold 0.5",
    "cost": "mean cost per patient at threshold 1/6: 5 for a missed patient, 1 for a false alarm",
    "roc_auc": "area under the ROC curve",
    "brier": "mean squared error of the probability",
    "log_loss": "logarithmic loss, in nats",
    "calibration_slope": "1 if the probabilities are neither too extreme nor too close to the mean",
    "calibration_intercept": "0 if the probabilities are right on average",
    "first_loss": "training loss at the start of the fit",
    "last_loss": "training loss at the end of the fit",
    "train_accuracy": "share of correct classes in the training rows",
    "validation_accuracy": "share of correct classes in held-out rows, evaluated during the fit",
    "test_accuracy": "share of correct classes in held-out rows, evaluated once after the fit",
}


def card_path(artifact_path: Path) -> Path:
    """Return the path of the card of an artifact."""
    return artifact_path.with_suffix(".json")


def model_card(core: Core, version: str, sha256: str) -> dict[str, Any]:
    """Return the card of a model and its file; every figure in it is the model's own.

    Notes
    -----
    The layout follows Mitchell et al., "Model Cards for Model Reporting", FAT* 2019: the model,
    its use, its data, how it was trained, what it reached.
    """
    network = core.pipeline.network
    return {
        **core.about,
        "name": core.name,
        "version": version,
        "sha256": sha256,
        "labels": list(core.labels),
        "threshold": core.threshold,
        "threshold_reason": core.threshold_reason,
        "network": {
            "layer_sizes": list(network.layer_sizes),
            "hidden_activation": network.hidden_activation,
            "output_activation": network.output_activation,
        },
        "features": [_feature_card(feature) for feature in core.features],
    }


def _feature_card(feature: Feature) -> dict[str, Any]:
    """Return all that a client needs to know of a feature to send its values."""
    return {
        "name": feature.name,
        "aliases": list(feature.aliases),
        "description": feature.description,
        "kind": feature.kind,
        "unit": feature.unit,
        "minimum": None if feature.is_coded else feature.minimum,
        "maximum": None if feature.is_coded else feature.maximum,
        "codes": [{"code": code, "name": name} for code, name in feature.codes],
        "named_only": feature.named_only,
        "missing": feature.missing,
        "missing_cells": list(feature.missing_cells),
        "texts_only": feature.texts_only,
        "is_boolean": feature.is_boolean,
        "other": feature.other,
        "can_change": feature.can_change,
        "expected": feature.expected,
        "observed": list(feature.observed),
    }


def markdown_path(artifact_path: Path) -> Path:
    """Return the path of the card as a page."""
    return artifact_path.with_suffix(".md")


def card_markdown(card: Mapping[str, Any]) -> str:
    """Return a card as a page for people."""
    network = card["network"]
    settings = {k: v for k, v in card["training"].items() if k != "progress"}
    return PAGE.format(
        **card,
        warnings="\n".join(f"- {limit}" for limit in card["limits"]),
        data_line=f"{_data_line(**card['data'])} {card.get('citation', '')}".rstrip(),
        layers=", ".join(map(str, network["layer_sizes"])),
        settings=", ".join(f"{key} {_setting(value)}" for key, value in settings.items()),
        decision=_decision(card),
        metric_rows="\n".join(
            f"| {name} | {meaning(name, card)} | {_cells(figure)}|"
            for name, figure in card["metrics"].items()
        ),
        subgroups_table=_subgroups(card.get("subgroups", {})),
        feature_rows="\n".join(map(_feature_row, card["features"])),
    )


def _feature_row(feature: Mapping[str, Any]) -> str:
    texts = f"`{feature['name']}`", feature["description"], feature["expected"]
    return f"| {' | '.join(text.replace('|', BAR) for text in texts)} |"


def meaning(name: str, card: Mapping[str, Any]) -> str:
    """Return what a metric is; the cost with the costs of the data set, if they are known."""
    costs = card.get("costs")
    if name == "accuracy" and card["threshold"] is None:
        return "share of correct classes"
    if name != "cost" or costs is None or len(card["labels"]) > 2:
        return MEANINGS.get(name, "")
    otherwise, positive = card["labels"]
    return (
        f"mean cost per row at threshold {costs['threshold']:.4g}: {costs['false_negative']:g} for "
        f"{positive} predicted as {otherwise}, {costs['false_positive']:g} for the reverse"
    )


def _data_line(source: str, rows: int, sha256: str = "") -> str:
    digest = f", SHA-256 `{sha256}`" if sha256 else ""
    return f"{rows} rows of {source}{digest}."


def _setting(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _decision(card: Mapping[str, Any]) -> str:
    if card["threshold"] is None:
        return f"Predicts the most probable of {', '.join(card['labels'])}."
    otherwise, positive = card["labels"]
    return (
        f"Predicts {positive} if its probability exceeds {card['threshold']:g}, otherwise "
        f"{otherwise}. {card['threshold_reason']}"
    )


def _subgroups(subgroups: Mapping[str, Mapping[str, Any]]) -> str:
    metrics = list(dict.fromkeys(name for group in subgroups.values() for name in group["metrics"]))
    rows = [
        f"| {name} | {group['rows']} | {group['positives']} |"
        + "".join(f" {_interval(group['metrics'].get(metric))} |" for metric in metrics)
        for name, group in subgroups.items()
    ]
    if not rows:
        return ""
    heads = "".join(f" {metric} |" for metric in metrics)
    return SUBGROUPS.format(names=heads, rules="---|" * len(metrics), rows="\n".join(rows))


def _interval(figure: Mapping[str, float] | None) -> str:
    return "{value:.3f} ({low:.3f} to {high:.3f})".format_map(figure) if figure else ""


def _cells(figure: float | Mapping[str, float]) -> str:
    if isinstance(figure, Mapping):
        return "{value:.3f} | {low:.3f} to {high:.3f} | {spread:.3f} ".format_map(figure)
    return f"{figure:.6g} | | "
