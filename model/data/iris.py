"""Irises: 150 flowers of three species."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn import datasets

from model.data.dataset import Dataset, own_file
from model.schema.features import Feature, FeatureSet

IRIS_FEATURES = FeatureSet(
    [
        Feature(
            f"{part}_{extent}",
            f"{extent.capitalize()} of the {part}",
            "continuous",
            example,
            "cm",
            minimum,
            15 if extent == "length" else 10,
            aliases=(f"{part} {extent} (cm)",),
        )
        for part, extent, example, minimum in (
            ("sepal", "length", 5.8, 1),
            ("sepal", "width", 3, 0.5),
            ("petal", "length", 4.4, 0.5),
            ("petal", "width", 1.3, 0.05),
        )
    ]
)

IRIS_TARGET = Feature(
    "species",
    "Species of iris",
    "nominal",
    0,
    codes=((0, "setosa"), (1, "versicolor"), (2, "virginica")),
)

IRIS_CARD = {
    "intended_use": "Teaching: a network of two hidden layers and three classes.",
    "not_for": "Naming plants: it knows three species, of which it always answers one.",
    "limits": [
        "150 flowers, 50 of each species, measured by Anderson in the 1930s.",
    ],
    "citation": "Fisher, The use of multiple measurements in taxonomic problems, Annals of "
    "Eugenics 7 (1936) 179-188.",
}


def load_iris(path: Path | None = None) -> Dataset:
    """Load Fisher's irises, or read a file with their columns and species."""
    if path is not None:
        return own_file(path, IRIS_FEATURES, IRIS_TARGET)
    X, classes = datasets.load_iris(return_X_y=True)
    frame = pd.DataFrame(X, columns=IRIS_FEATURES.names).assign(species=classes)
    return Dataset(frame, IRIS_FEATURES, IRIS_TARGET, IRIS_CARD, "scikit-learn's load_iris()")
