"""The limit of connections: which one makes room for a new one when there are too many."""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from typing import Any, Protocol

SPARE_CONNECTIONS = 64
"""So many above the limit are let in, to be answered 503, and for the probes."""


class Place(Enum):
    """The state of a new connection."""

    WITHIN = "within the limit"
    ABOVE = "above the limit"
    NONE = "to be cut off"


class Evictable(Protocol):
    """A connection that can be asked to make room."""

    def evict(self) -> bool:
        """Close at once; return False where an answer would be lost."""


class ConnectionLimit:
    """Bounds the connections of a process.

    Of those that wait for their client the one that has waited longest is closed for a new one.
    Within the limit such a connection is idle: nothing of a request has been received. Above it,
    where every request but a probe's is refused, it is any without a whole request.

    Parameters
    ----------
    most : int
        So many are served.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: OrderedDict[Evictable, None] = OrderedDict()
        self._spare: OrderedDict[Evictable, None] = OrderedDict()

    def admit(self, connections: set[Any]) -> Place:
        """Return the place of the newest of the connections; another may be taken out for it."""
        while len(connections) > self._most and _evict_one(self._idle):
            pass
        above = len(connections) - self._most
        if above <= 0:
            return Place.WITHIN
        return Place.ABOVE if above <= SPARE_CONNECTIONS or _evict_one(self._spare) else Place.NONE

    def idles(self, connection: Evictable) -> None:
        """Note that nothing of a request has been received since now."""
        self._idle[connection] = None

    def idles_again(self, connection: Evictable) -> None:
        """Note the same of one whose request has been answered in the turn that it came in."""
        self._idle[connection] = None
        self._idle.move_to_end(connection)

    def receives(self, connection: Evictable) -> None:
        """Note that a request begins."""
        self._idle.pop(connection, None)

    def has_spare(self, connection: Evictable) -> None:
        """Note that a connection above the limit has sent a part of a request."""
        self._spare[connection] = None

    def answers(self, connection: Evictable) -> None:
        """Note that a connection above the limit has sent a whole request."""
        self._spare.pop(connection, None)

    def forget(self, connection: Evictable) -> None:
        """Note that a connection has ended."""
        self._idle.pop(connection, None)
        self._spare.pop(connection, None)


def _evict_one(waiting: OrderedDict[Evictable, None]) -> bool:
    while waiting:
        connection, _ = waiting.popitem(last=False)
        if connection.evict():
            return True
    return False
