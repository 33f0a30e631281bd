"""Connections: uvicorn's protocol, with limits on what a client sends and how long it takes."""

from __future__ import annotations

import asyncio
import logging
from asyncio import TimerHandle
from typing import Any

from uvicorn import Config

from service.adapters.uvicorn_internals import STATUS_LINE, ServerState
from service.connections.connection_limit import ConnectionLimit, Place
from service.connections.framing import Expected, FramedProtocol
from service.connections.joining_transport import JoiningTransport
from service.connections.write_deadline import WriteDeadline
from service.errors import Refusal, too_slow
from service.http.problems import MEDIA_TYPE, SENT_STATUS, kind_of, problem_bytes
from service.settings import Settings
from service.wire.peer import PEER, Peer

logger = logging.getLogger("heartline.connection")

UNWANTED_BYTES = 2**19
UNWANTED_SECONDS = 0.1
"""If a request was answered before its body was read: bytes of the body that are read at once, and
the wait between two such pieces, in seconds."""


class LimitedProtocol(FramedProtocol):
    """Refuses heads that are too long and requests that take too long; bounds the connections.

    uvicorn reads a head of any length for any time. What is refused here never was a request to
    the application: it has no id and no line in the access log.

    Parameters
    ----------
    limit : ConnectionLimit
        That of all connections of the process.
    settings : Settings
        The other limits.
    *others
        Those of uvicorn's protocol.

    Notes
    -----
    A deadline is set only where a chunk leaves a request unfinished: one that arrives in one
    piece costs none.
    """

    def __init__(
        self,
        limit: ConnectionLimit,
        settings: Settings,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(settings.max_head_bytes, config, server_state, app_state, _loop)
        self._limit = limit
        self._settings = settings
        self._unwanted_bytes = 0
        self._is_above_limit = False
        self._keep_alive = True
        self._deadline: TimerHandle | None = None
        self._peer = Peer()
        self.app_state = {**self.app_state, PEER: self._peer}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.made_over(transport, transport)

    def made_over(self, transport: asyncio.Transport, wire: asyncio.Transport) -> None:
        """Take a connection; `wire` is what TLS writes to, without TLS the transport itself."""
        super().connection_made(transport)
        self._wire = wire
        self._writing = WriteDeadline(
            self.loop, transport, wire, self._settings.max_write_seconds, self._note_idle
        )
        self._joining = JoiningTransport(transport, wire, self._writing.wrote)
        self.transport = self._joining  # type: ignore[assignment]
        place = self._limit.admit(self.connections)
        if place is Place.NONE:
            self.connections.discard(self)
            transport.abort()
            return
        if place is Place.ABOVE:
            self._is_above_limit = True
            self.app_state = {**self.app_state, "above_limit": True}
        self._limit.idles(self)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._peer.has_left = True
        self._clear_deadline()
        self._writing.stop()
        self._limit.forget(self)
        super().connection_lost(exc)

    def evict(self) -> bool:
        """Close at once for a new connection; return False where an answer would be lost."""
        self._joining.flush()
        if self._wire.get_write_buffer_size():
            return False
        self.connections.discard(self)
        self._joining.close()
        self._joining.abort()
        return True

    def awaits_first_request(self) -> bool:
        """Return whether nothing has been asked yet on a connection that stays open."""
        return not (self.cycle or self.transport.is_closing())

    def data_received(self, data: bytes) -> None:
        self._limit.receives(self)
        super().data_received(data)
        if self._is_unwanted():
            self._read_on(len(data))

    def eof_received(self) -> bool:  # type: ignore[override]
        self._joining.flush()  # The event loop closes the transport itself.
        return super().eof_received()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._expected is not Expected.BODY:
            return
        self._clear_deadline()
        # To close amid a body resets the connection, and a proxy loses the answer for it: what is
        # answered early is closed when the body is there.
        self._keep_alive = self.cycle.keep_alive and not self._is_above_limit
        self.cycle.keep_alive = True

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._expected is not Expected.REQUEST:
            return
        self._unwanted_bytes = 0
        self._clear_deadline()
        if self._is_above_limit:
            self._limit.answers(self)
        self.cycle.keep_alive = self.cycle.keep_alive and self._keep_alive
        if self.cycle.response_complete and not self._keep_alive:
            self.transport.close()

    def on_response_complete(self) -> None:
        if len(self.server_state.tasks) > 1:
            # Others are being answered in this turn: first they compute, then all is written.
            self.loop.call_soon(self._joining.flush)
        else:
            self._joining.flush()
        super().on_response_complete()
        self._note_idle()

    def _note_idle(self) -> None:
        """Let the connection make room for others, if nothing of a request has been received."""
        if self._is_idle() and not self._head_bytes:
            self._limit.idles(self)

    def _is_unwanted(self) -> bool:
        """Return whether the body that arrives belongs to a request that has been answered."""
        return self._expected is Expected.BODY and bool(self.cycle.response_complete)

    def _is_streamed(self) -> bool:
        """Return whether the body that arrives is being answered: `pace` limits its time."""
        cycle = self.cycle
        is_begun = cycle is not None and cycle.response_started and not cycle.response_complete
        return self._expected is Expected.BODY and is_begun

    def _read_on(self, size: int) -> None:
        """Read the rest of an unwanted long body slowly, so that other connections are served."""
        self._unwanted_bytes += size
        if self._unwanted_bytes > UNWANTED_BYTES:
            self.flow.pause_reading()
            self.loop.call_later(UNWANTED_SECONDS, self.flow.resume_reading)

    def _parsed(self) -> None:
        if not self._waits_for_client():
            return
        if self._is_above_limit:
            self._limit.has_spare(self)
        if self._deadline is None:
            self._set_deadline()

    def _set_deadline(self) -> None:
        body = self._expected is Expected.BODY
        seconds = self._settings.max_body_seconds if body else self._settings.max_head_seconds
        self._deadline = self.loop.call_later(seconds, self._run_out, seconds)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _run_out(self, seconds: int) -> None:
        self._deadline = None
        if self._is_streamed() or not (self.flow.is_reading or self._is_unwanted()):
            self._set_deadline()  # The application waits for it, or has not asked for more.
            return
        self._refuse(too_slow(self._expected.value, seconds))

    def _refuse(self, refusal: Refusal) -> None:
        if self._expected is Expected.BODY:
            due = not self.cycle.response_started
            if due:
                self.cycle.scope["state"][SENT_STATUS] = kind_of(refusal).status
        else:
            due = self._expected is Expected.HEAD or self._head_bytes > 0
        if due:
            self._answer(refusal)
        self.transport.close()

    def _answer(self, refusal: Refusal) -> None:
        status = kind_of(refusal).status
        logger.info("refused", extra={"status": status})
        body = problem_bytes(refusal)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
