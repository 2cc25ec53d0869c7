"""Limits of rate over all replicas.

Each process counts by itself, in memory, so that a request costs no look into the database. Whoever is about to reach a
limit is told to the others once a second: what a key has used elsewhere is taken from its bucket here. A key that uses
less than a part of its burst is nobody's business, so an ordinary day writes nothing.

Beyond the limit slips what is used within a second before the others know: at most the part of the burst from which
keys are shared, in each replica, and a second's rate.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterable, Mapping

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._http.limits import TokenBuckets
from openlakes_portal._store.database import Database, in_background
from openlakes_portal._store.identity_tables import rates as table

EVERY = 1.0
WINDOW = 10
"""Seconds over which one row counts."""
KEPT = 6
MOST = 1_000
"""Keys that are told of in a second; beyond them somebody plays with keys, and each replica counts for itself."""
log = structlog.get_logger("http")


class SharedRates:
    """Keeps the buckets of this process in step with those of the others."""

    def __init__(self, database: Database, buckets: Mapping[str, TokenBuckets]) -> None:
        self._database = database
        self._buckets = buckets
        self._task: asyncio.Task[None] | None = None
        self._seen: dict[tuple[str, int], float] = {}
        """By hashed key and window: what all have used as far as it is taken into account here."""

    def start(self) -> None:
        """From now on."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """No more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def exchange(self) -> None:
        """Tell what was used here, take off what was used elsewhere."""
        window = int(time.time()) // WINDOW
        mine: dict[str, tuple[str, str, float]] = {}
        for name, buckets in self._buckets.items():
            for key, used in buckets.take_hot(MOST).items():
                mine[_hashed(name, key)] = (name, key, used)
        if not mine:
            return
        async with self._database.write() as connection:
            await connection.execute(delete(table).where(table.c.window < window - KEPT))
            for hashed in sorted(mine):  # in one order everywhere: two replicas never wait for each other
                used = round(mine[hashed][2])
                if used == 0:
                    continue
                insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
                row = insert(table).values(key=hashed, window=window, count=used)
                await connection.execute(
                    row.on_conflict_do_update(
                        index_elements=[table.c.key, table.c.window], set_={"count": table.c.count + used}
                    )
                )
            totals = await self._totals(connection, mine, window)
        for hashed, (name, key, used) in mine.items():
            total, place = totals.get(hashed, 0), (hashed, window)
            elsewhere = total - self._seen.get(place, 0.0) - round(used)
            self._seen[place] = total
            if elsewhere > 0:
                self._buckets[name].take_off(key, elsewhere)
        for place in [place for place in self._seen if place[1] < window - 1]:
            del self._seen[place]

    async def _totals(self, connection: AsyncConnection, keys: Iterable[str], window: int) -> dict[str, int]:
        wanted = select(table.c.key, table.c.count).where(table.c.window == window, table.c.key.in_(list(keys)))
        rows = (await connection.execute(wanted)).all()
        return {key: count for key, count in rows}  # noqa: C416 - a Row is no tuple of a key and a value to mypy

    async def _run(self) -> None:
        in_background.set(True)
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.exchange()
            except Exception as error:
                log.warning("rates could not be told to the other replicas", error=repr(error))


def _hashed(name: str, key: str) -> str:
    return hashlib.sha256(f"{name}\0{key}".encode()).hexdigest()
