"""Hostile connections: requests that are split, joined, half-closed, cut short or not HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, TypeAlias

from tests.service import hostile
from tests.service.careful import Form
from tests.service.differences import cut
from tests.service.questions import Question, question

JSON = [(b"content-type", b"application/json")]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
Ending: TypeAlias = Literal["open", "half-closed", "aborted", "disconnected"]

OWN_ID = b"id-of-a-trailer"


@dataclass(frozen=True)
class Sent:
    """One request.

    Parameters
    ----------
    method : str
        Of its first line.
    question : Question, optional
        What the answer must answer; without one, any valid answer will do.
    refused : int, optional
        The status that must come instead.
    version : str
        The HTTP version of the client.
    """

    method: str = "POST"
    question: Question | None = None
    refused: int | None = None
    version: str = "1.1"


@dataclass(frozen=True)
class Exchange:
    """What is sent on a connection, and the answers that must come.

    Parameters
    ----------
    pieces : tuple of bytes
        Sent one after the other, each by its own call of the system.
    requests : tuple of Sent
        The requests in it. The server may close without an answer only if `is_http` is false,
        or the client closes first.
    ending : {"open", "half-closed", "aborted", "disconnected"}
        What the client does after it has sent everything: nothing, close its sending half,
        close at once, or close when the first part of an answer has come.
    is_http : bool
        Whether the server can know where each request ends.
    """

    pieces: tuple[bytes, ...]
    requests: tuple[Sent, ...]
    ending: Ending = "open"
    is_http: bool = True


def head(method: str, path: str, headers: Headers, version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}\r\nhost: x\r\n".encode("latin-1")]
    return b"".join([*lines, *map(_field, headers), b"\r\n"])


def message(
    method: str, path: str, headers: Headers, body: bytes = b"", version: str = "1.1"
) -> bytes:
    has_body = body or method == "POST"
    length = [(b"content-length", b"%d" % len(body))] if has_body else []
    return head(method, path, [*headers, *length], version) + body


def asking(asked: Question, *headers: tuple[bytes, bytes], version: str = "1.1") -> bytes:
    return message("POST", asked.path, [*asked.headers, *headers], asked.sent, version)


def _field(header: tuple[bytes, bytes]) -> bytes:
    return b"%b: %b\r\n" % header


def single(rng: Random) -> Exchange:
    asked = question(rng)
    return Exchange((asking(asked),), (Sent(question=asked),))


def pipelined(rng: Random) -> Exchange:
    asked = [question(rng) for _ in range(rng.randint(2, 8))]
    return Exchange((b"".join(map(asking, asked)),), tuple(Sent(question=one) for one in asked))


def half_closed(rng: Random) -> Exchange:
    return replace(rng.choice([single, pipelined, chunked])(rng), ending="half-closed")


def split(rng: Random) -> Exchange:
    whole = rng.choice([single, pipelined, chunked, upgraded, half_closed])(rng)
    pieces = tuple(piece for piece in cut(rng, b"".join(whole.pieces)) if piece)
    return replace(whole, pieces=pieces)


TRAILERS = [
    *(b"x-request-id: " + OWN_ID, b"authorization: Bearer none", b"content-encoding: br"),
    *(b"content-type: text/plain", b"a:", b"x: " + b"y" * 300, b"connection: close"),
]


def chunked(rng: Random) -> Exchange:
    """Return a question with a chunked body, with or without trailers."""
    asked = question(rng)
    return Exchange(_chunks(rng, asked, asked.headers, _trailers(rng)), (Sent(question=asked),))


def typed_too_late(rng: Random) -> Exchange:
    """Return a question whose media type is in a trailer."""
    asked = replace(question(rng), coding="")
    trailers = [b"%b: %b" % header for header in asked.headers]
    return Exchange(_chunks(rng, asked, [], trailers), (Sent(question=asked, refused=415),))


def _trailers(rng: Random) -> list[bytes]:
    return rng.choices(TRAILERS, k=rng.choice([0, 0, 1, 2, 5]))


def _chunks(
    rng: Random, asked: Question, headers: Headers, trailers: Iterable[bytes]
) -> tuple[bytes, ...]:
    """Return a request with a chunked body, in pieces or in one."""
    end = b"".join(trailer + b"\r\n" for trailer in trailers)
    pieces = [
        head("POST", asked.path, [*headers, (b"transfer-encoding", b"chunked")]),
        *(b"%x\r\n%b\r\n" % (len(part), part) for part in cut(rng, asked.sent) if part),
        b"0\r\n%b\r\n" % end,
    ]
    return tuple(pieces) if rng.random() < 0.5 else (b"".join(pieces),)


UPGRADES: list[list[tuple[bytes, bytes]]] = [
    [
        *((b"connection", b"Upgrade, HTTP2-Settings"), (b"upgrade", b"h2c")),
        (b"http2-settings", b"AAMAAABkAAQAoAAAAAIAAAAA"),
    ],
    [(b"connection", b"upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")],
    [(b"upgrade", b"TLS/1.0"), (b"connection", b"Upgrade")],
]


def upgraded(rng: Random) -> Exchange:
    """Return a question with an Upgrade header, its body in the first or in a second piece."""
    asked = question(rng)
    whole = asking(asked, *rng.choice(UPGRADES))
    if rng.random() < 0.5:
        return Exchange((whole,), (Sent(question=asked),))
    end = len(whole) - len(asked.sent)
    return Exchange((whole[:end], whole[end:]), (Sent(question=asked),))


def expecting(rng: Random) -> Exchange:
    """Return a question that expects 100 Continue, from a client that does not wait for it."""
    asked = question(rng)
    whole = asking(asked, (b"expect", b"100-continue"))
    end = len(whole) - len(asked.sent)
    return Exchange((whole[:end], whole[end:]), (Sent(question=asked),))


def old(rng: Random) -> Exchange:
    """Return a question in HTTP/1.0, after which the connection ends."""
    asked = question(rng)
    whole = asking(asked, version="1.0")
    if rng.random() < 0.5:
        whole = whole.replace(b"host: x\r\n", b"", 1)
    return Exchange((whole,), (Sent(question=asked, version="1.0"),))


def too_much(rng: Random) -> Exchange:
    body = question(rng, "record").body + b" " * rng.choice([60_000, 70_000, 300_000])
    return Exchange((message("POST", "/predict", JSON, body),), (Sent(),))


def any_headers(rng: Random) -> Exchange:
    headers = [*rng.choice([JSON, []]), *hostile.headers(rng)]
    return Exchange(
        (message("POST", "/predict", headers, question(rng, "record").body),), (Sent(),)
    )


def any_path(rng: Random) -> Exchange:
    method = rng.choice(hostile.METHODS)
    whole = message(method, hostile.path(rng), hostile.headers(rng))
    return Exchange((whole,), (Sent(method),))


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


def no_http(rng: Random) -> Exchange:
    return Exchange((rng.choice(NO_HTTP),), (Sent(),), "half-closed", is_http=False)


def cut_short(rng: Random) -> Exchange:
    """Return a question of which the client sends only a part."""
    whole = b"".join(rng.choice([single, chunked])(rng).pieces)
    ending: Ending = rng.choice(["half-closed", "aborted"])
    return Exchange((whole[: rng.randrange(len(whole))],), (Sent(),), ending, is_http=False)


def aborted(rng: Random) -> Exchange:
    return replace(single(rng), ending="aborted")


def streamed(rng: Random) -> Exchange:
    """Return a long stream.

    It is compressed: the server stops reading from a client that does not read its answers yet.
    """
    return Exchange((asking(stream := _long_stream(rng)),), (Sent(question=stream),))


def disconnected(rng: Random) -> Exchange:
    """Return a long stream from a client that disconnects while it is answered."""
    return replace(streamed(rng), ending="disconnected")


def _long_stream(rng: Random) -> Question:
    """Return up to thousands of lines, good and bad ones, to be reported row by row."""
    form: Form = rng.choice(["ndjson", "csv"])
    while not (rows := (body := question(rng, form).body).split(b"\n")[1:]):
        pass
    lines = body + b"\n" + b"\n".join(rows * rng.choice([10, 10, 100, 1000]))
    return Question(form, lines, "report", "gzip")


KINDS: dict[Callable[[Random], Exchange], float] = {
    single: 46,
    any_path: 12,
    any_headers: 8,
    pipelined: 8,
    split: 6,
    half_closed: 6,
    chunked: 4,
    upgraded: 2,
    no_http: 2,
    cut_short: 2,
    aborted: 1,
    expecting: 1,
    old: 1,
    typed_too_late: 0.8,
    disconnected: 0.1,
    streamed: 0.1,
    too_much: 0.1,
}
"""The kinds of exchanges, and the weight of each."""


def exchange(rng: Random) -> Exchange:
    """Return an exchange of any kind."""
    (make,) = rng.choices(list(KINDS), list(KINDS.values()))
    return make(rng)
