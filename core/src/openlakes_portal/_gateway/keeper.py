"""Exchanges and WebSockets that are open: they end within seconds when the sign-in or the permission does, and those
that never end by themselves when the process stops."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from openlakes_portal._http.sse import CHECK_SESSION, SLICE, Holder, allows

STOPPING = 0.2
"""Seconds between two looks at what is endless and still there while the process stops."""


class Refused(Exception):
    """The sign-in is over, or the permission is gone: what was open is closed."""


class Stopping(Refused):
    """The process stops, and this would not end by itself."""


@dataclass(eq=False)
class Watched:
    """Something that is open, and the task that it lives in."""

    task: asyncio.Task[object]
    is_endless: bool = False
    """Whether a stop of the process ends it at once: it would be waited for in vain."""
    ended: type[Refused] | None = None


class Keeper:
    """Asks for all that is open, once for each holder, every two seconds; cancels what may not go on."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._open: dict[str, tuple[Holder, set[Watched]]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watch(self, holder: Holder, *, endless: bool = False) -> Iterator[Watched]:
        """Watch the present task; raises `Refused` in it where it may not go on, `Stopping` where nothing does."""
        task = asyncio.current_task()
        assert task is not None
        watched = Watched(task, endless)
        _, together = self._open.setdefault(holder.key, (holder, set()))
        together.add(watched)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep())
        try:
            yield watched
        except asyncio.CancelledError:
            if watched.ended is None:
                raise
            task.uncancel()
            raise watched.ended from None
        finally:
            together.discard(watched)
            if not together:
                self._open.pop(holder.key, None)

    async def _keep(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SESSION):
                    await self._stopping.wait()
            if self._stopping.is_set():  # it waits for what is under way, as the server says, and for nothing else
                for _, together in list(self._open.values()):
                    _end({watched for watched in together if watched.is_endless}, Stopping)
                await asyncio.sleep(STOPPING)
                continue
            held = list(self._open.values())
            for start in range(0, len(held), SLICE):
                part = held[start : start + SLICE]
                answers = await asyncio.gather(*(allows(holder) for holder, _ in part))
                for (_, together), allowed in zip(part, answers, strict=True):
                    if not allowed:
                        _end(together, Refused)


def _end(together: set[Watched], reason: type[Refused]) -> None:
    for watched in together:
        if watched.ended is None:
            watched.ended = reason
            watched.task.cancel()
