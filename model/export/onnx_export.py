"""The export to ONNX: a file whose graph was compared with the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.errors import ExportError
from model.export.onnx_graph import INPUT, PROBABILITIES, onnx_model
from model.schema.features import FeatureSet

TOLERANCE = 1e-12
ROWS = 1000
"""Of each of two kinds, beside the golden rows."""


@dataclass(frozen=True)
class OnnxExport:
    """An ONNX file.

    Parameters
    ----------
    content : bytes
        The file: the same for the same artifact.
    rows : int
        Number of rows whose probabilities were compared with the model's.
    deviation : float
        The largest difference.
    """

    content: bytes
    rows: int
    deviation: float


def export_onnx(artifact: Artifact) -> OnnxExport:
    """Return a model as an ONNX file.

    Raises
    ------
    ExportError
        When a probability of the graph is not within `TOLERANCE` of the model's.
    """
    model = onnx_model(artifact)
    rows = compared_rows(artifact)
    deviation = largest_deviation(artifact, model, rows)
    if not deviation <= TOLERANCE:  # NaN is not larger either
        raise ExportError(
            f"a probability of the ONNX graph deviates by {deviation:.2g} from the model's, "
            f"at most {TOLERANCE:g} is allowed; nothing was written"
        )
    return OnnxExport(model.SerializeToString(deterministic=True), len(rows), deviation)


def compared_rows(artifact: Artifact) -> Array:
    """Return the golden rows, and made-up valid rows: of the plausible and of the observed ranges.

    Returns
    -------
    Array of shape (n, n_features)
        The same at every call, with missing values where the features allow them.
    """
    plausible = artifact.features.golden_inputs(ROWS)
    observed = _within_observed(plausible, artifact.features)
    return np.concatenate([artifact.golden_inputs, plausible, observed])


def _within_observed(rows: Array, features: FeatureSet) -> Array:
    """Return rows whose measurements and counts are moved into the ranges seen in training."""
    columns = []
    for column, feature in zip(rows.T, features, strict=True):
        if feature.is_coded:
            columns.append(column)
        else:
            ends = (feature.minimum, feature.maximum)
            moved = np.interp(column, ends, feature.observed)
            columns.append(np.rint(moved) if feature.kind == "count" else moved)
    return np.column_stack(columns)


def largest_deviation(artifact: Artifact, model: ModelProto, rows: Array) -> float:
    """Return how far the graph's probabilities are from the served ones; NaN where one is NaN.

    Parameters
    ----------
    rows : Array of shape (n, n_features)
        The rows, computed by the reference implementation of ONNX.
    """
    evaluator: Any = ReferenceEvaluator(model)
    with np.errstate(all="ignore"):
        (found,) = evaluator.run([PROBABILITIES], {INPUT: rows})
    expected = of_each_class(artifact.predictor().predict_proba(rows))
    return float(np.abs(found - expected).max())


def of_each_class(probabilities: Array) -> Array:
    """Return the probabilities of each class, where of two only the last one's is given too."""
    if probabilities.ndim == 2:
        return probabilities
    return np.column_stack([1.0 - probabilities, probabilities])
