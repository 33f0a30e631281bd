"""A model as large as one may be: 2,000 features of every kind, and 100 classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.artifact.artifact import Artifact
from model.artifact.metadata import MAX_CLASSES, MAX_FEATURES
from model.inference.pipeline import Pipeline
from model.network.initializers import standard_normal
from model.network.network import NeuralNetwork
from model.schema.encoding import Encoding
from model.schema.features import Feature, FeatureSet

SCORES = tuple((code, f"score {code}") for code in range(5))


def wide_artifact(
    like: Artifact, features: int = MAX_FEATURES, classes: int = MAX_CLASSES
) -> Artifact:
    """Return a model of a random network, which says of itself what another does."""
    inputs = FeatureSet(_feature(number) for number in range(features))
    encoding = Encoding.one_hot(inputs)
    outputs, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    sizes = (len(encoding), 8, outputs)
    network = NeuralNetwork(sizes, "tanh", activation, standard_normal(sizes, 0))
    pipeline = Pipeline(encoding, np.zeros(sizes[0]), np.full(sizes[0], 50.0), network)
    golden = inputs.golden_inputs()
    return replace(
        like,
        name="wide",
        features=inputs,
        labels=tuple(f"class {number}" for number in range(classes)),
        threshold=0.5 if classes == 2 else None,
        pipeline=pipeline,
        golden_inputs=golden,
        golden_probabilities=pipeline.class_probabilities(golden),
    )


def _feature(number: int) -> Feature:
    name, aliases = f"number_{number}_of_the_features_of_a_wide_model", (f"f{number}",)
    measurement = Feature(
        name, f"Feature {number}", "continuous", 0.5, "mm", -10.0, 10.0, (), aliases, (-1.0, 1.0)
    )
    return [
        measurement,
        replace(measurement, kind="count", unit="", minimum=0, observed=(0.0, 9.0), example=3),
        replace(
            measurement,
            kind="nominal",
            unit="",
            example=1,
            codes=SCORES,
            observed=(0.0, 1.0, 2.0, 3.0),
        ),
    ][number % 3]
