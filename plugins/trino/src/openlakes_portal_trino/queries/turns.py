"""Whose turn it is: at most so many statements of one person, and so many in all, run at the same time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Hands out turns in the order in which they were asked for, except that nobody's wait holds up another person."""

    def __init__(self, per_user: int, total: int) -> None:
        self._per_user = per_user
        self._total = total
        self._running: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Event]] = []

    def position(self, turn: asyncio.Event) -> int | None:
        """How many of the same person are before this one; None once it has its turn."""
        owner = next((name for name, waiting in self._waiting if waiting is turn), None)
        if owner is None:
            return None
        mine = [waiting for name, waiting in self._waiting if name == owner]
        return mine.index(turn)

    def waiting(self, owner: str) -> int:
        """How many of a person's statements wait."""
        return sum(name == owner for name, _ in self._waiting)

    @asynccontextmanager
    async def turn(self, owner: str, event: asyncio.Event) -> AsyncIterator[None]:
        """Wait for a turn and hold it; `event` names it and is set when it has come."""
        entry = (owner, event)
        self._waiting.append(entry)
        self._hand_out()
        try:
            await event.wait()
            yield
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
            else:
                self._running[owner] -= 1
            self._hand_out()

    def _hand_out(self) -> None:
        for entry in list(self._waiting):
            owner, event = entry
            if self._running.total() >= self._total:
                return
            if self._running[owner] < self._per_user:
                self._waiting.remove(entry)
                self._running[owner] += 1
                event.set()
