"""Writing audit records, each chained to the one before.

An *intent* is committed before the effect; the *outcome* after it, under the same request id; an *event* stands alone
(a sign-in, a refusal). Whoever writes waits until the record is committed. Records that are waiting together are
committed together: one flush of the disk serves them all, and the chain needs an order anyway.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._audit.reading import AuditQuery, read_records
from openlakes_portal._audit.record import AuditRecord, Entry, Phase, chained
from openlakes_portal._store.audit_tables import audit_records, audit_statements, audit_writers
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal.spi import Listing, Unavailable

BATCH = 256
log = structlog.get_logger("audit")


@dataclass(frozen=True)
class Head:
    """The end of one writer's chain."""

    writer: str
    seq: int
    hash: str


class HeadMoved(Exception):
    """The store's head of this writer is not the one that this process knows."""


class AuditLog:
    """The log in the portal's database, and this process's chain in it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._head: Head | None = None
        self._pending: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None

    @property
    def head(self) -> Head | None:
        """The end of this process's chain; None before its first record."""
        return self._head

    async def write(self, entry: Entry, phase: Phase, result: str) -> None:
        """Commit one record. Raises `Unavailable` where that is not possible: the caller must not go on then."""
        written = asyncio.get_running_loop().create_future()
        written.add_done_callback(_seen)
        self._pending.append((entry.values(phase, result, now()), written))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        await asyncio.shield(written)  # whoever gives up waiting does not take the record back

    async def read(self, query: AuditQuery | None = None) -> Listing[AuditRecord]:
        """Records, newest first."""
        return await read_records(self._database, query or AuditQuery())

    async def _flush(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[:BATCH], self._pending[BATCH:]
                try:
                    await self._commit([values for values, _ in batch])
                except BaseException as error:
                    # What waits behind would only wait as long again: a lock or a database that is away.
                    batch, self._pending = batch + self._pending, []
                    failure = error if isinstance(error, Unavailable) else _unwritable(error)
                    for _, written in batch:
                        if not written.done():
                            written.set_exception(failure)
                    if not isinstance(error, Exception):
                        raise
                else:
                    for _, written in batch:
                        if not written.done():
                            written.set_result(None)
        finally:
            self._flusher = None

    async def _commit(self, batch: list[dict[str, Any]]) -> None:
        try:
            await self._append(batch)
        except HeadMoved:
            await self._find_head()
            await self._append(batch)

    async def _append(self, batch: list[dict[str, Any]]) -> None:
        async with self._database.write() as connection:
            head = self._head or await _begin(connection, await _joint(connection))
            rows, seq, prev = [], head.seq, head.hash
            for values in batch:
                seq += 1
                row = chained(values, head.writer, seq, prev)
                prev = row["hash"]
                rows.append(row)
            moved = await connection.execute(
                update(audit_writers)
                .where(audit_writers.c.writer == head.writer, audit_writers.c.seq == head.seq)
                .values(seq=seq, hash=prev)
            )
            if moved.rowcount != 1:
                raise HeadMoved
            await connection.execute(insert(audit_records), rows)
        self._head = Head(head.writer, seq, prev)

    async def _find_head(self) -> None:
        """The store knows more: a commit whose answer was lost. It knows less: records are gone, and a new chain says
        so for good, because it begins at a hash that nobody can show."""
        known = self._head
        assert known is not None
        records, writers = audit_records.c, audit_writers.c
        async with self._database.read() as connection:
            row = (await connection.execute(select(audit_writers).where(writers.writer == known.writer))).one_or_none()
            at_head = await connection.execute(
                select(records.hash).where(records.writer == known.writer, records.seq == known.seq)
            )
            there = at_head.scalar() == known.hash or known.seq == 0
        if row is not None and row.seq > known.seq and there:
            self._head = Head(known.writer, row.seq, row.hash)
            return
        log.error("audit records of this process are gone from the database", writer=known.writer, seq=known.seq)
        async with self._database.write() as connection:
            self._head = await _begin(connection, known.hash)


async def _begin(connection: AsyncConnection, joint: str) -> Head:
    """A new chain. Its first record follows `joint`."""
    head = Head(uuid4().hex, 0, joint)
    await connection.execute(
        insert(audit_writers).values(
            writer=head.writer, seq=0, hash=joint, signed_seq=0, signed_hash=joint, started_at=now()
        )
    )
    return head


async def _joint(connection: AsyncConnection) -> str:
    """What a new chain follows: the newest statement, which covers the others' chains."""
    newest = select(audit_statements.c.jws).order_by(audit_statements.c.number.desc()).limit(1)
    jws = (await connection.execute(newest)).scalar()
    return hashlib.sha256(jws.encode()).hexdigest() if jws else ""


def _seen(written: "asyncio.Future[None]") -> None:
    """Nobody may be waiting any more; the failure was logged where it happened."""
    if not written.cancelled():
        written.exception()


def _unwritable(error: BaseException) -> Unavailable:
    log.error("the audit log cannot be written", error=repr(error))
    failure = Unavailable(
        "The audit log cannot be written, so nothing was changed.",
        remedy="See /api/ready; reading goes on meanwhile.",
    )
    failure.__cause__ = error
    return failure
