"""The log: one JSON object a line, on standard output."""

from __future__ import annotations

import asyncio
import logging.config
import traceback
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TextIO

import msgspec
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from service.observability.log_writer import LineWriter

logger = logging.getLogger("heartline.log")

HOLD_SECONDS = 0.005
"""How long the lines of requests are collected; a process that is killed loses what it holds."""

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


class LineHandler(logging.Handler):
    """Hands lines to a writer; those of requests together, for each call wakes its thread.

    A line that may explain why the process ends is handed over at once.

    Parameters
    ----------
    writer : LineWriter
        What writes them.
    """

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer
        self._held: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # it will hand over what is held

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode()
        except Exception:  # noqa: BLE001  # as the library's own handlers do
            self.handleError(record)
            return
        if self._writer.fits(line):
            self._held.append(line)
            if record.levelno >= logging.WARNING or not self._is_to_be_called():
                self._hand_over()

    def flush(self) -> None:
        """Wait until all is written, but not for long."""
        self._hand_over()
        self._writer.flush()

    def _is_to_be_called(self) -> bool:
        """Let the event loop of this thread, if it has one, hand over what is held."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if loop is not self._loop:
            self._loop = loop
            loop.call_later(HOLD_SECONDS, self._hand_over)
        return True

    def _hand_over(self) -> None:
        with self.lock:  # type: ignore[union-attr]  # every handler has one
            held, self._held, self._loop = self._held, [], None
            if held:
                self._writer.write(held)


def _formatter() -> PrivateJsonFormatter:
    return PrivateJsonFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp=True,
        # uvicorn adds its messages once more, coloured.
        reserved_attrs=[*RESERVED_ATTRS, "taskName", "color_message"],
    )


def _drop_notice(number: int) -> bytes:
    """Return the line that says how many were dropped, whatever the level is."""
    message = "log lines were dropped: they could not be written in time"
    record = logger.makeRecord(
        logger.name, logging.ERROR, __file__, 0, message, (), None, extra={"lines": number}
    )
    return f"{_formatter().format(record)}\n".encode()


STDOUT = LineWriter(1, _drop_notice)
"""Standard output, which a process has once."""


def configure_logging(level: str) -> None:
    """Make all loggers of the process write such lines, at this level and above.

    uvicorn's own access log is silenced: it tells paths with all that a client wrote in them.
    """
    logging.config.dictConfig(_config(level))
    warnings.showwarning = _log_warning
    # What no line tells need not be found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def flush_log() -> None:
    """Wait until all lines are written, but not for long."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def _config(level: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": _formatter}},
        "handlers": {
            "stdout": {
                "()": LineHandler,
                "formatter": "json",
                "writer": STDOUT,
            }
        },
        "loggers": {
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
        "root": {"handlers": ["stdout"], "level": level.upper()},
    }


def _log_warning(
    message: Warning | str,  # noqa: ARG001
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Log a warning of Python's; its text may quote what a client sent."""
    logger.warning("%s at %s:%d", category.__qualname__, filename, lineno)


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
