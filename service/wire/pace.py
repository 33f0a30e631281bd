"""Pace: how fast a client must send a stream whose answer has begun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from service.errors import TooSlow


class Pace:
    """Limits the time that a stream may be idle, and its least rate.

    Until the answer has begun, the deadline of every request body holds in its place. Only time
    spent waiting for the client counts: not that in which its rows are scored or it is answered.

    Parameters
    ----------
    idle_seconds : float
        Longest time without a byte.
    bytes_per_second : float
        Least rate, on average over each window.
    window_seconds : float
        Length of a window, so that bursts and pauses even out.

    Attributes
    ----------
    is_due : bool
        Whether the answer has begun.
    """

    def __init__(self, idle_seconds: float, bytes_per_second: float, window_seconds: float) -> None:
        self.is_due = False
        self._idle_seconds = idle_seconds
        self._bytes_per_second = bytes_per_second
        self._window_seconds = window_seconds
        self._waited = 0.0
        self._arrived = 0

    async def keep(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the chunks of a body as they arrive.

        Raises
        ------
        TooSlow
            When they arrive too slowly.
        """
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            try:
                async with asyncio.timeout(self._idle_seconds if self.is_due else None):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise TooSlow(f"Nothing arrived for {self._idle_seconds:g} s.") from None
            if self.is_due:
                self._check_rate(clock() - started, len(chunk))
            yield chunk

    def _check_rate(self, waited: float, arrived: int) -> None:
        self._waited += waited
        self._arrived += arrived
        if self._waited < self._window_seconds:
            return
        if self._arrived < self._bytes_per_second * self._waited:
            least = f"{self._bytes_per_second:g} bytes a second"
            raise TooSlow(f"The body arrives more slowly than {least}.")
        self._waited, self._arrived = 0.0, 0
