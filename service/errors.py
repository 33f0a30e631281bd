"""What the service answers with a problem. `problems.py` says how."""

from collections.abc import Iterable
from typing import Any


class Refusal(Exception):
    """Base of all refusals; its text says what to change and repeats nothing of the request."""


class InvalidInput(Refusal):
    """The body is not what the route takes.

    Parameters
    ----------
    detail : str
        A summary.
    faults : iterable of dict
        Every fault, as `faults.fault` makes them.
    """

    def __init__(self, detail: str, faults: Iterable[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.faults = [*faults]


class ContentTooLarge(Refusal):
    """The body has too many bytes, or the batch too many records."""


class UnsupportedMediaType(Refusal):
    """The body is not JSON in UTF-8, or compressed in a way that is not taken."""


class DamagedBody(Refusal):
    """The body is not what its Content-Encoding says."""


class Unauthorized(Refusal):
    """The request has no API key, or none that is accepted."""


class Overloaded(Refusal):
    """The service has as much to do, or as many connections, as it may."""


class NotHttp(Refusal):
    """What came over the connection is no request."""


class NotImplementedHere(Refusal):
    """The request is HTTP, and needs a part of it that the service does not have."""


class HeadTooLarge(Refusal):
    """The request line and headers have too many bytes, or what frames a body in chunks."""


class TooSlow(Refusal):
    """The request did not arrive in time."""


class NotReady(Refusal):
    """The process holds no model that gives the right answers."""


def too_slow(part: str, seconds: int) -> TooSlow:
    """Return what a request is answered whose head or body has not arrived in time."""
    return TooSlow(f"The {part} did not arrive within {seconds} s.")


def too_many_connections() -> Overloaded:
    """Return what a request is answered whose connection is above the limit."""
    return Overloaded("The connection limit is reached; retry later.")
