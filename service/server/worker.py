"""A process that answers: uvicorn's server, with a stop that loses no request."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from fastapi import FastAPI

from service.adapters.uvicorn_internals import CLOSE_HEADER
from service.app import create_app
from service.connections.connection import LimitedProtocol
from service.connections.connection_limit import ConnectionLimit
from service.connections.fast_connection import FastProtocol, Turn
from service.connections.handshake import Handshake
from service.inference.model_file import ModelFile
from service.observability.metrics.slots import Slots
from service.protocols.native.fast_path import FastPath
from service.server.listener import hear_again, refuse_connections
from service.server.memory import settle
from service.server.tls import tls_context
from service.settings import Settings

logger = logging.getLogger("heartline")

ACCEPT_SECONDS = 0.25
"""How long the last callers get to be accepted, after no more are let in."""
ASK_SECONDS = 2.0
"""How long they get then to send their request."""


def answer(
    settings: Settings,
    file: ModelFile,
    slots: Slots,
    listening: socket.socket,
    on_beat: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Answer requests until a signal.

    Parameters
    ----------
    settings : Settings
        All of them.
    file : ModelFile
        The verified model.
    slots : Slots
        Where this process counts.
    listening : socket
        Bound.
    on_beat : callable, optional
        Awaited by the event loop about once a second. A process that has one has a parent, which
        sees to the terminal's Ctrl-C and to the socket that they share.
    """
    app = create_app(settings, file, slots)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol(app.state.fast_path, settings, tls_context(settings)),  # type: ignore[arg-type]
        timeout_keep_alive=settings.max_idle_seconds,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Otherwise uvicorn trusts loopback, or the addresses in FORWARDED_ALLOW_IPS.
        proxy_headers=settings.forwarded_allow_ips is not None,
        forwarded_allow_ips=[str(proxy) for proxy in settings.forwarded_allow_ips or ()],
        timeout_graceful_shutdown=settings.finish_seconds,
        callback_notify=on_beat,
        timeout_notify=0,
    )
    settle()
    Server(config, app, settings.drain_seconds, is_alone=on_beat is None).run([listening])


def protocol(
    fast_path: FastPath | None, settings: Settings, tls: ssl.SSLContext | None = None
) -> Callable[..., LimitedProtocol | Handshake]:
    """Return what makes the protocol of each connection."""
    limit = ConnectionLimit(settings.max_connections)
    http: Callable[..., LimitedProtocol] = partial(LimitedProtocol, limit, settings)
    if fast_path:
        http = partial(FastProtocol, fast_path, Turn(fast_path), limit, settings)
    return partial(Handshake, http, tls, limit, settings.max_head_seconds) if tls else http


class Server(uvicorn.Server):
    """Goes on answering for a while after the signal to stop, and reads the model at SIGHUP.

    Parameters
    ----------
    config : uvicorn.Config
        Of the application.
    app : FastAPI
        The application.
    drain_seconds : float
        From the signal on, how long new connections are accepted.
    is_alone : bool
        Whether no other process shares the socket and the terminal.
    """

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, drain_seconds: float, *, is_alone: bool
    ) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._is_alone = is_alone

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals for as long as the server runs; uvicorn's way ends by raising them."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._app.state.reloader.reload)
        loop.add_signal_handler(signal.SIGTERM, self.drain)
        if self._is_alone:
            loop.add_signal_handler(signal.SIGINT, self.interrupt)
        yield

    def interrupt(self) -> None:
        """Stop as at SIGTERM; at once when asked for a second time."""
        if self._app.state.is_draining:
            self.force_exit = self.should_exit = True
        self.drain()

    def drain(self) -> None:
        """Say that the process is not ready; go on answering, on connections that end with it."""
        if not self._app.state.is_draining:
            self._app.state.is_draining = True
            logger.info("stopping", extra={"drain_seconds": self._drain_seconds})
            self.config.encoded_headers += [CLOSE_HEADER]
            # A new list: what was made of the old one does not hold any more.
            headers = [*self.server_state.default_headers, CLOSE_HEADER]
            self.server_state.default_headers = headers
            asyncio.get_running_loop().call_later(self._drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the socket without a loss, then finish what is in flight."""
        if not self.force_exit:
            await self._let_in_the_last(sockets or [])
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn then cancels the application, which would write tracebacks into the log.
            await self.lifespan.shutdown()

    async def _let_in_the_last(self, sockets: list[socket.socket]) -> None:
        if self._is_alone:
            for listening in sockets:
                refuse_connections(listening)
        await asyncio.sleep(ACCEPT_SECONDS)
        for server in self.servers:
            server.close()
        for connection in self._without_a_request():
            hear_again(connection.transport.get_extra_info("socket"))
        deadline = time.monotonic() + ASK_SECONDS
        # uvicorn keeps its connections in a set, which has no event to wait for.
        while self._without_a_request() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    def _without_a_request(self) -> list[LimitedProtocol | Handshake]:
        """Return the connections that uvicorn would close as it closes idle ones."""
        return [
            connection
            for connection in self.server_state.connections
            if isinstance(connection, (LimitedProtocol, Handshake))
            and connection.awaits_first_request()
        ]
