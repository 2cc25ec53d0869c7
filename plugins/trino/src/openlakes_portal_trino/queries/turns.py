"""Whose turn it is: at most so many statements of one person, and so many in all, run at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

Entry = tuple[str, asyncio.Event]


class Turns:
    """Hands out turns in the order in which they were asked for, except that nobody's wait holds up another person."""

    def __init__(self, per_user: int, total: int) -> None:
        self._per_user = per_user
        self._total = total
        self._running: list[Entry] = []
        self._waiting: list[Entry] = []

    def position(self, turn: asyncio.Event) -> int | None:
        """How many of the same person are before this one; None once it has its turn."""
        owner = next((name for name, waiting in self._waiting if waiting is turn), None)
        if owner is None:
            return None
        mine = [waiting for name, waiting in self._waiting if name == owner]
        return mine.index(turn)

    def waiting(self, owner: str) -> int:
        """How many of a person's statements wait."""
        return _count(self._waiting, owner)

    def withdraw(self, turn: asyncio.Event) -> None:
        """Wake who waits for this turn without giving it to them; one that was given stays given."""
        self._waiting = [entry for entry in self._waiting if entry[1] is not turn]
        turn.set()

    @asynccontextmanager
    async def turn(self, owner: str, event: asyncio.Event) -> AsyncIterator[None]:
        """Wait for a turn and hold it; `event` names it and is set when it has come, or was withdrawn."""
        entry = (owner, event)
        if not event.is_set():
            self._waiting.append(entry)
            self._hand_out()
        try:
            await event.wait()
            yield
        finally:
            for entries in (self._waiting, self._running):
                if entry in entries:
                    entries.remove(entry)
            self._hand_out()

    def _hand_out(self) -> None:
        for entry in list(self._waiting):
            owner, event = entry
            if len(self._running) >= self._total:
                return
            if _count(self._running, owner) < self._per_user:
                self._waiting.remove(entry)
                self._running.append(entry)
                event.set()


def _count(entries: list[Entry], owner: str) -> int:
    return sum(name == owner for name, _ in entries)
