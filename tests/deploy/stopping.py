"""How long a stop may take, by the settings and the service's own constants."""

from __future__ import annotations

from collections.abc import Mapping

from service.observability import log_writer, telemetry
from service.server.supervisor import LAST_CALL_SECONDS
from service.settings import Settings


def seconds_to_stop(variables: Mapping[str, str]) -> float:
    """Return the longest time from SIGTERM to the end of the process, or of the parent."""
    last_writes = log_writer.FLUSH_SECONDS + telemetry.FLUSH_SECONDS
    finish = _seconds(variables, "finish_seconds")
    return seconds_to_drain(variables) + LAST_CALL_SECONDS + finish + last_writes


def seconds_to_drain(variables: Mapping[str, str]) -> float:
    """Return how long new requests are answered after SIGTERM."""
    return _seconds(variables, "drain_seconds")


def _seconds(variables: Mapping[str, str], name: str) -> float:
    default = Settings.model_fields[name].default
    return float(variables.get(f"HEARTLINE_{name.upper()}", default))
