"""A response whose body is made while it is sent, and maybe while the request still arrives."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class StreamedResponse(Response):
    """Sends chunks as they are made.

    Starlette's own listens for the end of the connection meanwhile, and would take parts of the
    request for it.

    Parameters
    ----------
    first : bytes
        The first chunk, which has been made before there was anything to answer.
    chunks : async generator of bytes
        The others. Closed in any case, so that what it holds is given back.
    media_type : str
        Of the whole.
    """

    def __init__(self, first: bytes, chunks: AsyncGenerator[bytes], media_type: str) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._first = first
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        async with aclosing(self._chunks) as chunks:
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            part = {"type": "http.response.body", "body": self._first, "more_body": True}
            await send(part)
            try:
                async for chunk in chunks:
                    await send({**part, "body": chunk})
            except ClientDisconnect:
                return  # the client has disconnected
            await send({**part, "body": b"", "more_body": False})
