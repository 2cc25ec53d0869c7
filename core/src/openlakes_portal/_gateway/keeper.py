"""Exchanges and WebSockets that are open: they end within seconds when the sign-in or the permission does."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from openlakes_portal._http.sse import CHECK_SESSION, SLICE, Holder, allows


class Keeper:
    """Asks for all that is open, once for each holder, every two seconds; cancels what may not go on."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._open: dict[str, tuple[Holder, set[asyncio.Task[object]]]] = {}
        self._task: asyncio.Task[None] | None = None
        self.ended: set[asyncio.Task[object]] = set()
        """Tasks that were cancelled here, until they have seen it."""

    @contextmanager
    def watch(self, holder: Holder) -> Iterator[None]:
        """Watch the present task; raises `Refused` in it where it may not go on."""
        task = asyncio.current_task()
        assert task is not None
        _, tasks = self._open.setdefault(holder.key, (holder, set()))
        tasks.add(task)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep())
        try:
            yield
        except asyncio.CancelledError:
            if task not in self.ended:
                raise
            task.uncancel()
            raise Refused from None
        finally:
            self.ended.discard(task)
            tasks.discard(task)
            if not tasks:
                self._open.pop(holder.key, None)

    async def _keep(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SESSION):
                    await self._stopping.wait()
            if self._stopping.is_set():
                await asyncio.sleep(CHECK_SESSION)  # a stop waits for what is under way, as the server says
                continue
            held = list(self._open.values())
            for start in range(0, len(held), SLICE):
                part = held[start : start + SLICE]
                answers = await asyncio.gather(*(allows(holder) for holder, _ in part))
                for (_, tasks), allowed in zip(part, answers, strict=True):
                    if not allowed:
                        self._end(tasks)

    def _end(self, tasks: set[asyncio.Task[object]]) -> None:
        for task in tasks - self.ended:
            self.ended.add(task)
            task.cancel()


class Refused(Exception):
    """The sign-in is over, or the permission is gone: what was open is closed."""
