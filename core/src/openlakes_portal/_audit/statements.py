"""Signed statements about the log. A *checkpoint* says how far each chain had come; an *archive* says which records
left the database, and for which file. Statements are numbered without a gap and each holds the hash of the one before,
so that together they cover every record and each other.

What a checkpoint is about to cover is verified first: a chain that does not hold is never signed over.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._audit.log import AuditLog, Head
from openlakes_portal._audit.reading import record_of
from openlakes_portal._audit.record import AuditRecord, digest, timestamp
from openlakes_portal._store.audit_tables import audit_records, audit_statements, audit_writers
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.keyring import Keyring

if TYPE_CHECKING:
    from openlakes_portal._audit.signing import PublicKeys, SigningKey

LOCK_ID = 0x6F6C61756469  # "olaudi"
ROWS = 2_000
"""Records of one chain that one checkpoint verifies and covers at most; the next one goes on."""

log = structlog.get_logger("audit")


@dataclass(frozen=True)
class Broken:
    """A chain that does not hold."""

    writer: str
    seq: int
    why: str


class Statements:
    """Makes statements."""

    def __init__(
        self, database: Database, keyring: Keyring, written: AuditLog | None = None, given_key: str | None = None
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._given_key = given_key
        self._key: SigningKey | None = None
        self._log = written
        self._last_number = 0
        self._believed: PublicKeys | None = None
        self.broken: dict[str, Broken] = {}
        """By writer, since this process started."""

    async def checkpoint(self) -> int:
        """Cover what no statement covers yet; returns the number of the newest statement, 0 where there is none."""
        while True:
            number, more = await self._checkpoint()
            if not more:
                return number

    async def _checkpoint(self) -> tuple[int, bool]:
        key = await self.key()
        async with self._database.write() as connection:
            await self._lock(connection)
            try:
                last = await self._newest(connection)
            except ValueError as error:
                self._break("statements", self._last_number, f"the newest statement does not hold: {error}")
                return self._last_number, False
            self._look_back(last)
            await self._look_at_own(connection)
            writers = audit_writers.c
            behind = select(audit_writers).where(writers.seq > writers.signed_seq).order_by(writers.started_at)
            heads: dict[str, tuple[int, str]] = {}
            more = False
            covered = 0
            for row in (await connection.execute(behind)).all():
                if row.writer in self.broken:
                    continue
                head = await self._verified(connection, row)
                if head.seq > row.signed_seq:
                    heads[row.writer] = (head.seq, head.hash)
                    covered += head.seq - row.signed_seq
                more = more or (head.seq < row.seq and row.writer not in self.broken)
            if not heads:
                return self._last_number, False
            records = covered + (last[1]["records"] if last else 0)
            statement = {"kind": "checkpoint", "heads": {w: list(h) for w, h in heads.items()}, "records": records}
            await self._state(connection, key, statement, last)
            for writer, (seq, hash) in heads.items():
                signed = {"signed_seq": seq, "signed_hash": hash}
                await connection.execute(update(audit_writers).where(writers.writer == writer).values(signed))
        return self._last_number, more

    async def archive(self, statement: dict[str, Any]) -> None:
        """State that records are in a file now."""
        key = await self.key()
        async with self._database.write() as connection:
            await self._lock(connection)
            last = await self._newest(connection)
            assert last is not None
            await self._state(connection, key, {"kind": "archive", "records": last[1]["records"], **statement}, last)

    async def key(self) -> "SigningKey":
        """The key that signs, loaded at its first use: a start has no time for it."""
        if self._key is None:
            from openlakes_portal._audit.signing import load_signing_key

            self._key = await load_signing_key(self._database, self._keyring, self._given_key)
        return self._key

    async def sign(self, statement: dict[str, Any]) -> str:
        """Sign what stands by itself, the end of an export."""
        return (await self.key()).sign({**statement, "at": timestamp(now())})

    async def _state(
        self,
        connection: AsyncConnection,
        key: "SigningKey",
        statement: dict[str, Any],
        last: tuple[str, dict[str, Any]] | None,
    ) -> None:
        number = last[1]["number"] + 1 if last else 1
        moment = now()
        prev = statement_hash(last[0]) if last else ""
        jws = key.sign({**statement, "number": number, "at": timestamp(moment), "prev": prev})
        values = {"number": number, "kind": statement["kind"], "at": moment, "jws": jws}
        await connection.execute(insert(audit_statements).values(values))
        self._last_number = number

    async def _newest(self, connection: AsyncConnection) -> tuple[str, dict[str, Any]] | None:
        """The statement that the next one follows. Raises `ValueError` where it was not signed here."""
        from openlakes_portal._audit.signing import PublicKeys, public_keys

        query = select(audit_statements.c.jws).order_by(audit_statements.c.number.desc()).limit(1)
        jws: str | None = (await connection.execute(query)).scalar()
        if jws is None:
            return None
        if self._believed is None:
            self._believed = PublicKeys(await public_keys(self._database))
        return jws, self._believed.open(jws)

    async def _lock(self, connection: AsyncConnection) -> None:
        """One at a time; SQLite's write lock is held already."""
        if not self._database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})

    async def _verified(self, connection: AsyncConnection, row: Any) -> Head:
        """How far the chain holds beyond what is signed."""
        records = audit_records.c
        query = (
            select(audit_records)
            .where(records.writer == row.writer, records.seq > row.signed_seq)
            .order_by(records.seq)
            .limit(ROWS)
        )
        rows = [record_of(found) for found in (await connection.execute(query)).all()]
        head, problem = await asyncio.to_thread(_follow, Head(row.writer, row.signed_seq, row.signed_hash), rows)
        if problem is None and len(rows) < ROWS and head.seq < row.seq:
            problem = "records at the end of the chain are missing"
        if problem is not None:
            self._break(row.writer, head.seq + 1, problem)
        return head

    async def _look_at_own(self, connection: AsyncConnection) -> None:
        """The store holds at least what this process has written."""
        own = self._log.head if self._log is not None else None
        if own is None or own.writer in self.broken:
            return
        query = select(audit_writers.c.seq).where(audit_writers.c.writer == own.writer)
        there = (await connection.execute(query)).scalar() or 0
        if there < own.seq:
            self._break(own.writer, there + 1, "records at the end of the chain are missing")

    def _look_back(self, last: tuple[str, dict[str, Any]] | None) -> None:
        number = last[1]["number"] if last else 0
        if number < self._last_number:
            self._break("statements", self._last_number, "statements at the end are missing")
            self._last_number = number

    def _break(self, writer: str, seq: int, why: str) -> None:
        self.broken[writer] = Broken(writer, seq, why)
        log.error("the audit log was changed from outside", writer=writer, seq=seq, why=why)


def _follow(head: Head, rows: list[AuditRecord]) -> tuple[Head, str | None]:
    for row in rows:
        if row.seq != head.seq + 1:
            return head, "records are missing"
        if row.prev != head.hash:
            return head, "the record does not follow the one before"
        if digest(exported(row)) != row.hash:
            return head, "the record was changed"
        head = Head(head.writer, row.seq, row.hash)
    return head, None


def exported(record: AuditRecord) -> dict[str, Any]:
    """A record as it stands in an export."""
    fields = {name: getattr(record, name) for name in AuditRecord.__dataclass_fields__}
    return {**fields, "at": timestamp(record.at)}


def statement_hash(jws: str) -> str:
    """What the next statement, or a new chain, follows."""
    return hashlib.sha256(jws.encode()).hexdigest()


def payload(text: str) -> dict[str, Any]:
    """What a statement says, its signature unchecked. Raises `ValueError` where it says nothing."""
    from joserfc import jws

    try:
        content = json.loads(jws.extract_compact(text.encode()).payload)
    except Exception as error:
        raise ValueError(f"it cannot be read ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise ValueError("it is no statement")
    return content
