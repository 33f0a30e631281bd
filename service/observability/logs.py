"""The log: one line an event, on standard output."""

from __future__ import annotations

import logging.config
import os
import warnings
from typing import Any, TextIO

from service.observability.line_handler import LineHandler
from service.observability.log_lines import JsonFormatter
from service.observability.log_writer import LineWriter
from service.observability.text_lines import TextFormatter
from service.settings import LogFormat

logger = logging.getLogger("heartline.log")


def _drop_notice(number: int) -> bytes:
    """Return the line that says how many were dropped, whatever the level is."""
    message = "log lines were dropped: they could not be written in time"
    record = logger.makeRecord(
        logger.name, logging.ERROR, __file__, 0, message, (), None, extra={"lines": number}
    )
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    formatter = next((one for one in formatters if isinstance(one, TextFormatter)), JsonFormatter())
    return f"{formatter.format(record)}\n".encode()


STDOUT = LineWriter(1, _drop_notice)
"""Standard output, which a process has once."""


def configure_logging(level: str, form: LogFormat = "auto") -> None:
    """Make all loggers of the process write such lines, at this level and above.

    uvicorn's own access log is off: it contains paths with everything that a client wrote in them.

    Parameters
    ----------
    level : str
        Minimum level.
    form : {"auto", "json", "text"}
        How a line is written; `auto`: as text to a terminal, as JSON to anything else.
    """
    is_text = form == "text" or (form == "auto" and os.isatty(1))
    logging.config.dictConfig(_config(level, TextFormatter if is_text else JsonFormatter))
    warnings.showwarning = _log_warning
    # Values that no line contains are not computed.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def flush_log() -> None:
    """Wait until all lines are written, but not for long."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def only_json_handler() -> LineHandler | None:
    """Return the handler that all lines go to as JSON; None where there is another, or none."""
    match logging.getLogger().handlers:
        case [LineHandler(formatter=JsonFormatter()) as handler]:
            return handler
    return None


def _config(level: str, formatter: type[logging.Formatter]) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {
            "stdout": {
                "()": LineHandler,
                "formatter": "line",
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
