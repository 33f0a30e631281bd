"""The request id: the caller's where it is well formed, else a new one, and back in the answer."""

import re
from random import Random

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.observability.log_lines import current_request_id

IDS = Random()  # noqa: S311  # an id is to be new, and no secret: to ask the kernel takes 5 us
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIdMiddleware:
    """Leaves the id in the state, in the header X-Request-ID and in every line of the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        current_request_id.set(request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)


def request_id_of(given: str) -> str:
    """Return the id of a request that came with one, or without."""
    return given if WELL_FORMED.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """Return an id that no other request has."""
    return IDS.getrandbits(128).to_bytes(16).hex()
