"""What a contract is: the routes, the bodies and the errors of one way to ask for predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from fastapi import APIRouter

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from model.schema.features import FeatureSet
from service.http.openapi import Example
from service.http.problems import ErrorShape
from service.observability.metrics.predicted_rows import PredictionMeter
from service.settings import Settings

T = TypeVar("T")


class Contract(ABC, Generic[T]):
    """One protocol of the service. `contracts.py` names all of them.

    Parameters
    ----------
    settings : Settings
        The limits.
    features : FeatureSet
        The fields of a record; those of every model that is served in turn.
    meter : PredictionMeter
        Counts what is answered and refused.
    """

    prefixes: ClassVar[tuple[str, ...]]
    """What the paths of the contract begin with."""

    error_shape: ClassVar[ErrorShape]
    """The form of every error on those paths."""

    def __init__(self, settings: Settings, features: FeatureSet, meter: PredictionMeter) -> None:
        self._settings = settings
        self._features = features
        self._meter = meter

    @abstractmethod
    def of_model(self, predictor: Predictor) -> T:
        """Make what answers by one model, and try it.

        Raises
        ------
        Exception
            When the model does not work; then it is not served.
        """

    @abstractmethod
    def router(self, current: Callable[[], T]) -> APIRouter:
        """Return the routes; `current` returns the result of `of_model` for the served model."""

    def schemas(self, artifact: Artifact) -> dict[str, Any]:  # noqa: ARG002
        """Return the types that the routes refer to, by their names in the OpenAPI document."""
        return {}

    def examples(self, made: T) -> list[Example]:  # noqa: ARG002
        """Return what the operations answer; nothing is counted."""
        return []
