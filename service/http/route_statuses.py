"""Statuses: which of them each route can answer, the middleware around it included."""

from __future__ import annotations

from collections.abc import Mapping

from service.http.keys import is_open
from service.http.middleware.overload import EXEMPT
from service.observability.metrics.requests import UNMATCHED

CRASHED, OTHER_METHOD, NO_ROUTE, ABOVE_LIMIT, NO_KEY = 500, 405, 404, 503, 401
LARGE_BODY, LARGE_TRAILERS = 413, 431
NOT_MODIFIED = 304
WITH_ETAG = frozenset({"/model", "/openapi.json"})
"""Paths that answer a `Document`; the API's own document does not list what caches handle."""

PREFLIGHT = {200, 400}
"""What CORS answers a browser that asks before it sends a request."""


def answered_statuses(
    declared: Mapping[str, set[int]], *, needs_keys: bool, has_cors: bool
) -> dict[str, set[int]]:
    """Return the statuses of each route, and those of the paths that belong to none.

    Parameters
    ----------
    declared : mapping of str to set of int
        What the routes themselves answer, by the templates of their paths.
    needs_keys : bool
        Whether requests need an API key.
    has_cors : bool
        Whether web pages of other origins are answered.
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
