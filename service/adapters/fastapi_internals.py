"""FastAPI's insides: the only file that imports them."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig

__all__ = ["TelemetryConfig", "declared_statuses"]


def declared_statuses(app: FastAPI) -> dict[str, set[int]]:
    """Return the templates of all paths, those of included routers too, with their statuses."""
    return {
        str(route.path): {route.status_code or 200, *map(int, route.responses)}
        for route in iter_route_contexts(app.routes)
    }
