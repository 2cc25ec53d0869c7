"""Signals between the processes of one portal: a session ended, a binding changed. Sent inside the transaction that
changes it, so that nobody hears of what was rolled back.

PostgreSQL carries them by LISTEN/NOTIFY. On SQLite they are rows of a table, and each process asks five times a second
whether another connection wrote at all (`PRAGMA data_version`, which reads no table). Where a listener loses its
connection it says `lost`, and whoever caches forgets what it knew.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import signals as table

POLL = 0.2
RECONNECT = 0.5
CHANNEL = "openlakes"
KEPT = timedelta(minutes=2)
NEWEST = 100
"""So many stay whatever the clock says: without the last one SQLite would number from 1 again, which nobody reads."""
MAX_PAYLOAD = 7000
"""PostgreSQL refuses 8,000 bytes and more."""

log = structlog.get_logger("signals")
Callback = Callable[[str], None]


class Signals:
    """What this process sends to the others, and hears from them (and from itself)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callbacks: dict[str, list[Callback]] = {}
        self._lost: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._seen = 0
        self.live = False
        """Whether a signal of another process would be heard now."""

    def on(self, kind: str, callback: Callback) -> None:
        """Call `callback` with the key of each signal of this kind. It must not wait."""
        self._callbacks.setdefault(kind, []).append(callback)

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever signals may have been missed."""
        self._lost.append(callback)

    async def send(self, connection: AsyncConnection, kind: str, key: str = "") -> None:
        """Send with this transaction."""
        if len(key) > MAX_PAYLOAD:
            raise ValueError(f"the signal {kind} is {len(key)} characters long")
        if self._database.is_sqlite:
            moment = now()
            newest = select(func.max(table.c.id)).scalar_subquery()
            old = (table.c.at < moment - KEPT) & (table.c.id <= newest - NEWEST)
            await connection.execute(delete(table).where(old))
            await connection.execute(insert(table).values(kind=kind, key=key, at=moment))
        else:
            payload = json.dumps([kind, key])
            await connection.execute(
                text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload}
            )

    async def start(self) -> None:
        """Listen from now on."""
        ready = asyncio.Event()
        self._task = asyncio.create_task(self._poll(ready) if self._database.is_sqlite else self._listen(ready))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._database.busy_timeout):
                await ready.wait()

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _deliver(self, kind: str, key: str) -> None:
        for callback in self._callbacks.get(kind, ()):
            try:
                callback(key)
            except Exception as error:
                log.error("a signal was not handled", kind=kind, error=repr(error), exc_info=error)

    def _miss(self) -> None:
        self.live = False
        for callback in self._lost:
            callback()

    def _hear_again(self, ready: asyncio.Event) -> None:
        """From now on nothing is missed; what came since the last look was, unless this is the first time."""
        if ready.is_set():
            self._miss()
        self.live = True
        ready.set()

    async def _poll(self, ready: asyncio.Event) -> None:
        import aiosqlite

        while True:
            try:
                async with aiosqlite.connect(self._database.url.database or "", isolation_level=None) as connection:
                    self._seen = await self._newest()
                    version = await _data_version(connection)
                    self._hear_again(ready)
                    while True:
                        await asyncio.sleep(POLL)
                        newest = await _data_version(connection)
                        if newest != version:
                            version = newest
                            await self._read_new()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.warning("signals cannot be read", error=repr(error))
                self._miss()
                await asyncio.sleep(RECONNECT)

    async def _newest(self) -> int:
        async with self._database.read() as connection:
            return int((await connection.execute(select(func.max(table.c.id)))).scalar() or 0)

    async def _read_new(self) -> None:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(table).where(table.c.id > self._seen).order_by(table.c.id))).all()
        for row in rows:
            self._seen = row.id
            self._deliver(row.kind, row.key)

    async def _listen(self, ready: asyncio.Event) -> None:
        import asyncpg  # type: ignore[import-untyped]

        url = self._database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                connection = await asyncpg.connect(url, timeout=self._database.busy_timeout)
                try:
                    ended = asyncio.Event()
                    connection.add_termination_listener(lambda _, ended=ended: ended.set())
                    await connection.add_listener(CHANNEL, self._heard)
                    self._hear_again(ready)
                    while not ended.is_set():
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(5):
                                await ended.wait()
                        await connection.execute("SELECT 1", timeout=self._database.busy_timeout)
                finally:
                    await connection.close(timeout=1)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.warning("the database's signals are not heard", error=repr(error))
            self._miss()
            await asyncio.sleep(RECONNECT)

    def _heard(self, connection: Any, pid: int, channel: str, payload: str) -> None:
        kind, key = json.loads(payload)
        self._deliver(kind, key)


async def _data_version(connection: Any) -> int:
    cursor = await connection.execute("PRAGMA data_version")
    row = await cursor.fetchone()
    await cursor.close()
    return int(row[0])
