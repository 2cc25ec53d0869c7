"""A lane: one plugin's own thread with its own event loop, where its health checks and searches run.

Whatever a check does there, the portal's loop goes on: one that hangs is cancelled at its deadline, one that spins in
Python is interrupted, one that hangs in C keeps its lane and is reported until it returns.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from openlakes_portal._host.deadline import StageInterrupted, interrupt
from openlakes_portal._host.journal import Attributed, Journal, label

T = TypeVar("T")
GRACE = 0.5


class LaneTimeout(Exception):
    """The code did not finish in time, but gave control back."""


class LaneBlocked(Exception):
    """The code did not give control back in time: it spins, or it blocks in a call that is not asynchronous."""


class Lane:
    """The lane of one plugin; its thread starts with the first call and again after it was interrupted."""

    def __init__(self, plugin: str, version: str, journal: Journal) -> None:
        self._plugin = plugin
        self._journal = journal
        self._label = label(plugin, version)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stuck = False

    async def run(self, function: Callable[..., Awaitable[T]], *args: Any, seconds: float) -> T:
        """Run an async function here within `seconds`; raises `LaneTimeout`, `LaneBlocked`, or what it raises."""
        if self._stuck and self._thread is not None and self._thread.is_alive():
            raise LaneBlocked("an earlier call still blocks and cannot be interrupted")
        loop = self._running_loop()
        future = asyncio.run_coroutine_threadsafe(self._guarded(function, args, seconds), loop)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds + GRACE)
        except TimeoutError:
            if future.done():
                raise LaneTimeout from None
            await self._abandon(future)
            raise LaneBlocked(f"it did not give control back within {seconds:g} s") from None
        except (CancelledError, StageInterrupted):
            raise LaneBlocked("its thread was interrupted") from None

    async def _guarded(self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...], seconds: float) -> T:
        async def call() -> T:
            return await function(*args)

        inner: Coroutine[Any, Any, T] = Attributed(call(), self._journal, self._label)
        try:
            async with asyncio.timeout(seconds):
                return await inner
        except TimeoutError:
            raise LaneTimeout from None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            return self._loop
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_serve, args=(loop,), name=f"lane-{self._plugin}", daemon=True)
        thread.start()
        self._loop, self._thread, self._stuck = loop, thread, False
        return loop

    async def _abandon(self, future: "Future[Any]") -> None:
        """End a blocked thread where that is possible, and never wait for it longer than the grace."""
        thread = self._thread
        if thread is None:
            return
        interrupt(thread)
        await asyncio.to_thread(thread.join, GRACE)
        self._stuck = thread.is_alive()
        if not self._stuck:
            self._loop = self._thread = None
        future.cancel()

    def close(self) -> None:
        """Stop the thread if it listens."""
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=GRACE)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    except StageInterrupted:
        pass
    finally:
        with contextlib.suppress(RuntimeError):
            loop.close()
