"""FastAPI's insides: the only file that imports them."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig

__all__ = ["TelemetryConfig", "route_paths"]


def route_paths(app: FastAPI) -> list[str]:
    """Return the templates of all paths, those of included routers too."""
    return [str(route.path) for route in iter_route_contexts(app.routes)]
