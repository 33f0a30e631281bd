"""The artifact: everything that training hands to the service, in one .npz file.

Each check of loading has a name, named by `ArtifactError` and by ``heartline verify``:

==========  ======================================================================
file        a regular file that can be read
size        at most `model.artifact.archive.MAX_BYTES` bytes
digest      the SHA-256 that the card beside it tells, and the pinned one
archive     a plain .npz file whose members are whole
metadata    a JSON document that describes a model
version     of the format that this program reads
limits      no more features, classes or of anything else than `model.artifact.metadata` allows
text        no text with control characters or lone surrogates
card        the use, the limits and the metrics are what the documents say of them
keys        exactly the members that the metadata calls for
dtype       64-bit floats
shape       the shapes that the metadata calls for
finite      neither NaN nor infinity, nor a possible row whose sums overflow
golden      the golden rows give the stored probabilities within 1e-9, in a batch and alone
==========  ======================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from model.arrays import Array
from model.artifact.archive import (
    MAX_BYTES,
    MAX_CARD_VALUES,
    METADATA,
    Archive,
    ArchiveFault,
    pack,
    read_json,
    shown,
)
from model.artifact.card import card_markdown, card_path, markdown_path, model_card
from model.artifact.metadata import check_about, check_sizes, check_values
from model.errors import ArtifactError
from model.files import replace_files
from model.inference.pipeline import Pipeline
from model.inference.predictor import Predictor
from model.network.network import NeuralNetwork
from model.network.parameters import parameter_shapes
from model.schema.encoding import Encoding
from model.schema.features import MAX_NAME, FeatureSet, is_name

FORMAT_VERSION = 1
GOLDEN_TOLERANCE = 1e-9
CARD_KEYS = {"intended_use", "not_for", "limits", "metrics"}
"""What `about` holds at least."""
CHECKS = (
    "file", "size", "digest", "archive", "metadata", "version", "limits", "text", "card",
    "keys", "dtype", "shape", "finite", "golden",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Artifact:
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
        What the card tells beyond these: use, data, training, metrics.
    sha256 : str
        Hex digest of the file; empty until there is one.
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
    sha256: str = ""

    @property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of the file."""
        return self.sha256[:12]

    def card(self) -> dict[str, Any]:
        """Return the model card."""
        return model_card(self)

    def are_golden(self, probabilities: Array) -> bool:
        """Return whether probabilities are those of the golden rows."""
        return bool(np.allclose(probabilities, self.golden_probabilities, 0.0, GOLDEN_TOLERANCE))

    def save(self, path: Path) -> Artifact:
        """Write the file and the cards beside it, each whole or not at all.

        Returns
        -------
        Artifact
            The same with the digest of the file.

        Raises
        ------
        ArtifactError
            When the name does not end in ``.npz``; the card would overwrite a ``.json``. When the
            file would fail a check of loading.
        OSError
            When one of the files cannot be written; then the old ones are still there.
        """
        if path.suffix != ".npz":
            raise ArtifactError(path, "file", "the file name must end in .npz")
        content = self._packed()
        saved = replace(self, sha256=hashlib.sha256(content).hexdigest())
        _check(path, content)
        card = saved.card()
        document = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
        page = card_markdown(card)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = {card_path(path): document.encode(), markdown_path(path): page.encode()}
        replace_files({path: content, **beside})
        return saved

    def is_in(self, saved: Artifact) -> bool:
        """Tell whether saving this one would write the very bytes that the other came from."""
        return hashlib.sha256(self._packed()).hexdigest() == saved.sha256

    def _packed(self) -> bytes:
        network = self.pipeline.network
        arrays = {
            **network.parameters,
            "scaler_mean": self.pipeline.mean,
            "scaler_scale": self.pipeline.scale,
            "golden_inputs": self.golden_inputs,
            "golden_probabilities": self.golden_probabilities,
        }
        return pack(arrays, _metadata(self))

    @classmethod
    def load(cls, path: Path, pinned_sha256: str | None = None) -> Artifact:
        """Read a file and check it.

        Parameters
        ----------
        path : Path
            The ``.npz`` file.
        pinned_sha256 : str, optional
            Required SHA-256 of the file.

        Raises
        ------
        ArtifactError
            At the first check that fails.
        """
        try:
            content = _read_file(path)
            sha256 = hashlib.sha256(content).hexdigest()
            _check_digest(path, sha256, pinned_sha256)
        except ArchiveFault as fault:
            raise ArtifactError(path, fault.check, fault.problem) from None
        return replace(_check(path, content), sha256=sha256)

    def predict_proba(self, X: Array) -> Array:
        """Return the probabilities of each row; see `model.schema.classes.class_probabilities`."""
        return self.pipeline.class_probabilities(X)


def _check(path: Path, content: bytes) -> Artifact:
    """Return the artifact that a file holds; run all checks but those of the file itself."""
    try:
        artifact = _unpack(Archive(content))
        _check_numbers(artifact)
    except ArchiveFault as fault:
        raise ArtifactError(path, fault.check, fault.problem) from None
    return artifact


def _check_numbers(artifact: Artifact) -> None:
    if not artifact.pipeline.is_finite(artifact.features.rules.largest):
        raise ArchiveFault("finite", "a sum of a possible row may become too large")
    with np.errstate(all="ignore"):
        probabilities = artifact.predict_proba(artifact.golden_inputs)
    if not artifact.are_golden(probabilities):
        raise ArchiveFault(
            "golden", "the golden rows do not give the probabilities stored with them"
        )
    if not Predictor(artifact).is_sound():
        raise ArchiveFault("golden", "the golden rows do not give the same alone, or made ready")


def _metadata(artifact: Artifact) -> dict[str, Any]:
    network = artifact.pipeline.network
    return {
        "format_version": FORMAT_VERSION,
        "name": artifact.name,
        "features": artifact.features.to_json(),
        "encoding": artifact.pipeline.encoding.columns,
        "layer_sizes": network.layer_sizes,
        "hidden_activation": network.hidden_activation,
        "output_activation": network.output_activation,
        "labels": artifact.labels,
        "threshold": artifact.threshold,
        "threshold_reason": artifact.threshold_reason,
        "golden_rows": len(artifact.golden_inputs),
        "about": artifact.about,
    }


def _read_file(path: Path) -> bytes:
    try:
        # O_NONBLOCK: the opening of a named pipe would otherwise wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ArchiveFault("file", "not a regular file")
            if status.st_size > MAX_BYTES:
                raise ArchiveFault("size", f"{status.st_size} bytes, at most {MAX_BYTES} are read")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(MAX_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ArchiveFault("file", error.strerror or "cannot be read") from None
    except ValueError:
        raise ArchiveFault("file", "not a path") from None


def _check_digest(path: Path, sha256: str, pinned: str | None) -> None:
    if pinned is not None and sha256 != pinned.lower():
        raise ArchiveFault("digest", f"SHA-256 {sha256} is not the pinned {pinned.lower()}")
    card = card_path(path)
    if not os.path.lexists(card):
        return
    try:
        stated = read_json(_read_file(card), card.name, MAX_CARD_VALUES).get("sha256")
    except (ArchiveFault, AttributeError):
        raise ArchiveFault("digest", f"{card.name} is no card that can be read") from None
    if sha256 != stated:
        raise ArchiveFault("digest", f"SHA-256 {sha256} is not that of {card.name}")


def _unpack(archive: Archive) -> Artifact:
    metadata = archive.metadata()
    found = metadata.get("format_version") if isinstance(metadata, dict) else None
    if type(found) is not int:
        raise ArchiveFault("metadata", "no format version")
    if found != FORMAT_VERSION:
        raise ArchiveFault("version", f"format {found}, this program reads {FORMAT_VERSION}")
    check_values(metadata)
    try:
        check_sizes(metadata)
        return _assemble(archive, metadata)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ArchiveFault("metadata", f"it describes no model ({type(error).__name__})") from None


def _assemble(archive: Archive, metadata: dict[str, Any]) -> Artifact:
    features = _features(metadata["features"])
    encoding = Encoding((source, code) for source, code in metadata["encoding"])
    _check_metadata(metadata, features, encoding)
    arrays = _read_arrays(archive, metadata, features, encoding)
    mean, scale = arrays.pop("scaler_mean"), arrays.pop("scaler_scale")
    _require(bool((scale > 0).all()), "a scale is not positive")
    golden_inputs = arrays.pop("golden_inputs")
    golden_probabilities = arrays.pop("golden_probabilities")
    network = NeuralNetwork(
        metadata["layer_sizes"],
        metadata["hidden_activation"],
        metadata["output_activation"],
        arrays,
    )
    return Artifact(
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
        "there are not two classes or more, each with a name of its own",
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
        "two classes need a threshold between 0 and 1, more have none",
    )
    _require(type(rows) is int and rows >= 1, "there are no golden rows")
    _require(isinstance(metadata["threshold_reason"], str), "there is no reason of the threshold")
    _require(
        all(type(name) is str and is_name(name) for name in (metadata["name"], *labels)),
        f"the name of the model or of a class is empty, longer than {MAX_NAME} characters, not in "
        "Unicode form NFC, or holds outer blanks or a control character",
    )
    _require(isinstance(metadata["about"], dict), "nothing is said about the model")
    check_about(metadata["about"])


def _read_arrays(
    archive: Archive, metadata: dict[str, Any], features: FeatureSet, encoding: Encoding
) -> dict[str, Array]:
    rows, classes = metadata["golden_rows"], len(metadata["labels"])
    shapes = {
        **parameter_shapes(metadata["layer_sizes"]),
        "scaler_mean": (len(encoding),),
        "scaler_scale": (len(encoding),),
        "golden_inputs": (rows, len(features)),
        "golden_probabilities": (rows,) if classes == 2 else (rows, classes),
    }
    _check_keys(archive.names, {*shapes, METADATA})
    return {name: archive.array(name, shape) for name, shape in shapes.items()}


def _fits(encoding: Encoding, features: FeatureSet) -> bool:
    """Tell whether each column copies a feature or indicates one of its codes."""
    codes: list[set[float]] = [{code for code, _ in feature.codes} for feature in features]
    return all(
        type(source) is int
        and 0 <= source < len(features)
        and (code is None or (type(code) in (int, float) and code in codes[source]))
        for source, code in encoding.columns
    )


def _require(condition: bool, problem: str) -> None:  # noqa: FBT001
    if not condition:
        raise ArchiveFault("metadata", problem)


def _check_keys(found: set[str], expected: set[str]) -> None:
    missing, extra = sorted(expected - found), sorted(found - expected)
    if missing:
        raise ArchiveFault("keys", f"{missing[0]} is missing")
    if extra:
        raise ArchiveFault("keys", f"{shown(extra[0])} does not belong")
