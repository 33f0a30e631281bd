"""Quiet: what libraries in other languages print of a file that they cannot read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_output_discarded() -> Iterator[None]:
    """Discard all that is written to standard error, but for what Python writes.

    A panic of Polars is reported there in many lines, and those may hold values of the file.
    """
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    stream, sys.stderr = sys.stderr, os.fdopen(os.dup(2), "w", buffering=1, errors="replace")
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        sys.stderr.close()
        sys.stderr = stream
        os.close(kept)
        os.close(null)
