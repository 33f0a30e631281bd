"""TLS handshakes: connections that count from their first packet on, not from the last."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, cast

from service.adapters.uvicorn_internals import ServerState
from service.connections.connection import LimitedProtocol
from service.connections.connection_limit import ConnectionLimit, Place


class Handshake(asyncio.Protocol):
    """Hands a connection on to the protocol of HTTP when the client has agreed on TLS.

    The event loop's own TLS reports a connection only when its handshake is done.

    Parameters
    ----------
    make_protocol : callable
        Makes the protocol of HTTP.
    context : SSLContext
        The service's side of TLS.
    limit : ConnectionLimit
        That of all connections of the process.
    seconds : float
        Longest time for the handshake.
    server_state : ServerState
        uvicorn's, with all connections.
    **others
        For the protocol of HTTP.
    """

    def __init__(
        self,
        make_protocol: Callable[..., LimitedProtocol],
        context: ssl.SSLContext,
        limit: ConnectionLimit,
        seconds: float,
        server_state: ServerState,
        **others: Any,
    ) -> None:
        self._make_protocol = partial(make_protocol, server_state=server_state, **others)
        self._context = context
        self._limit = limit
        self._seconds = seconds
        self._connections = cast("set[Any]", server_state.connections)
        self._loop = asyncio.get_running_loop()
        self._early = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._connections.add(self)
        if self._limit.admit(self._connections) is Place.NONE:
            self.evict()
            return
        self._limit.idles(self)
        self._task = self._loop.create_task(self._run())

    def data_received(self, data: bytes) -> None:
        self._early += data  # before `_run` has begun

    def evict(self) -> bool:
        """Close at once for a new connection; there is nothing to lose."""
        self._leave()
        self.transport.abort()
        return True

    shutdown = evict

    def awaits_first_request(self) -> bool:
        """Return whether the client can still send a request."""
        return not self.transport.is_closing()

    async def _run(self) -> None:
        try:
            secured = await self._shake_hands()
        except OSError:  # which all faults of TLS are
            return
        finally:
            self._leave()
        # The handshake of a connection that was aborted ends too, without an outcome.
        if secured and secured.get_extra_info("ssl_object"):
            protocol = self._make_protocol()
            secured.set_protocol(protocol)
            protocol.made_over(secured, self.transport)

    async def _shake_hands(self) -> asyncio.Transport | None:
        if self.transport.is_closing():
            return None
        self._loop.call_soon(self._hand_on_early_bytes)
        return await self._loop.start_tls(
            self.transport,
            self,
            self._context,
            server_side=True,
            ssl_handshake_timeout=self._seconds,
            ssl_shutdown_timeout=inf,  # The write deadline counts what the client takes.
        )

    def _hand_on_early_bytes(self) -> None:
        receiver = cast("asyncio.BufferedProtocol", self.transport.get_protocol())
        early = memoryview(self._early)
        while early:
            buffer = memoryview(receiver.get_buffer(len(early)))
            size = min(len(buffer), len(early))
            buffer[:size] = early[:size]
            receiver.buffer_updated(size)
            early = early[size:]

    def _leave(self) -> None:
        self._limit.forget(self)
        self._connections.discard(self)
