"""Admission: the limit of concurrent batches, and their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from service.errors import Overloaded


class Admission:
    """Keeps batches from taking all of the memory, or all of the event loop's time.

    Parameters
    ----------
    most : int
        So many may be read and computed at once; others are refused.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._at_work = 0
        self._turn = asyncio.Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have a place for as long as the block.

        Raises
        ------
        Overloaded
            When there is none.
        """
        if self._at_work >= self._most:
            raise Overloaded("The batch limit is reached; retry later.")
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have the event loop for one batch, after all that was waiting for it has been served."""
        async with self._turn:
            await asyncio.sleep(0)
            yield
