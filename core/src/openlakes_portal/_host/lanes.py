"""A lane: one plugin's own thread with its own event loop, where its health checks and searches run.

Whatever a check does there, the portal's loop goes on: one that hangs is cancelled at its deadline, one that spins in
Python is interrupted, one that hangs in C keeps its lane and is reported until it returns.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
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
        if self._stuck:
            raise LaneBlocked("an earlier call still blocks and cannot be interrupted")
        future = asyncio.run_coroutine_threadsafe(self._guarded(function, args, seconds), self._running_loop())
        watched = asyncio.wrap_future(future)
        watched.add_done_callback(_seen)  # who asked may be gone by then
        done, _ = await asyncio.wait({watched}, timeout=seconds + GRACE)
        if not done:
            await self._interrupt(future, watched)
            raise LaneBlocked(f"it did not give control back within {seconds:g} s")
        try:
            return watched.result()
        except StageInterrupted:
            raise LaneBlocked("its thread was interrupted") from None

    async def _guarded(self, function: Callable[..., Awaitable[T]], args: tuple[Any, ...], seconds: float) -> T:
        async def call() -> T:
            try:
                return await function(*args)
            except (SystemExit, KeyboardInterrupt) as error:
                # They would end the lane's loop; here they are one more way for a check to fail.
                raise RuntimeError(f"it raised {type(error).__name__}") from error

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
        self._loop, self._thread = loop, thread
        return loop

    async def _interrupt(self, future: "Future[T]", watched: "asyncio.Future[T]") -> None:
        """End the call where that is possible; one that blocks in C is interrupted when it returns from there."""
        if self._thread is not None:
            interrupt(self._thread)
        done, _ = await asyncio.wait({watched}, timeout=GRACE)
        if done:
            watched.exception()  # seen: it is the interruption
            return
        self._stuck = True
        future.add_done_callback(self._recovered)

    def _recovered(self, future: "Future[T]") -> None:
        self._stuck = False

    async def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """Run `last` here (what closes connections of this loop), then stop the thread if it listens."""
        if self._loop is None or self._thread is None or not self._thread.is_alive() or self._stuck:
            return
        with contextlib.suppress(Exception):
            await self.run(last, seconds=1.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, GRACE)


def _seen(future: "asyncio.Future[T]") -> None:
    if not future.cancelled():
        future.exception()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    except StageInterrupted:
        pass
    finally:
        with contextlib.suppress(RuntimeError):
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
