"""The API key: who does not send one gets no further, whatever is in the body."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Unauthorized
from service.http.keys import ApiKeys, bearer_key, is_open
from service.http.problems import problem_response
from service.observability.metrics.key_requests import KeyMeter


class ApiKeyMiddleware:
    """Leaves the key's name in `request.state.key_name`, or answers 401.

    Parameters
    ----------
    app : ASGIApp
        What is guarded.
    keys : ApiKeys
        The keys that are accepted, as `Authorization: Bearer <key>`.
    meter : KeyMeter
        Counts the accepted requests.
    """

    def __init__(self, app: ASGIApp, keys: ApiKeys, meter: KeyMeter) -> None:
        self.app = app
        self.keys = keys
        self.meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        key = bearer_key(scope["headers"])
        name = self.keys.name_of(key)
        if name is None:
            response = await problem_response(Request(scope), Unauthorized())
            response.headers["WWW-Authenticate"] = (
                'Bearer realm="heartline", error="invalid_token"'
                if key
                else 'Bearer realm="heartline"'
            )
            await response(scope, receive, send)
            return
        scope["state"]["key_name"] = name
        self.meter.let_in(name)
        await self.app(scope, receive, send)
