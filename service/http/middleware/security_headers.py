"""Security headers: what a browser may do with an answer, on every answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Swagger UI's icons
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
UNCACHED_HEADERS = (*HEADERS, (b"cache-control", b"no-store"))
"""Of all but the docs' scripts and styles, and answers with a Cache-Control of their own."""


class SecurityHeadersMiddleware:
    """Adds the headers to what the application answers, its errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_static = scope["path"].startswith("/static/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                may_be_kept = is_static or any(name == b"cache-control" for name, _ in given)
                message["headers"] = [*given, *(HEADERS if may_be_kept else UNCACHED_HEADERS)]
            await send(message)

        await self.app(scope, receive, send_with_headers)
