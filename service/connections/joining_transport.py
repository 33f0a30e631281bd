"""Writing: the head and the body of an answer in one call of the system."""

from __future__ import annotations

from asyncio import Transport
from collections.abc import Callable
from typing import Any

HEAD = b"HTTP/1.1 "
CONTINUE = b"HTTP/1.1 100 "
IN_CHUNKS = b"\r\ntransfer-encoding: chunked\r\n"


class JoiningTransport:
    """Holds the head of an answer, and the body that follows, until they are to be sent together.

    uvicorn writes head and body one after the other, and each would be a call of the system, which
    costs as much as a prediction. What comes in chunks, or goes on after that, is not held.

    Parameters
    ----------
    transport : Transport
        Where it goes; it is asked for everything else.
    wire : Transport
        The connection itself: the same, or what TLS writes to.
    on_write : callable
        Called with the number of bytes after each call of `transport`.
    """

    def __init__(
        self, transport: Transport, wire: Transport, on_write: Callable[[int], None]
    ) -> None:
        self._transport = transport
        self._wire = wire
        self._on_write = on_write
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Hold a head, and one body after it; write what comes then."""
        if len(self._held) == 1 or (not self._held and _is_head_of_a_whole(data)):
            self._held.append(data)
        else:
            self.write_whole(data)

    def write_whole(self, data: bytes) -> None:
        """Write an answer that is in one piece already."""
        if self._held:
            self.flush()
        self._send(data)

    def flush(self) -> None:
        """Write what is held."""
        if self._held:
            held = b"".join(self._held)
            self._held.clear()
            self._send(held)

    def is_closing(self) -> bool:
        """Return whether it is closed, or about to be; asked with each request."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close when all has been written."""
        self.flush()
        self._transport.close()
        if self._wire is not self._transport and not self._transport.get_write_buffer_size():
            self._wire.close()  # TLS would wait for the client to say that it closes too.

    def _send(self, data: bytes) -> None:
        if not self._transport.is_closing():  # TLS logs a warning for each write after the end
            self._transport.write(data)
            self._on_write(len(data))


def _is_head_of_a_whole(data: bytes) -> bool:
    return data.startswith(HEAD) and not data.startswith(CONTINUE) and IN_CHUNKS not in data
