"""The fast path: plain requests for one record, past the stack of the application.

FastAPI and the middleware cost several times what a prediction does. What they add to the answer
of a plain request is added here at once; every other request, and every one that is to be refused
or warned, goes through them. That both ways answer the same is what the tests of this file show.
"""

from __future__ import annotations

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.keys import ApiKeys, bearer_key
from service.logs import current_request_id
from service.metrics.keys import KeyMeter
from service.metrics.requests import RequestMeter
from service.middleware.access_log import log_request
from service.middleware.access_log import logger as access_logger
from service.middleware.request_id import request_id_of
from service.middleware.security_headers import UNCACHED_HEADERS
from service.models import ServedModel

PATH = "/predict"


class FastPath:
    """Answers what is plain, and hands on the rest.

    Parameters
    ----------
    app : ASGIApp
        The whole of the stack.
    model : ServedModel
        What answers.
    meter : RequestMeter
        Counts the requests.
    keys : ApiKeys or None
        The keys that are accepted, where one is needed.
    key_meter : KeyMeter
        Counts who comes through.
    max_bytes : int
        Longest body.
    """

    def __init__(
        self,
        app: ASGIApp,
        model: ServedModel,
        meter: RequestMeter,
        keys: ApiKeys | None,
        key_meter: KeyMeter,
        max_bytes: int,
    ) -> None:
        self._app = app
        self._model = model
        self._meter = meter
        self._keys = keys
        self._key_meter = key_meter
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = self._plain_length(scope)
        if length is None:
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        self._meter.begun()
        try:
            message = await receive()
            body = message.get("body", b"")
            # A body in pieces is put together by the stack.
            answer = self._answer(body) if len(body) == length else None
        finally:
            self._meter.ended()
        if answer is None:
            scope["state"]["started"] = started
            await self._app(scope, _after(message, receive), send)
            return
        self._meter.answered(PATH, 200, perf_counter() - started)
        if self._keys:
            self._key_meter.let_in(scope["state"]["key_name"])
        request_id = request_id_of(_given_id(scope))
        await send(_start(answer, request_id))
        await send({"type": "http.response.body", "body": answer})
        if access_logger.isEnabledFor(logging.INFO):
            current_request_id.set(request_id)
            log_request(scope, PATH, 200, perf_counter() - started)

    def _plain_length(self, scope: Scope) -> int | None:
        """Return the length of the body, if all of the head is plain, and the key is good."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            return None
        headers, state = scope["headers"], scope.setdefault("state", {})
        given = dict(headers)
        length = given.get(b"content-length", b"")
        if (
            given.get(b"content-type") != b"application/json"
            or len(given) != len(headers)
            or b"content-encoding" in given
            or not length.isdigit()
            or int(length) > self._max_bytes
            or "above_limit" in state
        ):
            return None
        if self._keys:
            state["key_name"] = self._keys.name_of(bearer_key(headers))
            if state["key_name"] is None:
                return None
        return int(length)

    def _answer(self, body: bytes) -> bytes | None:
        """Return the answer to a plain body."""
        try:
            return self._model.scorer.predict_familiar(body)
        except Exception:  # noqa: BLE001  # the stack will meet it again, and answer it as it must
            return None


def _given_id(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return given[0].decode("latin-1") if given else ""


def _start(answer: bytes, request_id: str) -> Message:
    headers = [
        (b"content-length", b"%d" % len(answer)),
        (b"content-type", b"application/json"),
        *UNCACHED_HEADERS,
        (b"x-request-id", request_id.encode()),
    ]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _after(message: Message, receive: Receive) -> Receive:
    """Return a channel that gives a message again, and then what comes after it."""
    given = iter([message])

    async def receive_again() -> Message:
        return next(given, None) or await receive()

    return receive_again
