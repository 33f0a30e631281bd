"""A terminal, and what is shown on it."""

from __future__ import annotations

import os
from contextlib import suppress


def read_all(terminal: int) -> str:
    """Return what is shown until nothing has the terminal open for writing."""
    shown = b""
    with suppress(OSError):  # Linux ends a terminal so.
        while part := os.read(terminal, 65_536):
            shown += part
    os.close(terminal)
    return shown.decode()
