"""Standard input, output and error: there from the start, and never the reason for a traceback."""

from __future__ import annotations

import os


def fill_missing() -> None:
    """Open the null device for each standard descriptor that is closed.

    The next file or socket would otherwise get its number: a socket as standard output receives
    the log, and libuv aborts the process when it is to close such a descriptor.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003


def discard_output() -> None:
    """Discard what is still buffered: it cannot be written, and the exit would fail at it."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
