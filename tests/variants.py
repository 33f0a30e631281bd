"""Other models than the committed one, made of it."""

from __future__ import annotations

from dataclasses import replace

from model.artifact.artifact import Artifact
from model.schema.features import FeatureSet


def shifted(artifact: Artifact, by: float) -> Artifact:
    """Return a model with the same inputs and other probabilities."""
    pipeline = artifact.pipeline
    parameters = pipeline.network.parameters
    last = f"b{pipeline.network.depth}"
    network = pipeline.network.with_parameters({**parameters, last: parameters[last] + by})
    moved = replace(pipeline, network=network)
    golden = moved.class_probabilities(artifact.golden_inputs)
    return replace(artifact, pipeline=moved, golden_probabilities=golden)


def with_feature(artifact: Artifact, old_name: str, **changes: object) -> Artifact:
    """Return a model one of whose features is described otherwise."""
    return replace(
        artifact,
        features=FeatureSet(
            replace(feature, **changes) if feature.name == old_name else feature  # type: ignore[arg-type]
            for feature in artifact.features
        ),
    )
