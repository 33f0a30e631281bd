"""The access log: one line a request, with nothing in it that a client wrote but the request id."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("heartline.access")


class AccessLogMiddleware:
    """Logs method, route template, status and duration of every request, at level info."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not logger.isEnabledFor(logging.INFO):
            await self.app(scope, receive, send)
            return
        # What ends without a status has crashed, and is answered with this one further out.
        status = 500
        started = time.perf_counter()

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noting_status)
        finally:
            logger.info(
                "request",
                extra={
                    "request_id": scope["state"]["request_id"],
                    "method": scope["method"],
                    "route": getattr(scope.get("route"), "path", None),
                    "status": status,
                    "duration_ms": round(1000 * (time.perf_counter() - started), 3),
                },
            )
