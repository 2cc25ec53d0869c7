"""Who of the replicas does what only one may do: a lease in the database, renewed while its holder lives.

Whoever holds it and dies, or loses the database, is followed as soon as the lease runs out. Time is the database's own
on PostgreSQL, so that the replicas' clocks do not matter.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, or_, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import leases as table

LONGEST = timedelta(minutes=1)


class Lease:
    """One holder's side of a lease."""

    def __init__(self, database: Database, name: str, holder: str, seconds: float) -> None:
        if timedelta(seconds=seconds) > LONGEST:
            raise ValueError(f"a lease lasts {LONGEST} at most")
        self._database = database
        self._name = name
        self._holder = holder
        self._length = timedelta(seconds=seconds)

    async def take(self) -> bool:
        """Take it, or renew it; whether this holder has it now. Raises `Unavailable` with the database away."""
        columns = table.c
        try:
            async with self._database.write() as connection:
                moment = await self._now(connection)
                values = {"holder": self._holder, "until": moment + self._length}
                # What ends so late was reckoned by a clock that was set back since: its holder may be long dead.
                unreal = columns.until > moment + LONGEST
                free = or_(columns.holder == self._holder, columns.until < moment, unreal)
                taken = await connection.execute(update(table).where(columns.name == self._name, free).values(values))
                if taken.rowcount == 1:
                    return True
                there = await connection.execute(table.select().where(columns.name == self._name))
                if there.one_or_none() is not None:
                    return False
                await connection.execute(insert(table).values(name=self._name, **values))
                return True
        except IntegrityError:  # another's first time
            return False

    async def release(self) -> None:
        """Let another have it at once."""
        async with self._database.write() as connection:
            columns = table.c
            await connection.execute(
                update(table)
                .where(columns.name == self._name, columns.holder == self._holder)
                .values(until=datetime(2000, 1, 1, tzinfo=UTC))
            )

    async def _now(self, connection: AsyncConnection) -> datetime:
        if self._database.is_sqlite:
            return now()
        moment: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return moment
