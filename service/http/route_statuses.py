"""The statuses that each route can return, those of the middleware included."""

from __future__ import annotations

from collections.abc import Mapping

from service.http.keys import is_open
from service.http.middleware.overload import EXEMPT
from service.observability.metrics.requests import UNMATCHED

CRASHED, OTHER_METHOD, NO_ROUTE, ABOVE_LIMIT, NO_KEY = 500, 405, 404, 503, 401
LARGE_BODY, LARGE_TRAILERS = 413, 431
NOT_MODIFIED = 304
WITH_ETAG = frozenset({"/openapi.json"})
"""Paths with an `ETag` that are not in the OpenAPI document, so no route declares their 304."""

PREFLIGHT = {200, 400}
"""The statuses of CORS preflight responses."""


def answered_statuses(
    declared: Mapping[str, set[int]], *, needs_keys: bool, has_cors: bool
) -> dict[str, set[int]]:
    """Return the statuses of each route, and those of paths without a route.

    Parameters
    ----------
    declared : mapping of str to set of int
        The statuses of the routes themselves, by the templates of their paths.
    needs_keys : bool
        Whether requests need an API key.
    has_cors : bool
        Whether CORS is on.
    """
    statuses = {path: {*own, OTHER_METHOD} for path, own in declared.items()}
    statuses[UNMATCHED] = {NO_ROUTE}
    for path, own in statuses.items():
        own |= {CRASHED, *(PREFLIGHT if has_cors else ())}
        if LARGE_BODY in own:
            own.add(LARGE_TRAILERS)
        if path in WITH_ETAG:
            own.add(NOT_MODIFIED)
        if path not in EXEMPT:
            own.add(ABOVE_LIMIT)
        if needs_keys and not is_open(path):
            own.add(NO_KEY)
    return statuses
