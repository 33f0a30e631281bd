"""Reading the body of a request: of the right kind, and no larger than the limit."""

from __future__ import annotations

import asyncio
import zlib
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Iterator

from starlette.requests import Request

from service.errors import ContentTooLarge, DamagedBody, UnsupportedMediaType
from service.wire.pace import Pace
from service.wire.peer import check_peer

JSON = "application/json"

SLICE = 2**16
"""Most bytes of a body that are decompressed or split between two turns of the event loop."""

WINDOW_BITS = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
"""The window size by which zlib knows a coding; by RFC 9110, deflate is zlib's own format."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return a body of JSON, decompressed and without a byte order mark.

    Raises
    ------
    UnsupportedMediaType
        When it is compressed in a way that is not taken.
    ContentTooLarge
        When it is, or announces itself as, larger than `max_bytes`, or becomes so.
    DamagedBody
        When it cannot be decompressed.
    """
    body = b"".join([chunk async for chunk in body_chunks(request, max_bytes)])
    return body.removeprefix(BOM_UTF8)


async def body_chunks(
    request: Request, max_bytes: int, pace: Pace | None = None
) -> AsyncIterator[bytes]:
    """Yield a body as it arrives, decompressed, in slices; raise what `read_body` does.

    Others have a turn of the event loop between any two slices, however much one chunk becomes.
    FastAPI's own `max_body_size` answers in plain text what declares too much, whatever the
    exception handlers say; so the limit is kept here, where the body is read.

    Parameters
    ----------
    request : Request
        Whose body it is.
    max_bytes : int
        Most bytes, as sent and decompressed.
    pace : Pace, optional
        How fast the body must arrive.
    """
    inflater = _inflater(request)
    if _declared_bytes(request) > max_bytes:
        raise too_large(max_bytes)
    chunks = request.stream()
    arrived = size = 0
    async for chunk in pace.keep(chunks) if pace else chunks:
        arrived += len(chunk)
        if arrived > max_bytes:
            raise too_large(max_bytes)
        for number, part in enumerate(inflater.slices(chunk) if inflater else _slices(chunk)):
            if number:
                await asyncio.sleep(0)
                check_peer(request)
            size += len(part)
            if size > max_bytes:
                raise too_large(max_bytes)
            yield part
    if inflater:
        inflater.finish()


def _slices(chunk: bytes) -> Iterator[bytes]:
    for start in range(0, len(chunk), SLICE):
        yield chunk[start : start + SLICE]


class _Inflater:
    """Decompresses a body slice by slice."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream = zlib.decompressobj(WINDOW_BITS[coding])

    def slices(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the decompressed slices of a chunk, each on demand."""
        while part := self._slice(chunk):
            yield part
            # Even where no input is left, some output may be.
            chunk = self._stream.unconsumed_tail
        if self._stream.unused_data:
            # A body of many tiny streams would take seconds: each costs a window of its own.
            raise DamagedBody(
                f"There is data after the end of the {self._coding} stream; send one stream."
            )

    def finish(self) -> None:
        if not self._stream.eof:
            raise damaged(self._coding)

    def _slice(self, chunk: bytes) -> bytes:
        try:
            return self._stream.decompress(chunk, SLICE)
        except zlib.error:
            raise damaged(self._coding) from None


def _declared_bytes(request: Request) -> int:
    return int(request.headers.get("content-length", 0))


def _inflater(request: Request) -> _Inflater | None:
    coding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in WINDOW_BITS:
        raise UnsupportedMediaType(
            "Send the body uncompressed, or compressed once by gzip or deflate."
        )
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
        raise other_media_type(*accepted)
    return media_type.strip()


def too_large(max_bytes: int) -> ContentTooLarge:
    """Return the error for a body above the limit."""
    return ContentTooLarge(f"The body is larger than {max_bytes} bytes after decompression.")


def damaged(coding: str) -> DamagedBody:
    """Return what a body is rejected with that cannot be decompressed."""
    return DamagedBody(f"The body is not complete and valid {coding} data.")


def other_media_type(*accepted: str) -> UnsupportedMediaType:
    """Return what a body is rejected with that is announced as none of these."""
    return UnsupportedMediaType(f"Send UTF-8, with Content-Type: {' or '.join(accepted)}.")
