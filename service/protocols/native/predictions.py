"""The routes that predict."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from model.schema.features import FeatureSet
from service.errors import (
    ContentTooLarge,
    DamagedBody,
    InvalidInput,
    Overloaded,
    TooSlow,
    UnsupportedMediaType,
)
from service.http.openapi import answers, batch_answers, batch_body, json_body
from service.inference.served_model import ServedModel
from service.protocols.native.batches import Batches
from service.protocols.native.examples import named_examples
from service.settings import Settings
from service.wire.bodies import JSON, check_media_type, read_body

REFUSALS = (InvalidInput, DamagedBody, ContentTooLarge, UnsupportedMediaType, TooSlow, Overloaded)


def prediction_router(model: ServedModel, settings: Settings, features: FeatureSet) -> APIRouter:
    """Return the routes that answer from the model of the moment."""
    router = APIRouter(tags=["Predictions"])
    batches = Batches(model, settings)
    examples = named_examples(features)

    @router.post(
        "/predict",
        summary="Predict for one record",
        responses=answers("Prediction", "The prediction", *REFUSALS),
        openapi_extra=json_body(examples, "Record"),
    )
    async def predict(request: Request) -> Response:
        """Send one record, get the probability and the predicted class.

        Every field is needed, under its name or one of the other names that it is known by;
        coded columns take the code or its name. What is not plausible is refused with every fault
        listed; what is plausible but outside of the data that the model was trained on is
        answered with a warning.
        """
        check_media_type(request, JSON)
        body = await read_body(request, settings.max_record_bytes)
        return Response(model.scorer.predict(body), media_type="application/json")

    @router.post(
        "/predict/batch",
        summary="Predict for many records",
        responses=batch_answers(*REFUSALS),
        openapi_extra=batch_body(examples),
    )
    async def predict_batch(request: Request) -> Response:
        """Send many records, get a prediction for each, in order.

        Each gets the answer that it would get alone. One bad record refuses the whole batch; the
        faults of the first hundred bad ones are listed. A table, with the names of the columns
        once and the values in rows, is a fifth of the size, and is answered by a table.

        Rows of CSV or NDJSON are answered in the same format, with their `id` where they have one.
        With `on_error=report` each is answered as it comes, in a stream of any length, a bad one
        with its faults: read while you send.
        """
        return await batches.answer(request)

    return router
