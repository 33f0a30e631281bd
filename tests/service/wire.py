"""A connection without a network: what arrives, and in how many pieces, is the test's own."""

from __future__ import annotations

import asyncio
import atexit
from asyncio import BaseProtocol, Transport
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import uvicorn

from service.adapters.uvicorn_internals import ServerState
from service.app import create_app
from service.server.worker import protocol
from service.settings import Settings

TURNS = 10_000
"""So many turns of the loop are more than any answer takes."""


class Wire(Transport):
    """The server's end; it notes what is written, and whether more would be read."""

    def __init__(self, *, is_tls: bool = False) -> None:
        super().__init__({"sslcontext": True} if is_tls else {})
        self.written = b""
        self.is_read = True
        self.is_closed = False

    def write(self, data: Any) -> None:
        if not self.is_closed:
            self.written += bytes(data)

    def abort(self) -> None:
        self.close()

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.get_protocol().connection_lost, None)

    def get_write_buffer_size(self) -> int:
        return 0  # all is sent at once

    def set_protocol(self, protocol: BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def statuses(self) -> list[int]:
        return [int(part[:3]) for part in self.written.split(b"HTTP/1.1 ")[1:]]


@cache
def _config(settings: Settings, fast: bool) -> uvicorn.Config:
    app = create_app(settings)
    http: Any = protocol(app.state.fast_path if fast else None, settings)
    config = uvicorn.Config(app, http=http, lifespan="off", log_config=None)
    config.load()
    return config


class Connection:
    """A connection of a service in this process."""

    def __init__(self, settings: Settings, *, fast: bool = True, is_tls: bool = False) -> None:
        config = _config(settings, fast)
        self.state = ServerState()
        self.wire = Wire(is_tls=is_tls)
        make: Any = config.http_protocol_class
        self.protocol: Any = make(config=config, server_state=self.state, app_state={})
        self.wire.set_protocol(self.protocol)
        self.protocol.connection_made(self.wire)
        OPENED.append(self)

    async def send(self, *pieces: bytes) -> None:
        """Let pieces arrive, each after the turn of the one before."""
        for piece in pieces:
            if not self.wire.is_closed:
                self.protocol.data_received(piece)
                await asyncio.sleep(0)

    def end(self) -> None:
        """Let the client send no more; as event loops do, close what is not to stay open."""
        if not self.protocol.eof_received():
            self.wire.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(TURNS):
            if condition():
                return
            await asyncio.sleep(0.001 if self.state.tasks else 0)
        raise AssertionError(self.wire.written)

    async def answers(self, number: int) -> list[int]:
        """Return the statuses of so many answers, and of any more that come at once."""
        await self.until(lambda: len(self.wire.statuses()) >= number and not self.state.tasks)
        for _ in range(20):
            await asyncio.sleep(0)
        return self.wire.statuses()


OPENED: list[Connection] = []
"""Those of the scenario that runs."""


async def _close_all() -> None:
    for connection in OPENED:
        connection.wire.close()
        await asyncio.gather(*connection.state.tasks, return_exceptions=True)
    OPENED.clear()


@cache
def _runner() -> asyncio.Runner:
    """Return what runs all scenarios: an application has locks, which belong to one event loop."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        try:
            await asyncio.wait_for(scenario(), 60)
        finally:
            await _close_all()

    _runner().run(in_time())
