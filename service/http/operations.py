"""The routes for operators of the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from model.artifact.artifact import Artifact
from service.errors import NotReady
from service.http.openapi import Example, answers, text_answers
from service.http.served import Served
from service.inference.served_model import ServedModel
from service.observability.metrics.exposition import MEDIA_TYPE, Exposition

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The card still has the entity tag that `If-None-Match` names"}
}
STOPPING = "The process is stopping; send requests to another replica."


def operations_router(model: ServedModel[Served], exposition: Exposition) -> APIRouter:
    """Return the probes, the card of the served model, and the metrics."""
    router = APIRouter(tags=["Operations"])

    @router.get(
        "/livez",
        name="check_liveness",
        summary="Liveness probe",
        responses=answers("Alive", "The process is alive"),
    )
    async def livez() -> dict[str, str]:
        """Respond at once: the event loop runs."""
        return {"status": "alive"}

    @router.get(
        "/readyz",
        name="check_readiness",
        summary="Readiness probe",
        responses=answers("Ready", "The process is ready", NotReady(STOPPING)),
    )
    async def readyz(request: Request) -> dict[str, str]:
        """Compute the golden rows of the model again.

        The status is 503 if the results are wrong, or while the process is about to stop.
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
        """Get the counts of all workers since the service started."""
        return Response(exposition.text(), media_type=MEDIA_TYPE)

    @router.get(
        "/model",
        name="get_model",
        summary="Model card",
        responses=answers("ModelCard", "The model card") | NOT_MODIFIED,
    )
    async def model_card(request: Request) -> Response:
        """Get the use, the data, the metrics and the features of the model.

        The response has an `ETag`: with the same tag in `If-None-Match`, the status is 304.
        """
        return model.current.card.answer(request)

    return router


def operation_examples(artifact: Artifact) -> list[Example]:
    """Return examples of the responses of these operations."""
    return [
        Example("check_liveness", {"status": "alive"}),
        Example("check_readiness", {"status": "ready", "model_version": artifact.version}),
        Example("get_model", artifact.card()),
    ]
