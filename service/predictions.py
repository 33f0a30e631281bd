"""The routes that predict."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.bodies import read_json
from service.errors import (
    ContentTooLarge,
    DamagedBody,
    InvalidInput,
    Overloaded,
    TooSlow,
    UnsupportedMediaType,
)
from service.examples import named_examples
from service.models import ServedModel
from service.openapi import answers, json_body
from service.settings import Settings

REFUSALS = (InvalidInput, DamagedBody, ContentTooLarge, UnsupportedMediaType, TooSlow, Overloaded)


def prediction_router(model: ServedModel, settings: Settings) -> APIRouter:
    """Return the routes that answer from the model of the moment."""
    router = APIRouter(tags=["Predictions"])
    examples = named_examples(model.artifact.features)
    batches = {
        name: (summary, {"instances": [record]}) for name, (summary, record) in examples.items()
    }

    @router.post(
        "/predict",
        summary="Predict for one record",
        responses=answers("Prediction", "The prediction", *REFUSALS),
        openapi_extra=json_body("Record", examples),
    )
    async def predict(request: Request) -> Response:
        """Send one record, get the probability and the predicted class.

        Every field is needed, under its name or one of the other names that it is known by;
        coded columns take the code or its name. What is not plausible is refused with every fault
        listed; what is plausible but outside of the data that the model was trained on is
        answered with a warning.
        """
        body = await read_json(request, settings.max_record_bytes)
        return Response(model.scorer.predict(body), media_type="application/json")

    @router.post(
        "/predict/batch",
        summary="Predict for many records",
        responses=answers("BatchPrediction", "The predictions", *REFUSALS),
        openapi_extra=json_body("Batch", batches),
    )
    async def predict_batch(request: Request) -> Response:
        """Send many records, get a prediction for each, in order.

        Each gets the answer that it would get alone. One bad record refuses the whole batch; the
        faults of the first hundred bad ones are listed.
        """
        body = await read_json(request, settings.max_batch_bytes)
        return Response(model.scorer.predict_batch(body), media_type="application/json")

    return router
