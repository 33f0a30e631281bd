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
            "sepal_length",
            "Length of the sepal",
            "continuous",
            5.8,
            "cm",
            1,
            15,
            aliases=("sepal length (cm)",),
        ),
        Feature(
            "sepal_width",
            "Width of the sepal",
            "continuous",
            3,
            "cm",
            0.5,
            10,
            aliases=("sepal width (cm)",),
        ),
        Feature(
            "petal_length",
            "Length of the petal",
            "continuous",
            4.4,
            "cm",
            0.5,
            15,
            aliases=("petal length (cm)",),
        ),
        Feature(
            "petal_width",
            "Width of the petal",
            "continuous",
            1.3,
            "cm",
            0.05,
            10,
            aliases=("petal width (cm)",),
        ),
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
