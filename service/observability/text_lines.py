"""The lines of the log for people: time, level, logger, message, and the other fields by name."""

from __future__ import annotations

import json
import logging
from typing import Any

from service.observability.log_lines import PrivateFormatter, type_name

IN_PLACE = ("level", "logger", "message", "timestamp")
"""Fields that have their own places in a line, without their names."""

TO_THE_MILLISECOND = len("2026-01-01T00:00:00.000")


class TextFormatter(PrivateFormatter):
    """Writes the same fields as `JsonFormatter`, but for those that are null."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record; everything but printable ASCII is escaped."""
        fields = self.fields(record)
        level, name, message, time = (_escaped(str(fields.pop(field))) for field in IN_PLACE)
        others = (
            f"{_escaped(field)}={_value(value)}"
            for field, value in fields.items()
            if value is not None
        )
        start = f"{time[:TO_THE_MILLISECOND]}Z {level:<8} {name}: {message}"
        return " ".join([start, *others])


def _value(value: Any) -> str:
    """Return a text as it is where it is one word, and anything else as JSON."""
    if isinstance(value, str) and _escaped(value) == value and not set(value) & {" ", '"', "="}:
        return value or '""'
    return json.dumps(value, default=type_name, separators=(",", ":"))


def _escaped(text: str) -> str:
    return text if text.isascii() and text.isprintable() else json.dumps(text)[1:-1]
