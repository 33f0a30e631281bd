"""A client connection that sends any bytes, closes in any way, and reads the answers."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from time import sleep

from tests.end_to_end.hostile import Exchange, Sent
from tests.service.asking import Answer


class Connection:
    """A connection that reads answers as they come, and knows whether it is closed."""

    def __init__(self, port: int, patience: float) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self.is_closed = False

    def send(self, exchange: Exchange, pause: float = 0) -> None:
        """Send all of it, or less if the server closes."""
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in exchange.pieces:
                self._socket.sendall(piece)
                if pause:
                    sleep(pause)  # so that each arrives alone: a client sees no event for that
            if exchange.ending == "half-closed":
                self._socket.shutdown(socket.SHUT_WR)
        if exchange.ending == "aborted":
            self.close()

    def answers(self, exchange: Exchange) -> list[Answer]:
        """Return the answers.

        Raises
        ------
        TimeoutError
            When the server neither answers nor closes.
        """
        if self.is_closed:
            return []
        if exchange.ending == "disconnected":
            self._receive()
            self.close()
            return []
        answers = list(islice(self._read(exchange.requests), len(exchange.requests)))
        if exchange.ending != "open" or not exchange.is_http:
            while not self.is_closed:  # what else comes before the end
                self._receive()
        return answers

    def close(self) -> None:
        self._socket.close()
        self.is_closed = True

    def _read(self, requests: Iterable[Sent]) -> Iterator[Answer]:
        for sent in requests:
            head = self._until(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 1"):  # 100 Continue
                head = self._until(b"\r\n\r\n")
            if not head:
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
            }
            status = int(first.split(" ", 2)[1])
            has_none = sent.method == "HEAD" or status in (204, 304)
            body = b"" if has_none else self._body(headers)
            if headers.get("connection") == "close":
                self.close()
            yield Answer(status, headers, body)

    def _until(self, end: bytes) -> bytes:
        while end not in self._unread:
            if not self._receive():
                return b""
        part, _, self._unread = self._unread.partition(end)
        return part

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            # What has no length ends with the connection.
            return self._take(int(headers.get("content-length", 2**62)))
        chunks = []
        while size := int(self._until(b"\r\n") or b"0", 16):
            chunks.append(self._take(size))
            self._until(b"\r\n")
        self._until(b"\r\n")
        return b"".join(chunks)

    def _take(self, length: int) -> bytes:
        while len(self._unread) < length and self._receive():
            pass
        part, self._unread = self._unread[:length], self._unread[length:]
        return part

    def _receive(self) -> bytes:
        try:
            part = b"" if self.is_closed else self._socket.recv(2**16)
        except ConnectionResetError:
            part = b""
        self._unread += part
        if not part:
            self.close()
        return part
