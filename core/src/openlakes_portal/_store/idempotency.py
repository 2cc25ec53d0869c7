"""`Idempotency-Key`: the first answer to a mutation is kept and given again; a second request meanwhile is 409.

Meaning as in the IETF draft "The Idempotency-Key HTTP Header Field". A key belongs to one person (or one API token of
theirs), method and path; the same key with another query or body is 422. Failures of the server (5xx) are not kept: the
client may try again. Of an answer with a secret in it is kept that it was given, and nothing of it.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.tables import idempotency_keys as table
from openlakes_portal.spi import BadRequest, Conflict, InvalidInput

MAX_KEPT_BODY = 256 * 1024
ABANDONED_AFTER = timedelta(minutes=5)
"""A first request that did not finish within this time is taken for dead (its process was killed)."""


@dataclass(frozen=True)
class KeptAnswer:
    """An answer from before."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Claim:
    """The right to run a request under its key."""

    owner: str
    key: str


class IdempotencyStore:
    """Keys and their answers."""

    def __init__(self, database: Database, ttl: float) -> None:
        self._database = database
        self._ttl = timedelta(seconds=ttl)

    async def begin(self, who: str, method: str, target: str, key: str, body: bytes) -> Claim | KeptAnswer:
        """Claim the key, or get the answer that was given under it. `target` is path and query."""
        if not 1 <= len(key) <= 128 or not key.isascii() or not key.isprintable():
            raise BadRequest("Idempotency-Key must be 1 to 128 printable ASCII characters.")
        path, _, query = target.partition("?")
        owner = hashlib.sha256(f"{who}\n{method}\n{path}".encode()).hexdigest()
        request_hash = hashlib.sha256(query.encode() + b"\0" + body).hexdigest()
        here = and_(table.c.owner == owner, table.c.key == key)
        moment = now()
        try:
            async with self._database.write() as connection:
                await connection.execute(delete(table).where(table.c.created_at < moment - self._ttl))
                abandoned = and_(here, table.c.status.is_(None), table.c.created_at < moment - ABANDONED_AFTER)
                await connection.execute(delete(table).where(abandoned))
                row = (await connection.execute(select(table).where(here))).first()
                if row is None:
                    values = {"owner": owner, "key": key, "request_hash": request_hash, "created_at": moment}
                    await connection.execute(insert(table).values(values))
                    return Claim(owner, key)
        except IntegrityError as error:
            raise Conflict("A request with this Idempotency-Key is being answered at this moment.") from error
        if row.request_hash != request_hash:
            raise InvalidInput("This Idempotency-Key was used with another query or body.", remedy="Use a new key.")
        if row.status is None:
            raise Conflict("The first request with this Idempotency-Key is still running.")
        if row.body is None:
            raise Conflict(
                "This was done under this Idempotency-Key before, and its answer was shown once.",
                remedy="If that answer was lost, undo what was done and do it again with a new key.",
            )
        return KeptAnswer(row.status, dict(row.headers or {}), row.body)

    async def finish(self, claim: Claim, status: int, headers: dict[str, str], body: bytes | None) -> None:
        """Keep the answer; without a body that there was one, which is not given again."""
        here = and_(table.c.owner == claim.owner, table.c.key == claim.key)
        if status >= 500 or (body is not None and len(body) > MAX_KEPT_BODY):
            await self.release(claim)
            return
        async with self._database.write() as connection:
            await connection.execute(update(table).where(here).values(status=status, headers=headers, body=body))

    async def release(self, claim: Claim) -> None:
        """Give the key free again: nothing was done under it."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(table).where(table.c.owner == claim.owner, table.c.key == claim.key, table.c.status.is_(None))
            )
