"""How many examples the property tests try: all in the whole suite, fewer in its fast part."""

from __future__ import annotations

from hypothesis import settings

FAST = "fast"
"""The profile of Hypothesis for the fast part."""


def examples(count: int) -> int:
    """Return how many of so many examples are tried."""
    return count // 5 if settings.get_current_profile_name() == FAST else count
