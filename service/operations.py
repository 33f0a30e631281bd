"""The routes for those who run the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from model.predictor import Predictor
from service.errors import NotReady
from service.openapi import answers


def operations_router(predictor: Predictor) -> APIRouter:
    """Return the probes and the model card of a predictor."""
    router = APIRouter(tags=["Operations"])
    version = predictor.artifact.version
    card = predictor.artifact.card()

    @router.get(
        "/livez",
        summary="Is the process alive?",
        responses=answers("Alive", "It is", {"status": "alive"}),
    )
    async def livez() -> dict[str, str]:
        """Answer at once: the event loop turns."""
        return {"status": "alive"}

    @router.get(
        "/readyz",
        summary="Can the process predict?",
        responses=answers(
            "Ready", "It can", {"status": "ready", "model_version": version}, NotReady
        ),
    )
    async def readyz() -> dict[str, str]:
        """Compute the model's golden rows once more, and answer 503 if they come out wrong."""
        if not predictor.is_sound():
            raise NotReady("The golden rows do not come out as they must; restart the process.")
        return {"status": "ready", "model_version": version}

    @router.get(
        "/model",
        summary="What model is this?",
        responses=answers("ModelCard", "The model card", card),
    )
    async def model() -> dict[str, Any]:
        """Show what the model is for, what it was trained on, and how good it is."""
        return card

    return router
