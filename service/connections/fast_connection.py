"""Connections on which plain requests are answered past uvicorn's parser and its tasks.

To the application each request is a task of its own, with an event and two messages, which costs
more than the prediction. `plain_heads` says what is plain, and `fast_path` what is answered.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from time import perf_counter
from typing import Any

from service.adapters.uvicorn_internals import CLOSE_HEADER, STATUS_LINE
from service.connections.connection import LimitedProtocol
from service.connections.slices import BLANK_LINE
from service.protocols.native.fast_path import FastPath
from service.protocols.native.plain_heads import KnownHeads, PlainHead

REST_SECONDS = 0.05
"""So long the rest of a body is waited for here: many clients send head and body one by one."""


class Turn:
    """Answers together what has arrived together, in one turn of the event loop.

    All is computed before all is written, for a call of the system leaves the processor's caches
    cold.

    Parameters
    ----------
    fast_path : FastPath
        What answers.
    """

    def __init__(self, fast_path: FastPath) -> None:
        self._fast_path = fast_path
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
        self._fast_path.log()
        for connection in connections:
            connection.write()


class FastProtocol(LimitedProtocol):
    """Answers a simple request that has arrived as a whole, with no other request pending.

    Everything else goes to uvicorn's parser, byte for byte as it came.

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
        self._heads = KnownHeads(fast_path.heads)
        self._begun = b""
        self._rest_timer: TimerHandle | None = None
        self._request: tuple[PlainHead, bytes, int, float] | None = None
        self._computed: bytes | None = None
        self._own_headers: Any = None
        self._start = b""
        self._stays_open = True
        self._last_answer = 0.0

    def data_received(self, data: bytes) -> None:
        if self._request:
            self._answer_now()
        if self._begun:
            data = self._take_begun() + data
        if not self._takes(data):
            super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        self._answer_now()
        self._hand_on()
        return super().eof_received()

    def shutdown(self) -> None:
        self._answer_now()
        self._hand_on()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        held = self._request[1] if self._request else self._take_begun()
        self._request = self._computed = None
        if held:
            self._feed(held)  # to be logged as any other
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        left = self._last_answer + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._wait_for_next(left)
        else:
            self._hand_on()
            super().timeout_keep_alive_handler()

    def _run_out(self, seconds: int) -> None:
        if self._begun:
            self._clear_deadline()  # The head is there, and its body has a deadline of its own.
            self._hand_on()
        else:
            super()._run_out(seconds)

    def _takes(self, data: bytes) -> bool:
        """Hold what is a plain request, or may become one; return False for all else."""
        if not self._is_idle() or self._head_bytes or self._is_above_limit:
            return False
        end = data.find(BLANK_LINE, 0, self._max_head_bytes) + len(BLANK_LINE)
        found = self._heads.find(data[:end]) if end >= len(BLANK_LINE) else None
        if self.server_state.default_headers is not self._own_headers:
            self._note_headers()
        if found is None or not self._stays_open:
            return False
        head, body_bytes = found
        missing = end + body_bytes - len(data)
        if missing > 0:
            self._begun = data
            self._rest_timer = self.loop.call_later(REST_SECONDS, self._hand_on)
        elif missing == 0:
            self._request = (head, data, end, perf_counter())
            if len(self.connections) > 1:
                self._turn.wait(self)
            else:  # with no other response pending
                self._answer_now()
        return missing >= 0

    def _note_headers(self) -> None:
        """Note what each answer begins with, and whether it ends no connection.

        uvicorn makes a new list once a second, for the date.
        """
        self._own_headers = headers = self.server_state.default_headers
        lines = [b"%b: %b\r\n" % header for header in headers]
        self._start = b"".join([STATUS_LINE[200], *lines])
        self._stays_open = CLOSE_HEADER not in headers

    def _take_begun(self) -> bytes:
        if self._rest_timer:
            self._rest_timer.cancel()
            self._rest_timer = None
        begun, self._begun = self._begun, b""
        return begun

    def _hand_on(self) -> None:
        """Let uvicorn parse what has arrived of a request that is not there in time."""
        if begun := self._take_begun():
            super().data_received(begun)

    def _answer_now(self) -> None:
        if self._request:
            self.compute()
            self._fast_path.log()
            self.write()

    def compute(self) -> None:
        """Make the answer to what is held; what is not plain goes to the application."""
        if self._request and self._computed is None:
            head, data, end, started = self._request
            self._computed = self._fast_path.answer(head, data[end:], started)
            if self._computed is None:
                self._request = None
                super().data_received(data)

    def write(self) -> None:
        """Write the answer, if there is one."""
        if self._computed is not None:
            answer, self._computed, self._request = self._computed, None, None
            self._joining.write_whole(self._start + answer)
            self._wait_for_client()

    def _wait_for_client(self) -> None:
        if self._deadline is not None:
            self._clear_deadline()
        # A timer for each answer costs more than one that looks at the time of the last.
        self._last_answer = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait_for_next(self.timeout_keep_alive)
        if self.flow.write_paused:
            self._limit.receives(self)  # until the answer is sent
        else:
            self._limit.idles_again(self)  # as it was when the request came

    def _wait_for_next(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )
