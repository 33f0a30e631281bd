"""The lines of the log: one JSON object each."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from time import gmtime, strftime
from types import TracebackType
from typing import Any

ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)

current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)

NOT_EXTRA = {
    *logging.makeLogRecord({}).__dict__,
    "message",
    "asctime",
    "taskName",
    "color_message",  # uvicorn's messages once more, with colours
}
"""The attributes of a record that are not fields of the line, or are fields by another name."""


class PrivateFormatter(logging.Formatter):
    """Collects the fields of a line; of an exception its type and where it was raised.

    The text of an exception may quote what a client sent.
    """

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields of a record, in the order in which they are written."""
        extra = {name: value for name, value in vars(record).items() if name not in NOT_EXTRA}
        line = {
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **({"exc_info": self.formatException(record.exc_info)} if record.exc_info else {}),
            **({"stack_info": record.stack_info} if record.stack_info else {}),
            **extra,
            "timestamp": timestamp(record.created),
        }
        if request_id := current_request_id.get():
            line["request_id"] = request_id
        return line

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802
        return "; caused by ".join(_way(exception) for exception in _chain(ei[1]))


class JsonFormatter(PrivateFormatter):
    """Writes a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record; everything but printable ASCII is escaped."""
        return json.dumps(self.fields(record), default=type_name, separators=(",", ":"))


def timestamp(seconds: float) -> str:
    """Return a time since the epoch as ISO 8601 in UTC, with microseconds."""
    second, microseconds = divmod(int(seconds * 1_000_000), 1_000_000)
    return f"{_start(second)}.{microseconds:06d}+00:00"


@lru_cache(1)
def _start(second: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))


def type_name(value: Any) -> str:
    """Return the replacement of a value that JSON does not support."""
    return type(value).__qualname__


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
