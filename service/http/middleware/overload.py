"""The limit of connections: those above it are answered 503, but for the operator's own routes."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import too_many_connections
from service.http.problems import problem_response

EXEMPT = frozenset({"/livez", "/readyz", "/metrics"})


class ConnectionLimitMiddleware:
    """Refuses what comes over a connection that `protocol.py` has found to be one too many."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "above_limit" not in scope["state"] or scope["path"] in EXEMPT:
            await self.app(scope, receive, send)
            return
        response = await problem_response(Request(scope), too_many_connections())
        await response(scope, receive, send)
