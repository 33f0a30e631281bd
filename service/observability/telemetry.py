"""FastAPI's telemetry: spans where the settings ask for them, its metrics and logs never."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from service.adapters.fastapi_internals import TelemetryConfig
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

FLUSH_SECONDS = 3.0
"""So long a service that stops waits for the collector."""


def make_tracer_provider(settings: Settings) -> TracerProvider | None:
    """Return what sends spans, or None where there are to be none.

    Raises
    ------
    SettingsError
        When the parts for it are not installed, or their own variables cannot be used.
    """
    if not settings.tracing:
        return None
    try:
        from service.observability.tracing import tracer_provider
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"HEARTLINE_TRACING: it needs {error.name}: in the checkout, scripts/install tracing "
            "or pip install '.[tracing]'"
        ) from None
    try:
        return tracer_provider()
    except ValueError as error:
        raise SettingsError(
            f"HEARTLINE_TRACING: a variable of OpenTelemetry cannot be used: {error}"
        ) from None


def telemetry_config(provider: TracerProvider | None) -> TelemetryConfig:
    """Return the configuration for FastAPI.

    All is said, for FastAPI would start by itself as soon as any library sets up a global
    provider. Its logs contain the texts of exceptions, which may quote what a client sent.
    """
    return {
        "tracing": provider is not None,
        "tracer_provider": provider,
        "operation_spans": False,
        "metrics": False,
        "logs": False,
        "auto_configure": False,
    }


def flush(provider: TracerProvider) -> None:
    """Send the last spans; a collector that does not answer is not waited for."""
    flushing = Thread(target=provider.shutdown, daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS)
