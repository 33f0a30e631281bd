"""The routes for those who run the service."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from model.artifact.artifact import Artifact
from service.errors import NotReady
from service.http.openapi import Example, answers, text_answers
from service.http.served import Served
from service.inference.served_model import ServedModel
from service.observability.metrics.exposition import MEDIA_TYPE, Exposition

STOPPING = "The process is stopping; send requests to another replica."


def operations_router(model: ServedModel[Served], exposition: Exposition) -> APIRouter:
    """Return the probes, the card of the model of the moment, and the metrics."""
    router = APIRouter(tags=["Operations"])

    @router.get(
        "/livez",
        name="check_liveness",
        summary="Liveness probe",
        responses=answers("Alive", "It is"),
    )
    async def livez() -> dict[str, str]:
        """Answer at once: the event loop turns."""
        return {"status": "alive"}

    @router.get(
        "/readyz",
        name="check_readiness",
        summary="Readiness probe",
        responses=answers("Ready", "It can", NotReady(STOPPING)),
    )
    async def readyz(request: Request) -> dict[str, str]:
        """Compute the model's golden rows once more.

        Answer 503 if they come out wrong, or while the process is about to stop.
        """
        if request.app.state.is_draining:
            raise NotReady(STOPPING)
        predictor = model.current.predictor
        if not predictor.is_sound():
            raise NotReady("The golden rows are computed incorrectly; restart the process.")
        return {"status": "ready", "model_version": predictor.version}

    @router.get(
        "/metrics",
        name="get_metrics",
        summary="Metrics",
        response_class=Response,
        responses=text_answers("Metrics in Prometheus's text format"),
    )
    async def metrics() -> Response:
        """Tell what all workers have counted since the service started."""
        return Response(exposition.text(), media_type=MEDIA_TYPE)

    @router.get(
        "/model",
        name="get_model",
        summary="Model card",
        responses=answers("ModelCard", "The model card"),
    )
    async def model_card(request: Request) -> Response:
        """Show what the model is for, what it was trained on, and how good it is."""
        return model.current.card.answer(request)

    return router


def operation_examples(artifact: Artifact) -> list[Example]:
    """Return what these operations answer."""
    return [
        Example("check_liveness", {"status": "alive"}),
        Example("check_readiness", {"status": "ready", "model_version": artifact.version}),
        Example("get_model", artifact.card()),
    ]
