"""Framing: where each message ends, and that one is answered before the next is parsed."""

from __future__ import annotations

from asyncio import Transport
from enum import Enum
from typing import Any

import httptools

from service.adapters.uvicorn_internals import HttpToolsProtocol
from service.connections.closing_answers import end_by_closing
from service.connections.flow import HoldingFlow
from service.connections.slices import Slices, is_one_message
from service.errors import HeadTooLarge, NotHttp, NotImplementedHere, Refusal
from service.http.heads import check_head

SLICES_AT_ONCE = 16
CHUNKED_SLICE_BYTES = 2**11
"""Maximum slices of a connection that are parsed in one turn of the event loop, and their maximum
bytes in a chunked body: each chunk costs the same, however small."""

FRAMING_PER_BYTE = 16
"""Limit of chunk sizes and extensions, in multiples of the content; they and the trailers may
exceed it by at most the limit of a head."""


class Expected(Enum):
    """What a client is to send next."""

    REQUEST = "request"
    HEAD = "request head"
    BODY = "request body"


class FramedProtocol(HttpToolsProtocol):
    """Parses a request when the one before has been answered, and its answer can be written.

    uvicorn parses all that arrives and keeps a queue of requests without a limit, lets trailers
    become headers, and loses the body of a request with Upgrade.

    Parameters
    ----------
    max_head_bytes : int
        Of request line and headers; and of what frames the content of a body in chunks.
    *others
        Those of `HttpToolsProtocol`.
    """

    flow: HoldingFlow

    def __init__(self, max_head_bytes: int, *others: Any) -> None:
        super().__init__(*others)
        self._max_head_bytes = max_head_bytes
        self._slices = Slices()
        self._expected = Expected.REQUEST
        self._head_bytes = 0
        self._body_bytes: int | None = 0
        self._content_bytes = 0
        self._framing_bytes = 0
        self._fault: Refusal = NotHttp("Send HTTP/1.1.")
        self._is_last = False
        self._is_parser_spent = False
        self._is_parsed_soon = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = HoldingFlow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._slices.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_idle() and is_one_message(data, self._max_head_bytes):
            self._feed(data)  # As most requests arrive: nothing is to be cut, or held back.
            self._parsed()
        else:
            self._slices.add(data)
            self._parse()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Return whether the connection stays open: to answer a client that sends no more."""
        self._is_last = True
        if not self._slices:
            if self._waits_for_client():
                return False
            self.cycle.keep_alive = False
        return self.scheme != "https"  # whose transport closes nevertheless, and logs a warning

    def resume_writing(self) -> None:
        super().resume_writing()
        self._parse_soon()

    def shutdown(self) -> None:
        if self._slices:  # A request that has arrived is answered.
            self._is_last = True
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        self._expected = Expected.HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._fault = NotImplementedHere("The service is not a proxy.")
                raise self._fault
            return  # The head is parsed again.
        version = self.parser.get_http_version()
        try:
            self._body_bytes = check_head(version, self.headers)
        except Refusal as fault:
            self._fault = fault
            raise
        if version == "1.0":
            self.expect_100_continue = False
        super().on_headers_complete()
        if version == "1.0":
            end_by_closing(self.cycle)
        self.headers = []  # What the parser adds from now on are trailers.
        self._expected = Expected.BODY
        self._content_bytes = self._framing_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._content_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._expected is Expected.BODY:
            self._expected = Expected.REQUEST
            self._head_bytes = 0
            self._is_parser_spent = bool(self.headers)
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.flow.is_held:
            self._parse_soon()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what never becomes a whole request, and close."""
        raise NotImplementedError

    def _waits_for_client(self) -> bool:
        """Return whether a request is unfinished, or none there to be answered."""
        unfinished = self._expected is not Expected.REQUEST
        return unfinished or self.cycle is None or self.cycle.response_complete

    def _parse(self) -> None:
        """Parse received bytes up to the request that can be answered now; keep the rest."""
        for _ in range(SLICES_AT_ONCE):
            if not self._slices or not self._may_parse():
                break
            self._parse_slice()
        else:
            self._parse_soon()
        is_held = len(self._slices) > 0
        if is_held:
            self._unset_keepalive_if_required()
        elif self._is_last:
            self._end()
        self.flow.hold(is_held)
        self._parsed()

    def _parsed(self) -> None:
        """See to what has been parsed."""

    def _is_idle(self) -> bool:
        """Return whether the next byte begins a request, which may be parsed at once."""
        return (
            self._expected is Expected.REQUEST
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and not self.flow.is_held
        )

    def _may_parse(self) -> bool:
        if self.transport.is_closing():
            self._slices.clear()
            return False
        if self._expected is Expected.BODY:
            return True
        return self._waits_for_client() and not self.flow.write_paused

    def _parse_soon(self) -> None:
        """Go on in another turn of the loop, so that other connections have theirs before."""
        if self._slices and not self._is_parsed_soon:
            self._is_parsed_soon = True
            self._unset_keepalive_if_required()
            self.loop.call_soon(self._parse_rest)

    def _parse_rest(self) -> None:
        self._is_parsed_soon = False
        if self._slices:
            self._parse()

    def _end(self) -> None:
        """Close when all has been answered that the client has sent."""
        if self._waits_for_client():
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _parse_slice(self) -> None:
        if self._expected is not Expected.BODY:
            self._parse_head()
        elif self._body_bytes is not None:
            self._feed(self._slices.take(self._body_bytes - self._content_bytes))
        else:
            self._parse_chunks()

    def _parse_head(self) -> None:
        size = self._slices.size_to_blank_line(len(self._slices))
        self._head_bytes += size
        if self._head_bytes > self._max_head_bytes:
            self._refuse(self._too_large("The request line and headers have"))
        else:
            self._feed(self._slices.take(size))

    def _parse_chunks(self) -> None:
        room = self._max_head_bytes - self._framing_bytes
        if room <= 0:
            self._refuse(self._too_large("Trailers, or chunk sizes and extensions, have"))
            return
        size = self._slices.size_to_blank_line(min(room, CHUNKED_SLICE_BYTES))
        chunks = self._slices.take(size)
        content_bytes = self._content_bytes
        self._feed(chunks)
        content_bytes = self._content_bytes - content_bytes
        grown = len(chunks) - content_bytes * (1 + FRAMING_PER_BYTE)
        self._framing_bytes = max(0, self._framing_bytes + grown)

    def _too_large(self, what: str) -> HeadTooLarge:
        return HeadTooLarge(f"{what} more than {self._max_head_bytes} bytes.")

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(self._fault)
        if self._is_parser_spent:  # It has taken trailers for headers, and may accept no more.
            self._is_parser_spent = False
            self.parser = httptools.HttpRequestParser(self)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parse a head again without Upgrade: the parser has stopped there, for another protocol.

        Parameters
        ----------
        rest : bytes
            What stands behind the head.
        """
        line = (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        kept = [b"%b: %b\r\n" % pair for pair in self.headers if pair[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._feed(b"".join([b"%b %b HTTP/%b\r\n" % line, *kept, b"\r\n", rest]))
