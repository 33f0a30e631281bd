"""Examples for the documents, made from the features: no patient is among them."""

from __future__ import annotations

from typing import Any

from model.features import Feature, FeatureSet


def named_examples(features: FeatureSet) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the same record with codes and with their names, each under a name."""
    record = features.example()
    return {
        "codes": ("Coded columns by their codes", record),
        "names": (
            "Coded columns by the names of their codes",
            {feature.name: _by_name(feature, record[feature.name]) for feature in features},
        ),
    }


def _by_name(feature: Feature, value: float) -> float | str:
    return dict(feature.codes)[int(value)] if feature.is_coded else value
