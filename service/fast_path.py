"""The fast path: the answers to plain requests for one record, past the stack of the application.

FastAPI and the middleware cost several times what a prediction does. What they add to the answer
of a plain request is added here at once; every other request, and every one that is to be refused
or warned, goes through them. That both ways answer the same is what the tests of this file show.
"""

from __future__ import annotations

import logging
from time import perf_counter

from starlette.types import Scope
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

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

HEADERS = b"".join(
    b"%b: %b\r\n" % header for header in ((b"content-type", b"application/json"), *UNCACHED_HEADERS)
)


class FastPath:
    """Answers what is plain.

    Parameters
    ----------
    model : ServedModel
        What answers.
    meter : RequestMeter
        Counts the requests.
    keys : ApiKeys or None
        The keys that are accepted, where one is needed.
    key_meter : KeyMeter
        Counts who comes through.
    max_bytes : int
        Longest body; of none more than uvicorn reads before it is asked for more.
    """

    def __init__(
        self,
        model: ServedModel,
        meter: RequestMeter,
        keys: ApiKeys | None,
        key_meter: KeyMeter,
        max_bytes: int,
    ) -> None:
        self._model = model
        self._meter = meter
        self._keys = keys
        self._key_meter = key_meter
        self._max_bytes = min(max_bytes, HIGH_WATER_LIMIT)

    def takes(self, scope: Scope) -> bool:
        """Tell whether all of a request's head is plain, and its key good."""
        if scope["path"] != PATH or scope["method"] != "POST":
            return False
        headers, state = scope["headers"], scope["state"]
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
            return False
        if self._keys:
            state["key_name"] = self._keys.name_of(bearer_key(headers))
            if state["key_name"] is None:
                return False
        state["started"] = perf_counter()
        self._meter.begun()
        return True

    def leave(self) -> None:
        """Leave to the application what was taken."""
        self._meter.ended()

    def answer(self, scope: Scope, body: bytes) -> bytes | None:
        """Return headers and body of the answer to a body that is plain; None to any other."""
        try:
            answer = self._model.scorer.predict_familiar(body)
        except Exception:  # noqa: BLE001  # the stack will meet it again, and answer it as it must
            return None
        if answer is None:
            return None
        state = scope["state"]
        self._meter.ended()
        self._meter.answered(PATH, 200, perf_counter() - state["started"])
        if self._keys:
            self._key_meter.let_in(state["key_name"])
        state["request_id"] = request_id = request_id_of(_given_id(scope))
        fields = (len(answer), HEADERS, request_id.encode(), answer)
        return b"content-length: %d\r\n%bx-request-id: %b\r\n\r\n%b" % fields

    def log(self, scope: Scope) -> None:
        """Write the line of a request that was answered."""
        if access_logger.isEnabledFor(logging.INFO):
            state = scope["state"]
            current = current_request_id.set(state["request_id"])
            log_request(scope, PATH, 200, perf_counter() - state["started"])
            current_request_id.reset(current)


def _given_id(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return given[0].decode("latin-1") if given else ""
