"""The core of an artifact: what every model has, as arrays and as a JSON document."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model.arrays import Array
from model.artifact.archive import METADATA, Archive, ArchiveFault, shown
from model.artifact.metadata import check_about, check_sizes
from model.inference.golden import GoldenRows
from model.inference.pipeline import Pipeline
from model.network.network import NeuralNetwork
from model.network.parameters import parameter_shapes
from model.schema.encoding import IF_MISSING, Encoding
from model.schema.features import MAX_NAME, FeatureSet, is_name


@dataclass(frozen=True, eq=False)
class Core:
    """A trained model with all that is known of it.

    Parameters
    ----------
    name : str
        Name of the model, that of the recipe that made it.
    features : FeatureSet
        The input columns.
    labels : tuple of str
        Names of the classes; of two, the positive one last.
    threshold : float or None
        Of two classes the positive one is predicted when its probability exceeds this. With more
        there is none: the most probable class is predicted.
    threshold_reason : str
        Why it is this one.
    pipeline : Pipeline
        What computes the probability.
    golden_inputs : Array of shape (m, n_features)
        Made-up rows.
    golden_probabilities : Array of shape (m,) or (m, n_classes)
        Their probabilities, see `model.schema.classes.class_probabilities`.
    about : mapping
        Further contents of the card: use, data, training, metrics.
    """

    name: str
    features: FeatureSet
    labels: tuple[str, ...]
    threshold: float | None
    threshold_reason: str
    pipeline: Pipeline
    golden_inputs: Array
    golden_probabilities: Array
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def golden(self) -> GoldenRows:
        """The golden rows."""
        return GoldenRows(self.golden_inputs, self.golden_probabilities)

    def are_golden(self, probabilities: Array) -> bool:
        """Return whether probabilities are those of the golden rows."""
        return self.golden.agree(probabilities)

    def predict_proba(self, X: Array) -> Array:
        """Return the probabilities of each row; see `model.schema.classes.class_probabilities`."""
        return self.pipeline.class_probabilities(X)

    def arrays(self) -> dict[str, Array]:
        """Return what a file holds of it beside the metadata."""
        return {
            **self.pipeline.network.parameters,
            "scaler_mean": self.pipeline.mean,
            "scaler_scale": self.pipeline.scale,
            "golden_inputs": self.golden_inputs,
            "golden_probabilities": self.golden_probabilities,
        }

    def document(self) -> dict[str, Any]:
        """Return what the metadata of a file says of it."""
        network = self.pipeline.network
        return {
            "name": self.name,
            "features": self.features.to_json(),
            "encoding": self.pipeline.encoding.columns,
            "layer_sizes": network.layer_sizes,
            "hidden_activation": network.hidden_activation,
            "output_activation": network.output_activation,
            "labels": self.labels,
            "threshold": self.threshold,
            "threshold_reason": self.threshold_reason,
            "golden_rows": len(self.golden_inputs),
            "about": self.about,
        }


def read_core(archive: Archive, metadata: dict[str, Any], beside: Collection[str]) -> Core:
    """Return the core that a file holds.

    Parameters
    ----------
    archive : Archive
        The file.
    metadata : dict
        Its JSON document.
    beside : collection of str
        Names of the members that belong to its sections.

    Raises
    ------
    ArchiveFault
        When a check fails, but for those of what the model computes.
    """
    try:
        check_sizes(metadata)
        return _assemble(archive, metadata, beside)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ArchiveFault(
            "metadata", f"the description of the model is not valid ({type(error).__name__})"
        ) from None


def _assemble(archive: Archive, metadata: dict[str, Any], beside: Collection[str]) -> Core:
    features = _features(metadata["features"])
    # JSON has no tuples: a list is the range of a clipped copy.
    encoding = Encoding(
        (source, tuple(made) if isinstance(made, list) else made)
        for source, made in metadata["encoding"]
    )
    _check_metadata(metadata, features, encoding)
    shapes = _shapes(metadata, features, encoding)
    _check_keys(archive.names, {*shapes, *beside, METADATA})
    golden_inputs = _golden_inputs(archive, shapes.pop("golden_inputs"), features)
    arrays = {name: archive.array(name, shape) for name, shape in shapes.items()}
    mean, scale = arrays.pop("scaler_mean"), arrays.pop("scaler_scale")
    _require(bool((scale > 0).all()), "a scale is not positive")
    golden_probabilities = arrays.pop("golden_probabilities")
    network = NeuralNetwork(
        metadata["layer_sizes"],
        metadata["hidden_activation"],
        metadata["output_activation"],
        arrays,
    )
    return Core(
        name=metadata["name"],
        features=features,
        labels=tuple(metadata["labels"]),
        threshold=None if (threshold := metadata["threshold"]) is None else float(threshold),
        threshold_reason=metadata["threshold_reason"],
        pipeline=Pipeline(encoding, mean, scale, network),
        golden_inputs=golden_inputs,
        golden_probabilities=golden_probabilities,
        about=dict(metadata["about"]),
    )


def _golden_inputs(archive: Archive, shape: tuple[int, ...], features: FeatureSet) -> Array:
    """Return the golden rows, with NaN only where a value may be missing."""
    rows = archive.numbers("golden_inputs", shape)
    may_be_nan = np.isin(np.arange(len(features)), features.rules.optional)
    if not (np.isfinite(rows) | (np.isnan(rows) & may_be_nan)).all():
        raise ArchiveFault("finite", "golden_inputs contains NaN or infinity")
    return rows


def _features(described: Any) -> FeatureSet:
    try:
        return FeatureSet.from_json(described)
    except ValueError as error:
        raise ArchiveFault("metadata", str(error)) from None


def _check_metadata(metadata: dict[str, Any], features: FeatureSet, encoding: Encoding) -> None:
    layer_sizes, labels, threshold, rows = (
        metadata[key] for key in ("layer_sizes", "labels", "threshold", "golden_rows")
    )
    _require(all(feature.observed for feature in features), "a feature has no observed values")
    _require(_fits(encoding, features), "the encoding does not fit the features")
    _require(
        type(labels) is list
        and all(type(label) is str for label in labels)
        and 2 <= len(set(labels)) == len(labels),
        "at least two classes with different names are required",
    )
    _require(
        len(layer_sizes) >= 2
        and all(type(size) is int and size >= 1 for size in layer_sizes)
        and layer_sizes[0] == len(encoding),
        "the network does not fit the features",
    )
    _require(
        (layer_sizes[-1], len(labels), metadata["output_activation"]) == (1, 2, "sigmoid")
        or (
            layer_sizes[-1] == len(labels)
            and metadata["output_activation"] in ("sigmoid", "softmax")
        ),
        "the network does not fit the classes",
    )
    _require(
        threshold is None if len(labels) > 2 else 0.0 < threshold < 1.0,
        "two classes need a threshold between 0 and 1; more than two must not have one",
    )
    _require(type(rows) is int and rows >= 1, "there are no golden rows")
    _require(isinstance(metadata["threshold_reason"], str), "threshold_reason is not a text")
    _require(
        all(type(name) is str and is_name(name) for name in (metadata["name"], *labels)),
        f"the name of the model or of a class is empty, longer than {MAX_NAME} characters, not in "
        "Unicode form NFC, has blanks at its ends or contains a control character",
    )
    _require(isinstance(metadata["about"], dict), "about is not an object")
    check_about(metadata["about"])


def _shapes(
    metadata: dict[str, Any], features: FeatureSet, encoding: Encoding
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of a core, by the names of their members."""
    rows, classes = metadata["golden_rows"], len(metadata["labels"])
    return {
        **parameter_shapes(metadata["layer_sizes"]),
        "scaler_mean": (len(encoding),),
        "scaler_scale": (len(encoding),),
        "golden_inputs": (rows, len(features)),
        "golden_probabilities": (rows,) if classes == 2 else (rows, classes),
    }


def _fits(encoding: Encoding, features: FeatureSet) -> bool:
    """Return whether each column copies a feature, clips it or indicates one of its codes.

    Every feature that may have missing values, and no other, has a column that indicates them.
    """
    codes: list[set[float]] = [{code for code, _ in feature.codes} for feature in features]
    indicated = {source for source, code in encoding.columns if code == IF_MISSING}
    return indicated == {*features.rules.optional} and all(
        type(source) is int
        and 0 <= source < len(features)
        and (
            code is None
            or code == IF_MISSING
            or (type(code) in (int, float) and code in codes[source])
            or (isinstance(code, tuple) and not codes[source] and _is_clip(code))
        )
        for source, code in encoding.columns
    )


def _is_clip(ends: tuple[Any, ...]) -> bool:
    return len(ends) == 2 and all(type(end) in (int, float) for end in ends) and ends[0] < ends[1]


def _require(condition: bool, problem: str) -> None:  # noqa: FBT001
    if not condition:
        raise ArchiveFault("metadata", problem)


def _check_keys(found: set[str], expected: set[str]) -> None:
    missing, extra = sorted(expected - found), sorted(found - expected)
    if missing:
        raise ArchiveFault("keys", f"{missing[0]} is missing")
    if extra:
        raise ArchiveFault("keys", f"{shown(extra[0])} is not expected")
