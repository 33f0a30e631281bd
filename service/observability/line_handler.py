"""The handler of the log: collects lines, and has them written together."""

from __future__ import annotations

import asyncio
import logging

from service.observability.log_writer import LineWriter


class LineHandler(logging.Handler):
    """Hands lines to a writer, those of one turn of the event loop together.

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
        self._loop: asyncio.AbstractEventLoop | None = None  # it will hand over what is held

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode()
        except Exception:  # noqa: BLE001  # as the library's own handlers do
            self.handleError(record)
            return
        self.add(line, is_urgent=record.levelno >= logging.WARNING)

    def add(self, line: bytes, *, is_urgent: bool = False) -> None:
        """Write a line in its order; at the end of the turn, unless it is urgent."""
        with self.lock:  # type: ignore[union-attr]  # every handler has one
            if self._writer.fits(line):
                self._held.append(line)
                if is_urgent or not self._is_to_be_called():
                    self._hand_over()

    def flush(self) -> None:
        """Wait until all is written, but not for long."""
        self._hand_over()
        self._writer.flush()

    def _is_to_be_called(self) -> bool:
        """Let the event loop hand over what is held, if this thread has one or another one will."""
        if self._loop and not self._loop.is_closed():
            return True
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        self._loop.call_soon(self._hand_over)
        return True

    def _hand_over(self) -> None:
        with self.lock:  # type: ignore[union-attr]  # every handler has one
            held, self._held, self._loop = self._held, [], None
            if held:
                self._writer.write_now(held)
