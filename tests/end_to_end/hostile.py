"""Hostile connections: requests that are cut, glued, half closed or no HTTP at all."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, pairwise
from random import Random
from time import sleep
from typing import Literal, NamedTuple

from tests.service import hostile

JSON = [(b"content-type", b"application/json")]
Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Exchange:
    """What is sent on a connection, and which answers are due.

    Parameters
    ----------
    pieces : tuple of bytes
        Sent one after the other, as packets of their own.
    methods : tuple of str
        Those of the requests in it. A connection may be closed in place of an answer only where
        `is_http` is false or it does not stay open.
    ending : {"open", "half-closed", "aborted"}
        What the client does to the connection once it has sent everything.
    is_http : bool
        Whether a server can make out where each request ends.
    """

    pieces: tuple[bytes, ...]
    methods: tuple[str, ...]
    ending: Literal["open", "half-closed", "aborted"] = "open"
    is_http: bool = True


class Answer(NamedTuple):
    status: int
    media_type: str
    body: bytes


class Connection:
    """A connection that reads answers as they come, and notes when it is closed."""

    def __init__(self, port: int, patience: float) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self.is_closed = False

    def send(self, exchange: Exchange, pause: float = 0) -> None:
        """Send it all, and no more once the server has closed."""
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in exchange.pieces:
                self._socket.sendall(piece)
                if pause:
                    sleep(pause)
            if exchange.ending == "half-closed":
                self._socket.shutdown(socket.SHUT_WR)
        if exchange.ending == "aborted":
            self.close()

    def answers(self, exchange: Exchange) -> list[Answer]:
        """Return what comes; TimeoutError says that a server neither answers nor closes."""
        if self.is_closed:
            return []
        answers = list(islice(self._read(exchange.methods), len(exchange.methods)))
        if exchange.ending != "open" or not exchange.is_http:
            while not self.is_closed:  # what else was told before the end
                self._receive()
        return answers

    def close(self) -> None:
        self._socket.close()
        self.is_closed = True

    def _read(self, methods: Iterable[str]) -> Iterator[Answer]:
        for method in methods:
            head = self._until_blank_line()
            while head.startswith(b"HTTP/1.1 1"):  # 100 Continue
                head = self._until_blank_line()
            if not head:
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            status = int(first.split(" ", 2)[1])
            body = b"" if method == "HEAD" or status == 304 else self._body(headers)
            if headers.get("connection") == "close":
                self.close()
            yield Answer(status, headers.get("content-type", ""), body)

    def _until_blank_line(self) -> bytes:
        while b"\r\n\r\n" not in self._unread:
            if not self._receive():
                return b""
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        return head

    def _body(self, headers: dict[str, str]) -> bytes:
        # uvicorn's own refusal of what is no HTTP has no length: it ends with the connection.
        length = int(headers.get("content-length", 2**62))
        while len(self._unread) < length and self._receive():
            pass
        body, self._unread = self._unread[:length], self._unread[length:]
        return body

    def _receive(self) -> bytes:
        try:
            part = b"" if self.is_closed else self._socket.recv(2**16)
        except ConnectionResetError:
            part = b""
        self._unread += part
        if not part:
            self.close()
        return part


def message(method: str, path: str, headers: Headers, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1\r\nhost: x\r\n".encode("latin-1")]
    lines += [name + b": " + value + b"\r\n" for name, value in headers]
    if body or method == "POST":
        lines.append(b"content-length: %d\r\n" % len(body))
    return b"".join([*lines, b"\r\n", body])


def prediction(rng: Random) -> bytes:
    is_batch = rng.random() < 0.25
    body = hostile.body(rng, is_batch=is_batch)
    return message("POST", "/predict/batch" if is_batch else "/predict", JSON, body)


def _record_or_batch(rng: Random) -> Exchange:
    return Exchange((prediction(rng),), ("POST",))


def _too_much(rng: Random) -> Exchange:
    body = hostile.body(rng, is_batch=False) + b" " * rng.choice([60_000, 70_000, 300_000])
    return Exchange((message("POST", "/predict", JSON, body),), ("POST",))


def _any_headers(rng: Random) -> Exchange:
    headers = [*rng.choice([JSON, []]), *hostile.headers(rng)]
    body = hostile.body(rng, is_batch=False)
    return Exchange((message("POST", "/predict", headers, body),), ("POST",))


def _any_path(rng: Random) -> Exchange:
    method = rng.choice(hostile.METHODS)
    return Exchange((message(method, hostile.path(rng), hostile.headers(rng)),), (method,))


def _pipelined(rng: Random) -> Exchange:
    number = rng.randint(2, 8)
    return Exchange((b"".join(prediction(rng) for _ in range(number)),), ("POST",) * number)


def _split(rng: Random) -> Exchange:
    whole = prediction(rng)
    places = sorted(rng.randrange(len(whole)) for _ in range(rng.randint(1, 8)))
    ends = [0, *places, len(whole)]
    pieces = tuple(whole[a:b] for a, b in pairwise(ends))
    return Exchange(pieces, ("POST",))


def _chunked(rng: Random) -> Exchange:
    body = hostile.body(rng, is_batch=False)
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:100], body[100:]) if part]
    headers = [*JSON, (b"transfer-encoding", b"chunked")]
    head = message("GET", "/predict", headers).replace(b"GET", b"POST", 1)
    return Exchange((head, *chunks, b"0\r\n\r\n"), ("POST",))


NO_HTTP = [
    b"\r\n\r\n\r\n",
    b"\x00\xff" * 100,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100,  # a client that speaks TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET  /  HTTP/1.1\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nhost: x\r\n folded: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nhost: x\r\nx: \x00\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x00",
    *(
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n%s\r\n\r\n%s" % end
        for end in [
            (b"content-length: 9999", b"{}"),
            (b"content-length: 1", b'{"age": 54}'),
            (b"content-length: -1", b"{}"),
            (b"content-length: +2", b"{}"),
            (b"content-length: 2_0", b"{}"),
            (b"content-length: " + b"9" * 30, b"{}"),
            (b"content-length: 2\r\ncontent-length: 3", b"{}"),
            (b"content-length: 2\r\ntransfer-encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n"),
            (b"transfer-encoding: chunked", b"zz\r\n{}\r\n"),
            (b"transfer-encoding: chunked", b"-1\r\n{}\r\n"),
            (b"transfer-encoding: chunked", b"f" * 30 + b"\r\n{}"),
            (b"transfer-encoding: chunked", b"2\r\n{}{}{}\r\n0\r\n\r\n"),
            (b"transfer-encoding: chunked, gzip", b"{}"),
            (b"transfer-encoding: identity", b"{}"),
        ]
    ),
]


def _no_http(rng: Random) -> Exchange:
    return Exchange((rng.choice(NO_HTTP),), ("POST",), "half-closed", is_http=False)


def _cut_short(rng: Random) -> Exchange:
    whole = prediction(rng)
    piece = whole[: rng.randrange(len(whole))]
    ending: Literal["half-closed", "aborted"] = rng.choice(["half-closed", "aborted"])
    return Exchange((piece,), ("POST",), ending, is_http=False)


def _half_closed(rng: Random) -> Exchange:
    return Exchange((prediction(rng),), ("POST",), "half-closed")


def _aborted(rng: Random) -> Exchange:
    return Exchange((prediction(rng),), ("POST",), "aborted")


KINDS = {
    _record_or_batch: 60,
    _any_path: 14,
    _any_headers: 10,
    _pipelined: 6,
    _chunked: 3,
    _split: 2,
    _no_http: 2,
    _cut_short: 1,
    _half_closed: 1,
    _aborted: 1,
    _too_much: 0.1,
}
"""The kinds of exchanges, and how often each comes in a hundred."""


def exchange(rng: Random) -> Exchange:
    """Return an exchange of any kind."""
    (make,) = rng.choices(list(KINDS), list(KINDS.values()))
    return make(rng)
