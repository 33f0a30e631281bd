"""The fast path: the answers to plain requests for one record, past the stack of the application.

FastAPI and the middleware cost several times what a prediction does. What they add to the answer
of a plain request is added here at once; every other request, and every one that is to be refused
or warned, goes through them. That both ways answer the same is what the tests of this file show.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter, time

from service.adapters.uvicorn_internals import HIGH_WATER_LIMIT
from service.http.keys import ApiKeys
from service.http.middleware.access_log import log_request
from service.http.middleware.access_log import logger as access_logger
from service.http.middleware.request_id import new_request_id
from service.http.middleware.security_headers import UNCACHED_HEADERS
from service.observability.access_lines import access_line
from service.observability.log_lines import current_request_id, timestamp
from service.observability.logs import only_json_handler
from service.observability.metrics.key_requests import KeyMeter
from service.observability.metrics.predicted_rows import PredictionMeter
from service.observability.metrics.requests import RequestMeter
from service.protocols.native.plain_heads import PATH, PlainHead, PlainHeads
from service.protocols.native.scoring import Scorer

ROUTE = PATH.decode()

HEADERS = b"".join(
    b"%b: %b\r\n" % header for header in ((b"content-type", b"application/json"), *UNCACHED_HEADERS)
)


class FastPath:
    """Answers what is plain.

    Parameters
    ----------
    current : callable
        Returns what answers at the moment.
    predictions : PredictionMeter
        Counts the answers.
    meter : RequestMeter
        Counts the requests.
    keys : ApiKeys or None
        The keys that are accepted, where one is needed.
    key_meter : KeyMeter
        Counts the requests of each key.
    max_bytes : int
        Longest body; at most as many as uvicorn reads before it is asked for more.

    Attributes
    ----------
    heads : PlainHeads
        Which requests are plain, as far as their heads say.
    """

    def __init__(
        self,
        current: Callable[[], Scorer],
        predictions: PredictionMeter,
        meter: RequestMeter,
        keys: ApiKeys | None,
        key_meter: KeyMeter,
        max_bytes: int,
    ) -> None:
        self._current = current
        self._predictions = predictions
        self._meter = meter
        self._key_meter = key_meter
        self._unlogged: list[tuple[PlainHead, str, float]] = []
        self.heads = PlainHeads(keys, min(max_bytes, HIGH_WATER_LIMIT))

    def answer(self, head: PlainHead, body: bytes, started: float) -> bytes | None:
        """Return the answer to a request without its status line; None where it is not plain.

        Its line in the log is written by the next call of `log`.

        Parameters
        ----------
        head : PlainHead
            The head.
        body : bytes
            The whole body.
        started : float
            When the request had arrived.
        """
        try:
            answered = self._current().predict_valid(body)
        except Exception:  # noqa: BLE001  # the stack will meet it again, and answer it as it must
            return None
        if answered is None:
            return None
        answer, outcome = answered
        self._predictions.predicted_row(
            outcome.probability, outcome.number, outcome.unseen, outcome.missing
        )
        if head.key_name is not None:
            self._key_meter.let_in(head.key_name)
        request_id = head.request_id or new_request_id()
        seconds = perf_counter() - started
        self._meter.answered(ROUTE, 200, seconds)
        if access_logger.isEnabledFor(logging.INFO):
            self._unlogged.append((head, request_id, seconds))
        fields = (len(answer), HEADERS, request_id.encode(), answer)
        return b"content-length: %d\r\n%bx-request-id: %b\r\n\r\n%b" % fields

    def log(self) -> None:
        """Write the lines of the answers that were made since the last time.

        Once for all answers of a turn, as most of it costs the same for one and for many.
        """
        unlogged, self._unlogged = self._unlogged, []
        if not unlogged:
            return
        answered = [
            (("POST", ROUTE, 200, seconds, head.key_name, head.trace), request_id)
            for head, request_id, seconds in unlogged
        ]
        if handler := only_json_handler():
            now = timestamp(time())
            handler.add(*(access_line(*facts, request_id, now) for facts, request_id in answered))
            return
        for facts, request_id in answered:
            current = current_request_id.set(request_id)
            log_request(*facts)
            current_request_id.reset(current)
