"""What is counted of the log: the lines that could not be written."""

from __future__ import annotations

from service.observability.metrics.registry import Registry


class LogMeter:
    """Counts the log lines that this worker has dropped; the writer calls it under its lock.

    Parameters
    ----------
    registry : Registry
        Where the number goes.
    """

    def __init__(self, registry: Registry) -> None:
        self._place = registry.counter(
            "heartline_log_lines_dropped_total",
            "Log lines dropped because they could not be written in time.",
            {},
        ).places[()]
        self._cells = registry.cells

    def dropped(self, number: int) -> None:
        """Count dropped lines."""
        self._cells[self._place] += number
