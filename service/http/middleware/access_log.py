"""The access log: one line per request; of the client's texts it contains only valid ids."""

import logging
from collections.abc import Mapping
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import FAULTS, SENT_STATUS
from service.observability.trace_context import trace_ids

logger = logging.getLogger("heartline.access")


class AccessLogMiddleware:
    """Logs method, route template, status, duration, key and span of every request, at info.

    Of a request that was rejected for its faults it logs their kinds, and how many there are of
    each.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not logger.isEnabledFor(logging.INFO):
            await self.app(scope, receive, send)
            return
        status: int | None = None
        started = perf_counter()

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = scope["state"].get(SENT_STATUS, message["status"])
            await send(message)

        try:
            await self.app(scope, receive, send_noting_status)
        finally:
            route = getattr(scope.get("route"), "path", None)
            seconds = perf_counter() - started
            key_name, faults = scope["state"].get("key_name"), scope["state"].get(FAULTS)
            log_request(scope["method"], route, status, seconds, key_name, trace_ids(scope), faults)


def log_request(
    method: str,
    route: str | None,
    status: int | None,
    seconds: float,
    key_name: str | None,
    trace: Mapping[str, str],
    faults: Mapping[str, int] | None = None,
) -> None:
    """Write the line of a request; without a status, of one that was never answered."""
    logger.info(
        "request",
        extra={
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(1000 * seconds, 3),
            "key_name": key_name,
            **trace,
            **({"faults": faults} if faults else {}),
        },
    )
