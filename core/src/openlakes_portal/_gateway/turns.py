"""How many requests one person may have under way at one app: the connections to it are there for everybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openlakes_portal.spi import Limited

AT_ONCE = 32
"""More than a browser has under way by itself; a page that asks for hundreds of files at once gets them in turn."""
WAIT = 5.0


class Turns:
    """So many at once for each key; what is more waits for its turn, and is refused after `wait` seconds."""

    def __init__(self, at_once: int = AT_ONCE, wait: float = WAIT) -> None:
        self._at_once = at_once
        self._wait = wait
        self._of: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Within the block it is this key's turn. Raises `Limited`."""
        room, asking = self._of.setdefault(key, (asyncio.Semaphore(self._at_once), []))
        asking.append(None)
        try:
            if room.locked():
                await self._wait_for(room)
            else:
                await room.acquire()
            try:
                yield
            finally:
                room.release()
        finally:
            asking.pop()
            if not asking:
                del self._of[key]

    async def _wait_for(self, room: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._wait):
                await room.acquire()
        except TimeoutError:
            raise Limited(
                f"You have {self._at_once} requests under way at this app.",
                remedy="Wait until some are done, or close other pages of it.",
                retry_after=self._wait,
            ) from None
