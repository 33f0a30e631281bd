"""The deadline of writing: a client that does not read its answers is disconnected."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import socket
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Any

logger = logging.getLogger("heartline.connection")

LEAST_BYTES = 2**14
"""A client that takes fewer between two looks is disconnected."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, on, for no time: the kernel drops what it holds."""


class WriteDeadline:
    """Looks now and then at what a client has taken, while something waits to be sent.

    What waits is counted with what the kernel holds: it asks for more only when a third of its
    buffer is free, which for a slow client takes longer than the deadline.

    Parameters
    ----------
    loop : AbstractEventLoop
        The event loop.
    transport : Transport
        What the answers are written to.
    wire : Transport
        The connection itself: the same, or what TLS writes to.
    seconds : float
        From look to look.
    on_sent : callable
        Called when a look finds everything sent.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        wire: asyncio.Transport,
        seconds: float,
        on_sent: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._wire = wire
        self._seconds = seconds
        self._on_sent = on_sent
        self._timer: asyncio.TimerHandle | None = None
        self._written = self._taken = 0

    def wrote(self, size: int) -> None:
        """Note that bytes were written; look later where they wait."""
        self._written += size
        if self._timer is None and self._wire.get_write_buffer_size():
            self._taken = self._written - self._waiting()
            self._look_later()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_later(self) -> None:
        self._timer = self._loop.call_later(self._seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._wire.get_write_buffer_size():
            self._end_or_go_on()
            return
        before, self._taken = self._taken, self._written - self._waiting()
        if self._taken - before < LEAST_BYTES:
            logger.info("response not read", extra={"seconds": self._seconds})
            self._reset()
        else:
            self._look_later()

    def _reset(self) -> None:
        with suppress(OSError):
            connection = self._wire.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()

    def _end_or_go_on(self) -> None:
        if self._transport.is_closing():
            self._transport.abort()  # TLS would wait for the client to say that it closes too.
        else:
            self._on_sent()

    def _waiting(self) -> int:
        own = self._wire.get_write_buffer_size()
        if self._wire is not self._transport:
            own += self._transport.get_write_buffer_size()
        return own + _held_by_kernel(self._wire.get_extra_info("socket"))


def _held_by_kernel(connection: Any) -> int:
    """Return how many bytes the client's system has not acknowledged, as far as this one says."""
    size = bytes(4)
    with suppress(OSError):
        size = fcntl.ioctl(connection, termios.TIOCOUTQ, size)
    return int(struct.unpack("i", size)[0])
