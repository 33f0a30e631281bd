"""A second contract in one file: a list of numbers in, a list of probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from model.inference.predictor import Predictor
from model.schema.classes import predicted_classes
from service.errors import InvalidInput
from service.http.openapi import Example
from service.http.problems import ErrorShape, Kind
from service.protocols.contract import Contract
from service.wire.bodies import read_body


def error(kind: Kind, detail: str, faults: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"error": f"{kind.slug}: {detail}", "faults": len(faults)}


class TinyContract(Contract[Predictor]):
    prefixes = ("/tiny",)
    error_shape = ErrorShape("application/json", error)

    def of_model(self, predictor: Predictor) -> Predictor:
        return predictor

    def examples(self, made: Predictor) -> list[Example]:
        return [Example("tiny", made.predict_proba(made.features.golden_inputs()[:1]).tolist())]

    def router(self, current: Callable[[], Predictor]) -> APIRouter:
        router = APIRouter()

        @router.post("/tiny/rows", responses={200: {"content": {"application/json": {}}}})
        async def tiny(request: Request) -> Response:
            cells = from_json(await read_body(request, self._settings.max_batch_bytes))
            X = np.array(cells, np.float64).reshape(-1, len(self._features))
            if not self._features.rules.accepts(X).all():
                raise InvalidInput("A number is not possible.", [])
            predictor = current()
            probabilities = predictor.predict_proba(X)
            threshold = predictor.threshold
            classes = predicted_classes(probabilities, threshold)
            rules = self._features.rules
            self._meter.predicted(probabilities, classes, rules.unseen(X), rules.missing(X))
            return Response(to_json(probabilities.tolist()), media_type="application/json")

        return router
