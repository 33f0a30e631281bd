"""Tables made for tests: as many rows, columns and classes as a test asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from model.arrays import Array
from model.data import Dataset
from model.schema.features import Feature, FeatureSet

CARD = {"intended_use": "Tests.", "not_for": "Anything else.", "limits": ["Made-up rows."]}


def made_table(
    rows: int = 120,
    columns: int = 3,
    classes: int = 2,
    *,
    seed: int = 0,
    signal: float = 1.5,
    shares: Array | None = None,
    missing: bool = False,
    **fields: Any,
) -> Dataset:
    """Return numbers whose means differ between the classes, and a nominal column.

    With missing values, those of the first number are missing more often in the first class.
    """
    rng = np.random.default_rng(seed)
    given = np.full(classes, 1.0 / classes) if shares is None else shares
    y = np.repeat(np.arange(classes), np.round(given * rows).astype(int))[:rows]
    y = rng.permutation(np.concatenate([y, np.zeros(rows - len(y), dtype=int)]))
    centres = signal * rng.normal(size=(classes, columns))
    frame = pd.DataFrame(
        rng.normal(size=(rows, columns)) + centres[y],
        columns=[f"x{number}" for number in range(columns)],
    )
    colour = rng.integers(0, 3, rows)
    frame = frame.assign(colour=np.where(rng.uniform(size=rows) < 0.5, y % 3, colour), label=y)
    features = [Feature(f"x{n}", "A number", "continuous", 0, "", -99, 99) for n in range(columns)]
    colours = ((0, "red"), (1, "green"), (2, "blue"))
    features.append(Feature("colour", "A colour", "nominal", 0, codes=colours))
    codes = tuple((number, f"class {number}") for number in range(classes))
    if missing:
        features = [replace(feature, missing="indicator") for feature in features]
        frame.loc[rng.uniform(size=rows) < np.where(y == 0, 0.4, 0.1), "x0"] = np.nan
        frame.loc[rng.uniform(size=rows) < 0.1, "colour"] = np.nan
    target = Feature(
        "label", "What is predicted", "binary" if classes == 2 else "nominal", 0, codes=codes
    )
    return Dataset(
        frame.astype("float64"), FeatureSet(features), target, CARD, "made-up rows", **fields
    )
