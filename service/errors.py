"""The errors that become problem responses; `problems.py` makes the responses."""

from collections.abc import Iterable
from typing import Any


class Refusal(Exception):
    """Base of all rejections; its text says what to change, and quotes nothing of the request."""


class InvalidInput(Refusal):
    """The body is not valid for the route.

    Parameters
    ----------
    detail : str
        A summary.
    faults : iterable of dict
        Every fault, as returned by `faults.fault`.
    """

    def __init__(self, detail: str, faults: Iterable[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.faults = [*faults]


class ContentTooLarge(Refusal):
    """The body has too many bytes, or the batch too many records."""


class UnsupportedMediaType(Refusal):
    """The body is not JSON in UTF-8, or its compression is not supported."""


class DamagedBody(Refusal):
    """The body does not have the format in Content-Encoding."""


class Unauthorized(Refusal):
    """The request has no valid API key."""


class Overloaded(Refusal):
    """The limit of concurrent batches or connections is reached."""


class NotHttp(Refusal):
    """The received bytes are not an HTTP request."""


class NotImplementedHere(Refusal):
    """The request needs a part of HTTP that the service does not implement."""


class HeadTooLarge(Refusal):
    """The request line and headers, or the framing of a chunked body, are too large."""


class TooSlow(Refusal):
    """The request did not arrive in time."""


class NotReady(Refusal):
    """The model of the process does not reproduce its golden rows, or the process is stopping."""


def too_slow(part: str, seconds: int) -> TooSlow:
    """Return the error for a request whose head or body did not arrive in time."""
    return TooSlow(f"The {part} did not arrive within {seconds} s.")


def too_many_connections() -> Overloaded:
    """Return the error for a request on a connection above the limit."""
    return Overloaded("The connection limit is reached; retry later.")
