"""Plain heads: those of requests that need nothing of the application but a prediction.

A client sends the same head with each request of a connection, but for the length of the body.
What has been found out about its other bytes holds for the same bytes again.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import httptools
from starlette.types import Scope

from service.errors import Refusal
from service.http.heads import check_head
from service.http.keys import ApiKeys, bearer_key
from service.http.middleware.request_id import request_id_of
from service.observability.trace_context import trace_ids

PATH = b"/predict"
MEDIA_TYPE = b"application/json"

LENGTH = re.compile(rb"(?i:\r\ncontent-length: )([1-9][0-9]{0,8})\r\n")
"""A field of the head: no name or value of another holds a line break."""

KNOWN_HEADS = 16
KNOWN_BYTES = 2**11
"""Maximum number of heads that a connection remembers, and their maximum bytes."""


class PlainHead(NamedTuple):
    """What the application would make of the head of a request."""

    key_name: str | None
    """Of the API key, where one is needed."""
    request_id: str | None
    """That of the client, where it is well formed."""
    trace: dict[str, str]
    """Ids of the client's span, for the log."""


class _Reader:
    """Collects what httptools finds in one head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_head_alone = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.is_head_alone = True

    def on_body(self, _: bytes) -> None:
        self.is_head_alone = False  # the parser has found an earlier end


class PlainHeads:
    """Recognises heads that the fast path can parse.

    Parameters
    ----------
    keys : ApiKeys or None
        The keys that are accepted, where one is needed.
    max_bytes : int
        Longest body.

    Attributes
    ----------
    max_bytes : int
        The same.
    """

    def __init__(self, keys: ApiKeys | None, max_bytes: int) -> None:
        self._keys = keys
        self.max_bytes = max_bytes

    def read(self, head: bytes) -> PlainHead | None:
        """Return what a head says, whatever the length of the body in it may be.

        Parameters
        ----------
        head : bytes
            All up to the first blank line, which is part of it.

        Returns
        -------
        PlainHead or None
            None where it is not plain, or its key is not accepted.
        """
        reader = _Reader()
        parser = httptools.HttpRequestParser(reader)
        try:
            parser.feed_data(head)
            check_head(parser.get_http_version(), reader.headers)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, Refusal):
            return None
        fields = dict(reader.headers)
        if (
            (reader.url, parser.get_method()) != (PATH, b"POST")
            or parser.get_http_version() != "1.1"
            or not (reader.is_head_alone and parser.should_keep_alive())
            or len(fields) < len(reader.headers)
            or fields.get(b"content-type") != MEDIA_TYPE
            or b"content-length" not in fields
            or not fields.keys().isdisjoint(
                {b"content-encoding", b"expect", b"transfer-encoding", b"upgrade"}
            )
        ):
            return None
        key_name = self._keys.name_of(bearer_key(reader.headers)) if self._keys else None
        if self._keys and key_name is None:
            return None
        scope: Scope = {"headers": reader.headers}
        given = fields.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if given and request_id_of(given) == given else None
        return PlainHead(key_name, request_id, trace_ids(scope))


class KnownHeads:
    """The heads that one connection has sent, so that none of them is parsed a second time.

    To parse a head and look at its fields takes 6 us, to find it here 0.5.

    Parameters
    ----------
    heads : PlainHeads
        Recognises such heads.
    """

    def __init__(self, heads: PlainHeads) -> None:
        self._heads = heads
        self._known: dict[bytes, PlainHead | None] = {}

    def find(self, head: bytes) -> tuple[PlainHead, int] | None:
        """Return what a head says, and the length of the body; None where it is not plain."""
        length = LENGTH.search(head)
        if length is None or (body_bytes := int(length[1])) > self._heads.max_bytes:
            return None
        start, end = length.span(1)
        others = head[:start] + head[end:]
        if others in self._known:
            plain = self._known[others]
        else:
            plain = self._heads.read(head)
            self._remember(others, plain)
        return None if plain is None else (plain, body_bytes)

    def _remember(self, others: bytes, plain: PlainHead | None) -> None:
        if len(others) <= KNOWN_BYTES:
            if len(self._known) == KNOWN_HEADS:
                self._known.clear()
            self._known[others] = plain
