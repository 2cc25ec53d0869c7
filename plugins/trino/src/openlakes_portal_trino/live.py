"""The status of a statement: one that worker threads write and coroutines wait for, and one that never changes."""

import asyncio
import threading

from openlakes_portal.spi import QueryStatus


class RefusedStatement:
    """A statement that was never sent; it implements `RunningStatement`."""

    def __init__(self, status: QueryStatus) -> None:
        self._status = status

    def status(self) -> QueryStatus:
        """Why."""
        return self._status

    async def wait(self, seen: QueryStatus, at_most: float) -> QueryStatus:
        """Nothing will change."""
        return self._status

    async def stop(self) -> QueryStatus:
        """There is nothing to stop."""
        return self._status


class LiveStatus:
    """The newest `QueryStatus` of one statement. `publish` may be called from any thread; the rest from the loop.

    A status that is done is final: what is published after it is dropped.
    """

    def __init__(self, first: QueryStatus) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._status = first
        self._changed = asyncio.Event()

    @property
    def now(self) -> QueryStatus:
        """The newest status."""
        return self._status

    def publish(self, status: QueryStatus) -> bool:
        """Make this the newest status; False when the last one was final already."""
        with self._lock:
            if self._status.done:
                return False
            self._status = status
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)
        return True

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, seen: QueryStatus, at_most: float) -> QueryStatus:
        """The status once it differs from `seen`, or after `at_most` seconds the newest."""
        deadline = self._loop.time() + at_most
        while self._status == seen and not self._status.done:
            left = deadline - self._loop.time()
            if left <= 0:
                break
            changed = self._changed
            try:
                async with asyncio.timeout(left):
                    await changed.wait()
            except TimeoutError:
                break
        return self._status

    async def done(self) -> QueryStatus:
        """The final status, once there is one."""
        while not self._status.done:
            await self.wait(self._status, 3600)
        return self._status
