"""Connections on which plain requests are answered without a task for each.

To the application each request is a task of its own, with an event and two messages, which costs
more than the prediction. `fast_path` says what is plain, and what is answered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from service.fast_path import FastPath
from service.protocol import LimitedProtocol

if TYPE_CHECKING:
    from starlette.types import Scope
    from uvicorn._types import ASGI3Application


class Turn:
    """Answers together what has arrived together, in one turn of the event loop.

    All is computed before all is written, for a call of the system leaves the processor's caches
    cold.
    """

    def __init__(self) -> None:
        self._waiting: dict[FastProtocol, None] = {}  # a set that keeps the order

    def wait(self, connection: FastProtocol) -> None:
        """Let the request that a connection holds be answered."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        self._waiting[connection] = None

    def _answer(self) -> None:
        connections, self._waiting = self._waiting, {}
        for connection in connections:
            connection.compute()
        for connection in connections:
            connection.write()


class FastProtocol(LimitedProtocol):
    """Holds a request that may be plain until it is whole, and answers it in its turn.

    Parameters
    ----------
    fast_path : FastPath
        What answers.
    turn : Turn
        That of all connections.
    *others
        Those of `LimitedProtocol`.
    """

    def __init__(self, fast_path: FastPath, turn: Turn, *others: Any, **named: Any) -> None:
        super().__init__(*others, **named)
        self._fast_path = fast_path
        self._turn = turn
        self._held: RequestResponseCycle | None = None
        self._computed: bytes | None = None

    def eof_received(self) -> bool:  # type: ignore[override]
        if self._held and not self._held.more_body:
            self.compute()  # TLS is closed at once.
            self.write()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._hand_on()  # to be told of as any other

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not cycle.waiting_for_100_continue and self._fast_path.takes(_scope(cycle)):
            self._held = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def _parsed(self) -> None:
        super()._parsed()
        if self._held and not self._held.more_body:
            self._answer_in_turn()

    def _answer_in_turn(self) -> None:
        if len(self.connections) > 1:
            self._turn.wait(self)
        else:  # with nobody to wait for
            self.compute()
            self.write()

    def compute(self) -> None:
        """Make the answer to what is held; what is not plain goes to the application."""
        if self._held:
            if _stays_open(self._held) and not self.flow.write_paused:
                self._computed = self._fast_path.answer(_scope(self._held), bytes(self._held.body))
            if self._computed is None:
                self._hand_on()

    def write(self) -> None:
        """Write the answer, if there is one."""
        cycle, answer = self._held, self._computed
        if cycle and answer:
            self._held = self._computed = None
            cycle.response_started = cycle.response_complete = True
            own = [b"%b: %b\r\n" % header for header in cycle.default_headers]
            self._joining.write_whole(b"".join([STATUS_LINE[200], *own, answer]))
            self.on_response_complete()
            self._fast_path.log(_scope(cycle))

    def _hand_on(self) -> None:
        """Let the application answer what is held."""
        cycle, self._held = self._held, None
        if cycle:
            self._fast_path.leave()
            super()._start_asgi_task(cycle, self.app)


def _stays_open(cycle: RequestResponseCycle) -> bool:
    return cycle.keep_alive and CLOSE_HEADER not in cycle.default_headers


def _scope(cycle: RequestResponseCycle) -> Scope:
    return cast("Scope", cycle.scope)
