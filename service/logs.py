"""The log: one JSON object a line, on standard output."""

import logging.config
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any

import msgspec
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)


class PrivateJsonFormatter(JsonFormatter):
    """Tells the request, and of an exception its type and the way it came, never its text.

    The text of an exception may quote what a client sent.
    """

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        log_data["timestamp"] = log_data["timestamp"].isoformat()
        if request_id := current_request_id.get():
            log_data["request_id"] = request_id
        return log_data

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Return the line, escaped by the library where it is not all plain to see."""
        try:
            line = msgspec.json.encode(log_data).decode()
        except (TypeError, ValueError):  # a lone surrogate is none of UTF-8
            return super().jsonify_log_record(log_data)
        plain = line.isascii() and line.isprintable()
        return line if plain else super().jsonify_log_record(log_data)

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802
        return "; caused by ".join(_way(exception) for exception in _chain(ei[1]))


def configure_logging(level: str) -> None:
    """Make all loggers of the process write such lines, at this level and above.

    uvicorn's own access log is silenced: it tells paths with all that a client wrote in them.
    """
    logging.config.dictConfig(_config(level))
    # What no line tells need not be found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _config(level: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": PrivateJsonFormatter,
                "fmt": ["levelname", "name", "message"],
                "rename_fields": {"levelname": "level", "name": "logger"},
                "timestamp": True,
                # uvicorn adds its messages once more, coloured.
                "reserved_attrs": [*RESERVED_ATTRS, "taskName", "color_message"],
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stdout",
            }
        },
        "loggers": {
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
        "root": {"handlers": ["stdout"], "level": level.upper()},
    }


def _chain(exception: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen:
        seen.add(id(exception))
        yield exception
        exception = exception.__cause__ or exception.__context__


def _way(exception: BaseException) -> str:
    frames = traceback.extract_tb(exception.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return f"{type(exception).__qualname__} at {', '.join(places)}"
