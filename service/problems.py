"""Problems: which exception is answered how, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service.errors import (
    ContentTooLarge,
    InvalidInput,
    NotReady,
    Refusal,
    UnsupportedMediaType,
)

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """How one kind of problem is answered; a `Refusal` brings its own detail."""

    status: int
    slug: str
    title: str
    detail: str = ""

    @property
    def type(self) -> str:
        """The URI that names the kind."""
        return f"urn:heartline:problem:{self.slug}"


KINDS: Mapping[type[Exception], Kind] = {
    InvalidInput: Kind(422, "invalid-input", "The request is not valid"),
    ContentTooLarge: Kind(413, "content-too-large", "The request is too large"),
    UnsupportedMediaType: Kind(415, "unsupported-media-type", "The body is of another kind"),
    NotReady: Kind(503, "not-ready", "The service is not ready"),
    ClientDisconnect: Kind(
        400, "client-disconnected", "The request was cut short", "The body did not arrive whole."
    ),
    Exception: Kind(
        500,
        "internal-error",
        "The service failed",
        "The fault is the service's; its log tells more under the request id.",
    ),
}

KINDS_BY_STATUS: Mapping[int, Kind] = {
    404: Kind(404, "not-found", "There is nothing here", "GET /docs shows every path."),
    405: Kind(
        405,
        "method-not-allowed",
        "The method is not allowed here",
        "The Allow header names those that are.",
    ),
}
"""What Starlette's router raises."""


def problem_document(
    kind: Kind, detail: str, faults: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the body of an answer."""
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "errors": list(faults),
    }


async def problem_response(request: Request, exception: Exception) -> Response:
    """Return the answer to an exception."""
    kind = _kind(exception)
    faults = exception.faults if isinstance(exception, InvalidInput) else []
    problem = problem_document(kind, kind.detail or str(exception), faults)
    headers = dict(exception.headers or {}) if isinstance(exception, HTTPException) else {}
    # A crash is answered outside of the middleware that adds this header to all other answers.
    headers["X-Request-ID"] = request.state.request_id
    return Response(to_json(problem), kind.status, headers, MEDIA_TYPE)


HANDLED = (HTTPException, Refusal, ClientDisconnect, Exception)
"""The exceptions to register `problem_response` for: the roots of all that the tables name."""


def _kind(exception: Exception) -> Kind:
    if isinstance(exception, HTTPException):
        return KINDS_BY_STATUS.get(exception.status_code, KINDS[Exception])
    return next(KINDS[base] for base in type(exception).__mro__ if base in KINDS)
