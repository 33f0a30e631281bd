"""Reading the body of a request: of the right kind, and no larger than the limit."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

from starlette.requests import Request

from service.errors import ContentTooLarge, DamagedBody, UnsupportedMediaType

JSON = "application/json"

WINDOW_BITS = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
"""How zlib is told of a coding; by RFC 9110, deflate is zlib's own format."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return a body, decompressed.

    Raises
    ------
    UnsupportedMediaType
        When it is compressed in a way that is not taken.
    ContentTooLarge
        When it is, or announces itself as, larger than `max_bytes`, or becomes so.
    DamagedBody
        When it cannot be decompressed.
    """
    return b"".join([chunk async for chunk in body_chunks(request, max_bytes)])


async def body_chunks(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield a body as it arrives, decompressed; raise what `read_body` does.

    FastAPI's own `max_body_size` answers in plain text what declares too much, whatever the
    exception handlers say; so the limit is kept here, where the body is read.
    """
    inflater = _inflater(request)
    too_large = ContentTooLarge(f"The body may have {max_bytes} bytes, decompressed.")
    if _declared_bytes(request) > max_bytes:
        raise too_large
    arrived = size = 0
    async for chunk in request.stream():
        arrived += len(chunk)
        part = inflater.inflate(chunk, max_bytes + 1 - size) if inflater else chunk
        size += len(part)
        if max(arrived, size) > max_bytes:
            raise too_large
        yield part
    if inflater:
        inflater.finish()


class _Inflater:
    """Decompresses a body bit by bit, never further than asked."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream = zlib.decompressobj(WINDOW_BITS[coding])

    def inflate(self, chunk: bytes, most: int) -> bytes:
        """Return what a chunk decompresses to, cut at `most` bytes."""
        try:
            part = self._stream.decompress(chunk, most)
        except zlib.error:
            raise DamagedBody(f"The body is not whole and valid {self._coding}.") from None
        if self._stream.unused_data:
            # A body of many tiny streams would take seconds: each costs a window of its own.
            raise DamagedBody(f"The body goes on after its {self._coding} stream; send one.")
        return part

    def finish(self) -> None:
        if not self._stream.eof:
            raise DamagedBody(f"The body is not whole and valid {self._coding}.")


def _declared_bytes(request: Request) -> int:
    return int(request.headers.get("content-length", 0))


def _inflater(request: Request) -> _Inflater | None:
    coding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in WINDOW_BITS:
        raise UnsupportedMediaType("Send the body plain, or compressed once by gzip or deflate.")
    return _Inflater(coding)


def check_media_type(request: Request, *accepted: str) -> str:
    """Return the media type of the body.

    Raises
    ------
    UnsupportedMediaType
        When the headers announce none of those accepted, or another charset than UTF-8.
    """
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [p.strip().removeprefix("charset=").strip('"') for p in parameters if "charset" in p]
    if media_type.strip() not in accepted or charsets not in ([], ["utf-8"]):
        raise UnsupportedMediaType(f"Send UTF-8, with Content-Type: {' or '.join(accepted)}.")
    return media_type.strip()
