"""A server in a thread of the test's own process, whose inside a test can see."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, NamedTuple

import uvicorn

from service.app import create_app
from service.server.tls import tls_context
from service.server.worker import protocol
from service.settings import Settings
from tests.end_to_end.processes import PATIENCE, wait_until

TURNS = 5
"""Of the loop, from a connection to the first bytes read of it: accept, make, start, read; and one
that may already be under way."""


class Threaded(NamedTuple):
    """A server and where it listens."""

    server: uvicorn.Server
    address: tuple[str, int]

    def connection(self) -> Any:
        """Return the protocol of the one connection that there is."""
        (connection,) = self.server.server_state.connections
        return connection

    def turn(self) -> None:
        """Let the loop accept what has connected, start to read, and read what has been sent."""
        wait_until(lambda: self.server.started)
        loop = self.server.servers[0].get_loop()
        for _ in range(TURNS):
            turned = Event()
            loop.call_soon_threadsafe(turned.set)
            assert turned.wait(PATIENCE)


@contextmanager
def threaded(settings: Settings, *, fast: bool = True, send_buffer: int = 0) -> Iterator[Threaded]:
    """Serve for as long as the block; `send_buffer` limits what the kernel takes of an answer."""
    app = create_app(settings)
    http: Any = protocol(app.state.fast_path if fast else None, settings, tls_context(settings))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=http,
        lifespan="off",
        log_config=None,
        timeout_keep_alive=settings.max_idle_seconds,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        if send_buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Threaded(server, listening.getsockname())
        finally:
            server.should_exit = True
            thread.join()
