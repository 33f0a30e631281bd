"""The contracts that the service speaks, and what an application does with all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from fastapi import APIRouter

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from model.schema.features import FeatureSet
from service.http.openapi import Example
from service.http.problems import ErrorShape
from service.http.served import Served
from service.inference.served_model import ServedModel
from service.observability.metrics.predicted_rows import PredictionMeter
from service.protocols.contract import Contract
from service.protocols.native.native import NativeContract
from service.settings import Settings

T = TypeVar("T")
Kinds: TypeAlias = Sequence[type[Contract[Any]]]

CONTRACTS: Kinds = (NativeContract,)


class Contracts:
    """The contracts of one application.

    Parameters
    ----------
    kinds : sequence of Contract types
        Which ones.
    settings, features, meter
        As for each of them.
    """

    def __init__(
        self, kinds: Kinds, settings: Settings, features: FeatureSet, meter: PredictionMeter
    ) -> None:
        self._all = [kind(settings, features, meter) for kind in kinds]

    @property
    def error_shapes(self) -> dict[str, ErrorShape]:
        """The form of errors by what a path begins with."""
        return {prefix: one.error_shape for one in self._all for prefix in one.prefixes}

    def of_model(self, predictor: Predictor) -> dict[type[Contract[Any]], Any]:
        """Return what each contract makes of a model."""
        return {type(one): one.of_model(predictor) for one in self._all}

    def router(self, model: ServedModel[Served]) -> APIRouter:
        """Return all routes, which use the served model."""
        routes = APIRouter()
        for one in self._all:
            routes.include_router(one.router(current(model, type(one))))
        return routes

    def schemas(self, artifact: Artifact) -> dict[str, Any]:
        """Return the types of all contracts by their names in the OpenAPI document."""
        return {name: shown for one in self._all for name, shown in one.schemas(artifact).items()}

    def examples(self, made: dict[type[Contract[Any]], Any]) -> list[Example]:
        """Return what the operations of all contracts answer."""
        return [shown for one in self._all for shown in one.examples(made[type(one)])]


def current(model: ServedModel[Served], kind: type[Contract[T]]) -> Callable[[], T]:
    """Return a function that returns what a contract has made of the served model."""
    return partial(_made_by, model, kind)


def _made_by(model: ServedModel[Served], kind: type[Contract[T]]) -> T:
    made: T = model.current.contracts[kind]
    return made
