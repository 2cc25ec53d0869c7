"""One answer for everybody who asks at about the same time: both servers tell all people the same."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
SECONDS = 2.0


class Shared(Generic[T]):
    """What `ask` answers, asked once in two seconds however many pages are open. A failure is shared as an answer is.

    Who gives up waiting takes nothing from the others. Belongs to one event loop.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._asked: asyncio.Task[T] | None = None
        self._until = 0.0

    async def get(self) -> T:
        """The answer. Raises what `ask` raises."""
        if self._asked is None or (self._asked.done() and self._clock() >= self._until):
            self._asked = asyncio.create_task(self._timed())
        return await asyncio.shield(self._asked)

    async def _timed(self) -> T:
        try:
            return await self._ask()
        finally:
            self._until = self._clock() + SECONDS
