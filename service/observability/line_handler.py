"""The handler of the log: collects lines, and has them written together."""

from __future__ import annotations

import asyncio
import logging

from service.observability.log_writer import LineWriter


class LineHandler(logging.Handler):
    """Collects the lines of one turn of the event loop, and writes them together.

    A call of the system for each line would cost as much as a prediction. A process that is killed
    loses the lines of one turn. A line that may explain why the process ends is written at once.

    Parameters
    ----------
    writer : LineWriter
        What writes them.
    """

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer
        self._held: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None  # it will write what is held

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode()
        except Exception:  # noqa: BLE001  # as the library's own handlers do
            self.handleError(record)
            return
        self.add(line, is_urgent=record.levelno >= logging.WARNING)

    def add(self, *lines: bytes, is_urgent: bool = False) -> None:
        """Write lines in their order; at the end of the turn, unless they are urgent."""
        with self.lock:  # type: ignore[union-attr]  # every handler has one
            self._held += filter(self._writer.fits, lines)
            if self._held and (is_urgent or not self._schedules_write()):
                self._write_held()

    def flush(self) -> None:
        """Wait until all is written, but not for long."""
        self._write_held()
        self._writer.flush()

    def _schedules_write(self) -> bool:
        """Return whether the event loop of this thread, or one before, will write what is held."""
        if self._loop and not self._loop.is_closed():
            return True
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        self._loop.call_soon(self._write_held)
        return True

    def _write_held(self) -> None:
        with self.lock:  # type: ignore[union-attr]  # every handler has one
            held, self._held, self._loop = self._held, [], None
            if held:
                self._writer.write_now(held)
