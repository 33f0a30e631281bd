"""Problems: which exception is answered how, in one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service.errors import (
    ContentTooLarge,
    DamagedBody,
    HeadTooLarge,
    InvalidInput,
    NotHttp,
    NotImplementedHere,
    NotReady,
    Overloaded,
    Refusal,
    TooSlow,
    Unauthorized,
    UnsupportedMediaType,
)

MEDIA_TYPE = "application/problem+json"

SENT_STATUS = "sent_status"
"""Where the state of a request keeps the status that its connection sent before the application
did; what the application answers then is not sent."""

FAULTS = "faults"
"""Where the state of a request keeps how many faults of each kind it was rejected for."""


class Kind(NamedTuple):
    """How one kind of problem is answered; a `Refusal` brings its own detail."""

    status: int
    slug: str
    title: str
    detail: str = ""
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def type(self) -> str:
        """The URI that names the kind."""
        return f"urn:heartline:problem:{self.slug}"


KINDS: Mapping[type[Exception], Kind] = {
    InvalidInput: Kind(422, "invalid-input", "The request is not valid"),
    ContentTooLarge: Kind(413, "content-too-large", "The request is too large"),
    UnsupportedMediaType: Kind(415, "unsupported-media-type", "The media type is not supported"),
    Unauthorized: Kind(
        401,
        "unauthorized",
        "A valid API key is required",
        "Send an API key of this service: Authorization: Bearer <key>.",
    ),
    DamagedBody: Kind(400, "damaged-body", "The body cannot be decompressed"),
    Overloaded: Kind(503, "overloaded", "The service is overloaded", headers={"Retry-After": "1"}),
    NotHttp: Kind(400, "not-http", "The request is not valid HTTP"),
    NotImplementedHere: Kind(
        501,
        "not-implemented",
        "The request needs a part of HTTP that the service does not implement",
    ),
    HeadTooLarge: Kind(431, "head-too-large", "The request line and headers are too large"),
    TooSlow: Kind(408, "too-slow", "The request took too long to arrive"),
    NotReady: Kind(503, "not-ready", "The service is not ready"),
    ClientDisconnect: Kind(
        400,
        "client-disconnected",
        "The client disconnected",
        "The connection closed before the whole body arrived.",
    ),
    Exception: Kind(
        500,
        "internal-error",
        "Internal error",
        "This is an error of the service; search its log for the request id.",
    ),
}

KINDS_BY_STATUS: Mapping[int, Kind] = {
    404: Kind(404, "not-found", "Not found", "GET /docs lists all paths."),
    405: Kind(
        405,
        "method-not-allowed",
        "The method is not allowed for this path",
        "The Allow header lists the allowed methods.",
    ),
}
"""What Starlette's router raises."""


STATUSES = frozenset(
    {200, 304, 307}  # the statuses of the routes
    | {kind.status for kind in (*KINDS.values(), *KINDS_BY_STATUS.values())}
)
"""Every status of a response."""


class ErrorShape(NamedTuple):
    """The form of the errors of a contract."""

    media_type: str
    document: Callable[[Kind, str, Sequence[Mapping[str, Any]]], object]
    """Makes the body from the kind, what to change, and every fault."""


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


PROBLEM = ErrorShape(MEDIA_TYPE, problem_document)
"""The form of RFC 9457: for Heartline's own paths, and for paths of no contract."""


async def problem_response(request: Request, exception: Exception) -> Response:
    """Return the answer to an exception, in the form of the contract that the path belongs to."""
    kind = kind_of(exception)
    headers = dict(kind.headers)
    if isinstance(exception, HTTPException):
        headers.update(exception.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
    if kind is KINDS[Exception]:
        # uvicorn closes the connection after a crash: nothing more is to be sent on it.
        headers["Connection"] = "close"
    shape = _shape_of(request)
    body = problem_bytes(exception, shape)
    if isinstance(exception, InvalidInput):
        request.app.state.count_faults(exception.faults)
        request.scope["state"][FAULTS] = dict(Counter(one["type"] for one in exception.faults))
    return Response(body, kind.status, headers, shape.media_type)


def problem_bytes(exception: Exception, shape: ErrorShape = PROBLEM) -> bytes:
    """Return the body of the answer to an exception."""
    return to_json(problem_body(exception, shape))


def problem_body(exception: Exception, shape: ErrorShape = PROBLEM) -> object:
    """Return the same as an object."""
    kind = kind_of(exception)
    faults = exception.faults if isinstance(exception, InvalidInput) else []
    return shape.document(kind, kind.detail or str(exception), faults)


def _shape_of(request: Request) -> ErrorShape:
    shapes: Mapping[str, ErrorShape] = request.app.state.error_shapes
    path = request.scope["path"]
    return next((shapes[prefix] for prefix in shapes if path.startswith(prefix)), PROBLEM)


HANDLED = (HTTPException, Refusal, ClientDisconnect, Exception)
"""The exceptions to register `problem_response` for: the roots of all that the tables name."""


def kind_of(exception: Exception) -> Kind:
    """Return the entry of the tables for an exception."""
    if isinstance(exception, HTTPException):
        return KINDS_BY_STATUS.get(exception.status_code, KINDS[Exception])
    return next(KINDS[base] for base in type(exception).__mro__ if base in KINDS)
