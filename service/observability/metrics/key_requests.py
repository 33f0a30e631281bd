"""What is counted of API keys: the requests that came with each."""

from __future__ import annotations

from collections.abc import Sequence

from service.observability.metrics.registry import Registry


class KeyMeter:
    """Counts the requests of this worker by the name of their key.

    Parameters
    ----------
    registry : Registry
        Where the numbers go.
    names : sequence of str
        Those of all keys.
    """

    def __init__(self, registry: Registry, names: Sequence[str]) -> None:
        self._places = registry.counter(
            "heartline_key_requests_total",
            "Requests accepted with an API key, by the name of the key.",
            {"key_name": names},
        ).places
        self._cells = registry.cells

    def let_in(self, name: str) -> None:
        """Count a request."""
        self._cells[self._places[(name,)]] += 1
