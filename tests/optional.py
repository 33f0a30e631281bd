"""A model of a table with missing values, true and false, and codes made from texts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.artifact.artifact import Artifact
from model.inference.pipeline import Pipeline
from model.network.initializers import standard_normal
from model.network.network import NeuralNetwork
from model.schema.encoding import Encoding
from model.schema.features import Feature, FeatureSet

AGE = Feature(
    "age", "Age", "continuous", 54.5, "years", 0, 120, aliases=("years",), observed=(18, 90),
    missing="indicator", missing_cells=(-9, 99.5, "?"),
)  # fmt: skip
VISITS = Feature(
    "visits", "Visits", "count", 3, maximum=40, observed=(0, 9), missing="indicator"
)  # fmt: skip
WEIGHT = Feature(
    "weight", "Weight", "continuous", 70, "kg", 20, 300, observed=(40, 120), missing_cells=(-1, "?")
)
SMOKER = Feature(
    "smoker", "Smoker", "binary", 1, codes=((0, "false"), (1, "true")), observed=(0, 1),
    texts_only=True, is_boolean=True, missing="indicator", missing_cells=("unknown",),
)  # fmt: skip
MARRIED = Feature(
    "married", "Married", "binary", 0, codes=((0, "no"), (1, "yes")), observed=(0, 1),
    is_boolean=True,
)  # fmt: skip
AREA = Feature(
    "area", "Area", "nominal", 2, codes=((0, "1"), (1, "south"), (2, "other")), observed=(0, 1, 2),
    texts_only=True, other=2, missing="indicator",
)  # fmt: skip
WARD = Feature(
    "ward", "Ward", "nominal", 3, codes=((3, "A"), (6, "B"), (7, "C")), observed=(3, 6),
    aliases=("unit",), missing="indicator", missing_cells=(0,), can_change=False,
)  # fmt: skip

OPTIONAL = FeatureSet([AGE, VISITS, WEIGHT, SMOKER, MARRIED, AREA, WARD])


def optional_artifact(like: Artifact, features: FeatureSet = OPTIONAL) -> Artifact:
    """Return a model of a random network, which says of itself what another does."""
    pipeline = optional_pipeline(features)
    golden = features.golden_inputs()
    return replace(
        like,
        name="optional",
        features=features,
        pipeline=pipeline,
        golden_inputs=golden,
        golden_probabilities=pipeline.class_probabilities(golden),
    )


def optional_pipeline(features: FeatureSet = OPTIONAL, seed: int = 0) -> Pipeline:
    """Return a pipeline with any scaler, of copies alone."""
    encoding = Encoding.for_table(features)
    sizes = (len(encoding), 8, 1)
    network = NeuralNetwork(sizes, "tanh", "sigmoid", standard_normal(sizes, seed))
    rng = np.random.default_rng(seed)
    mean = np.where(encoding.is_indicator, 0.0, rng.uniform(-50, 50, len(encoding)))
    scale = np.where(encoding.is_indicator, 1.0, rng.uniform(10, 50, len(encoding)))
    return Pipeline(encoding, mean, scale, network)
