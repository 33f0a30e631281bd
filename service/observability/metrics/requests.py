"""What is counted of requests: how many, how they were answered, and how long it took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service.observability.metrics.registry import Registry

UNMATCHED = "unmatched"
"""Stands for every path that is none of the application's."""

OTHER = "other"
"""Stands for a status that nothing here gives."""

SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
)  # fmt: skip
"""A record takes less than a millisecond, a large batch tens of them."""


class RequestMeter:
    """Counts the requests of this worker; only from the thread of the event loop.

    Parameters
    ----------
    registry : Registry
        Where the numbers go.
    expected : mapping of str to iterables of int
        The statuses that each route can answer, by the template of its path; `UNMATCHED` too.
    statuses : iterable of int
        Every status that the application gives.
    """

    def __init__(
        self, registry: Registry, expected: Mapping[str, Iterable[int]], statuses: Iterable[int]
    ) -> None:
        routes, statuses = list(expected), sorted(statuses)
        requests = registry.counter(
            "heartline_requests_total",
            "Requests answered, by route template and status.",
            {"route": routes, "status": [*statuses, OTHER]},
            {(route, status) for route in routes for status in expected[route]},
        )
        seconds = registry.histogram(
            "heartline_request_duration_seconds",
            "Time from the request's headers to the response's headers.",
            {"route": routes},
            SECONDS,
        )
        self._cells = registry.cells
        self._in_flight = registry.in_flight
        self._places = {
            route: (
                {status: requests.places[route, status] for status in statuses},
                requests.places[route, OTHER],
                seconds.observer(registry.cells, seconds.places[(route,)]),
            )
            for route in routes
        }

    def begun(self) -> None:
        """Count a request as in flight."""
        self._in_flight[0] += 1

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        statuses, other, observe = self._places.get(route) or self._places[UNMATCHED]
        self._cells[statuses.get(status, other)] += 1
        observe(seconds)

    def ended(self) -> None:
        """Count a request as in flight no longer."""
        self._in_flight[0] -= 1
