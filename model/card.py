"""The model card: what a model is, what it is for, and how good it is, in one document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.artifact import Artifact


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
