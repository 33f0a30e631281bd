"""Two moons: points of two classes that no straight line separates."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn.datasets import make_moons

from model.data.dataset import Dataset, own_file
from model.schema.features import Feature, FeatureSet

MOONS_FEATURES = FeatureSet(
    [
        Feature("x", "Horizontal position", "continuous", 0.5, "", -10, 10),
        Feature("y", "Vertical position", "continuous", -0.25, "", -10, 10),
    ]
)

MOONS_TARGET = Feature(
    "moon", "Half circle that the point lies on", "binary", 0, codes=((0, "upper"), (1, "lower"))
)

MOONS_CARD = {
    "intended_use": "Teaching: a curved boundary between two classes that can be looked at.",
    "not_for": "Anything else: the points are drawn by a program.",
    "limits": ["200 made-up points on two half circles, with normal noise of 0.20."],
    "citation": "Pedregosa et al., scikit-learn, JMLR 12 (2011) 2825-2830: make_moons.",
}


def load_moons(path: Path | None = None) -> Dataset:
    """Draw the 200 points of the source, or read a file with columns x, y and moon."""
    if path is not None:
        return own_file(path, MOONS_FEATURES, MOONS_TARGET)
    X, classes = make_moons(200, noise=0.20, random_state=0)
    frame = pd.DataFrame(X, columns=MOONS_FEATURES.names).assign(moon=classes)
    source = "scikit-learn's make_moons(200, noise=0.20, random_state=0)"
    return Dataset(frame, MOONS_FEATURES, MOONS_TARGET, MOONS_CARD, source)
