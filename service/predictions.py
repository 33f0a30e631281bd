"""The routes that predict."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from service.bodies import read_json
from service.errors import ContentTooLarge, InvalidInput, UnsupportedMediaType
from service.examples import named_examples
from service.openapi import answers, json_body
from service.scoring import Scorer
from service.settings import Settings

REFUSALS = (InvalidInput, ContentTooLarge, UnsupportedMediaType)


def prediction_router(scorer: Scorer, settings: Settings) -> APIRouter:
    """Return the routes that answer from a scorer."""
    router = APIRouter(tags=["Predictions"])
    examples = named_examples(scorer.predictor.artifact.features)
    batches = {
        name: (summary, {"instances": [record]}) for name, (summary, record) in examples.items()
    }
    _, record = examples["codes"]
    answer = from_json(scorer.predict(to_json(record)))
    batch_answer = from_json(scorer.predict_batch(to_json({"instances": [record]})))

    @router.post(
        "/predict",
        summary="Predict for one patient",
        responses=answers("Prediction", "The prediction", answer, *REFUSALS),
        openapi_extra=json_body("Record", examples),
    )
    async def predict(request: Request) -> Response:
        """Send one patient's values, get the probability of disease and the predicted class.

        Every field is needed, under its name or one of the names that the notebooks use for it;
        coded columns take the code or its name. What is not plausible is refused with every fault
        listed; what is plausible but outside of the data that the model was trained on is
        answered with a warning.
        """
        body = await read_json(request, settings.max_record_bytes)
        return Response(scorer.predict(body), media_type="application/json")

    @router.post(
        "/predict/batch",
        summary="Predict for many patients",
        responses=answers("BatchPrediction", "The predictions", batch_answer, *REFUSALS),
        openapi_extra=json_body("Batch", batches),
    )
    async def predict_batch(request: Request) -> Response:
        """Send many records, get a prediction for each, in order.

        Each gets the answer that it would get alone. One bad record refuses the whole batch; the
        faults of the first hundred bad ones are listed.
        """
        body = await read_json(request, settings.max_batch_bytes)
        return Response(scorer.predict_batch(body), media_type="application/json")

    return router
