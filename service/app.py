"""The application: the one place where all of it is put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from operator import attrgetter
from typing import Any

from fastapi import FastAPI
from pydantic_core import from_json
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware

from model.artifact.artifact import Artifact
from model.schema.features import FeatureSet
from service.adapters.fastapi_internals import declared_statuses
from service.http.documents import Document
from service.http.keys import ApiKeys, read_keys
from service.http.middleware.access_log import AccessLogMiddleware
from service.http.middleware.api_key import ApiKeyMiddleware
from service.http.middleware.counting import MetricsMiddleware
from service.http.middleware.head_method import HeadMiddleware
from service.http.middleware.overload import ConnectionLimitMiddleware
from service.http.middleware.request_id import RequestIdMiddleware
from service.http.middleware.security_headers import SecurityHeadersMiddleware
from service.http.openapi import model_document, routes_document
from service.http.operations import operation_examples, operations_router
from service.http.pages.routes import add_pages
from service.http.problems import HANDLED, STATUSES, problem_response
from service.http.route_statuses import answered_statuses
from service.http.served import Served
from service.inference.model_file import ModelFile
from service.inference.reloading import Reload, Reloader, log_reload
from service.inference.served_model import ServedModel
from service.observability.logs import STDOUT, configure_logging
from service.observability.metrics.dropped_lines import LogMeter
from service.observability.metrics.exposition import Exposition
from service.observability.metrics.key_requests import KeyMeter
from service.observability.metrics.model_info import ModelMeter
from service.observability.metrics.predicted_rows import PredictionMeter, cells_of
from service.observability.metrics.registry import Registry
from service.observability.metrics.requests import RequestMeter
from service.observability.metrics.slots import Slots
from service.observability.telemetry import flush, make_tracer_provider, telemetry_config
from service.protocols.contracts import CONTRACTS, Contracts, Kinds, current
from service.protocols.native.fast_path import FastPath
from service.protocols.native.native import NativeContract
from service.protocols.native.schemas import SHARED_SCHEMAS
from service.settings import Settings, read_settings
from service.wire.sizes import longest_record

TAGS = [
    {"name": "Predictions", "description": "Send records, and get probabilities and classes."},
    {"name": "Operations", "description": "For operators of the service."},
]

CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST"],
    "allow_headers": ["Authorization", "Content-Type", "Traceparent", "X-Request-ID"],
    "expose_headers": ["X-Request-ID"],
}
"""What a web page of another origin may send and read; no cookies, for there are none."""


def create_app(
    settings: Settings | None = None,
    file: ModelFile | None = None,
    slots: Slots | None = None,
    contracts: Kinds = CONTRACTS,
) -> FastAPI:
    """Return the application that serves the artifact of the settings.

    Parameters
    ----------
    settings : Settings, optional
        Those of the environment if left out.
    file : ModelFile, optional
        That of the settings, where it has been read already.
    slots : Slots, optional
        Where workers count together; this application counts alone if left out.
    contracts : sequence of Contract types
        What the application speaks; Heartline's own is one of them.

    Raises
    ------
    ArtifactError
        When the artifact fails a check.
    SettingsError
        When a setting of the environment cannot be used.
    UnservableError
        When the model does not answer the example in every form.
    """
    settings = settings or read_settings()
    file = file or ModelFile(settings)
    settings = _fitted(settings, file.artifact.features)
    keys = read_keys(settings)
    spans = make_tracer_provider(settings)
    registry = Registry(slots or Slots(cells_of(file.artifact)))
    key_meter = KeyMeter(registry, keys.names if keys else ())
    model_meter = ModelMeter(registry)
    meter = PredictionMeter(registry, file.artifact)
    spoken = Contracts(contracts, settings, file.artifact.features, meter)

    def make(artifact: Artifact) -> Served:
        predictor = artifact.predictor()
        made = spoken.of_model(predictor)
        examples = [*operation_examples(artifact), *spoken.examples(made)]
        document = model_document(of_the_routes, artifact, examples)
        served = Served(predictor, Document(artifact.card()), Document(document), made)
        model_meter.serves(artifact)
        return served

    model = ServedModel(make)
    reloader = Reloader(
        file, model.use, settings.reload_seconds, partial(_report_reload, model_meter)
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        configure_logging(settings.log_level, settings.log_format)
        STDOUT.count_drops(log_meter.dropped)
        with reloader:
            yield
        if spans:
            flush(spans)
        registry.leave()

    app = FastAPI(
        title="Heartline",
        version=version("heartline"),
        contact={"name": "The Heartline maintainers"},
        servers=[{"url": "/", "description": "Where this document comes from"}],
        openapi_tags=TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=attrgetter("name"),
        telemetry=telemetry_config(spans),
        lifespan=lifespan,
        middleware=_middleware(keys, key_meter, settings.cors_origins),
        exception_handlers=dict.fromkeys(HANDLED, problem_response),
    )
    app.state.reloader = reloader
    app.state.is_draining = False
    app.state.error_shapes = spoken.error_shapes
    app.state.count_faults = meter.refused
    app.include_router(spoken.router(model))
    app.include_router(operations_router(model, Exposition(registry)))
    add_pages(app, model)
    schemas = SHARED_SCHEMAS | spoken.schemas(file.artifact)
    of_the_routes = routes_document(app, schemas, needs_keys=keys is not None)
    model.use(file.artifact)
    app.openapi = lambda: from_json(model.current.openapi.body)  # type: ignore[method-assign]
    statuses = answered_statuses(
        declared_statuses(app), needs_keys=keys is not None, has_cors=bool(settings.cors_origins)
    )
    request_meter = RequestMeter(registry, statuses, STATUSES)
    log_meter = LogMeter(registry)
    app.add_middleware(MetricsMiddleware, meter=request_meter)
    adds_to_every_answer = spans or settings.cors_origins
    scorer = current(model, NativeContract)
    app.state.fast_path = (
        None
        if adds_to_every_answer
        else FastPath(scorer, meter, request_meter, keys, key_meter, settings.max_record_bytes)
    )
    return app


def try_model(settings: Settings, file: ModelFile) -> None:
    """Make an application and drop it again: it answers the example in every form first.

    Raises
    ------
    UnservableError
        When the model of the file does not work.
    """
    create_app(settings.model_copy(update={"tracing": False}), file)


def _report_reload(meter: ModelMeter, reload: Reload) -> None:
    if reload.outcome != "unchanged":
        meter.reloaded(reload.outcome)
    log_reload(reload)


def _fitted(settings: Settings, features: FeatureSet) -> Settings:
    """Return settings whose limit of a record, where nothing sets it, lets the longest one in."""
    if "max_record_bytes" in settings.model_fields_set:
        return settings
    most = max(settings.max_record_bytes, longest_record(features))
    return settings.model_copy(update={"max_record_bytes": most})


def _middleware(
    keys: ApiKeys | None, key_meter: KeyMeter, origins: Sequence[str] | None
) -> list[Middleware]:
    """Return what every request passes through, outermost first."""
    guards = [Middleware(ApiKeyMiddleware, keys=keys, meter=key_meter)] if keys else []
    return [
        Middleware(RequestIdMiddleware),
        Middleware(SecurityHeadersMiddleware),
        Middleware(AccessLogMiddleware),
        Middleware(ConnectionLimitMiddleware),
        *([Middleware(CORSMiddleware, allow_origins=origins, **CORS)] if origins else []),
        *guards,
        Middleware(HeadMiddleware),
        # FastAPI has one around all of this too; here it answers a crash inside of what the
        # others do to every answer.
        Middleware(ServerErrorMiddleware, handler=problem_response),
    ]
