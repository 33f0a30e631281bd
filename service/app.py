"""The application: the one place where all of it is put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from operator import attrgetter

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware

from model.artifact import Artifact
from model.predictor import Predictor
from service.logs import configure_logging
from service.middleware.access_log import AccessLogMiddleware
from service.middleware.request_id import RequestIdMiddleware
from service.openapi import add_components
from service.operations import operations_router
from service.pages.routes import add_pages
from service.predictions import prediction_router
from service.problems import HANDLED, problem_response
from service.schemas import component_types
from service.scoring import Scorer
from service.settings import Settings, read_settings

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
"""FastAPI would start to trace by itself as soon as any library sets up a global provider."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application that serves the artifact of the settings.

    Parameters
    ----------
    settings : Settings, optional
        Those of the environment if left out.

    Raises
    ------
    ArtifactError
        When the artifact fails a check.
    SettingsError
        When a setting of the environment cannot be used.
    """
    settings = settings or read_settings()
    artifact = Artifact.load(settings.artifact, settings.artifact_sha256)
    predictor = Predictor(artifact)
    scorer = Scorer(predictor, settings.max_batch_rows)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        configure_logging(settings.log_level)
        yield

    app = FastAPI(
        title="Heartline",
        summary=f"The model {artifact.name}, version {artifact.version}",
        description=f"{artifact.about['intended_use']} Not for: {artifact.about['not_for']}",
        version=version("heartline"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=attrgetter("name"),
        telemetry=NO_TELEMETRY,
        lifespan=lifespan,
        middleware=[Middleware(RequestIdMiddleware), Middleware(AccessLogMiddleware)],
        exception_handlers=dict.fromkeys(HANDLED, problem_response),
    )
    app.include_router(prediction_router(scorer, settings))
    app.include_router(operations_router(predictor))
    add_pages(app)
    add_components(app, component_types(artifact, settings.max_batch_rows))
    return app
