"""The access log: one line a request; of what a client wrote it has well-formed ids alone."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.trace_context import trace_ids

logger = logging.getLogger("heartline.access")


class AccessLogMiddleware:
    """Logs method, route template, status, duration, key and span of every request, at info."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not logger.isEnabledFor(logging.INFO):
            await self.app(scope, receive, send)
            return
        status: int | None = None  # of a request that was never answered
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
                    "method": scope["method"],
                    "route": getattr(scope.get("route"), "path", None),
                    "status": status,
                    "duration_ms": round(1000 * (time.perf_counter() - started), 3),
                    "key_name": scope["state"].get("key_name"),
                    **trace_ids(scope),
                },
            )
