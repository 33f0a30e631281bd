"""Counting: every request, how it was answered, and how long that took."""

from collections.abc import Awaitable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import SENT_STATUS
from service.observability.metrics.requests import RequestMeter


class MetricsMiddleware:
    """Counts an answer before its first byte is sent: none that a client has goes uncounted."""

    def __init__(self, app: ASGIApp, meter: RequestMeter) -> None:
        self.app = app
        self.meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = scope.setdefault("state", {}).get("started") or perf_counter()
        is_counted = False

        def send_counted(message: Message) -> Awaitable[None]:
            nonlocal is_counted
            if message["type"] == "http.response.start":
                is_counted = True
                status = scope["state"].get(SENT_STATUS, message["status"])
                self.meter.answered(_route(scope), status, perf_counter() - started)
            return send(message)

        self.meter.begun()
        try:
            await self.app(scope, receive, send_counted)
        finally:
            self.meter.ended()
            # What ends without a status has crashed, and is answered with this one further out.
            if not is_counted:
                self.meter.answered(_route(scope), 500, perf_counter() - started)


def _route(scope: Scope) -> str:
    """Return the template; of what is refused before it is routed, the path."""
    return scope["route"].path if "route" in scope else scope["path"]  # type: ignore[no-any-return]
