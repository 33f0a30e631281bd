"""Metrics of the model: which one is served, and whether it was replaced."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from model.artifact.artifact import Artifact
from service.observability.metrics.registry import Registry

Reload: TypeAlias = Literal["swapped", "refused"]


class ModelMeter:
    """Exposes the model that this worker serves.

    Parameters
    ----------
    registry : Registry
        Where the numbers go.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._reloads = registry.counter(
            "heartline_model_reloads_total",
            "New model files found while serving, by result; each worker counts its own.",
            {"result": get_args(Reload)},
        ).places

    def serves(self, artifact: Artifact) -> None:
        """Say which model answers from now on."""
        self._registry.serves(artifact.name, artifact.version)

    def reloaded(self, result: Reload) -> None:
        """Count a new artifact."""
        self._registry.cells[self._reloads[(result,)]] += 1
