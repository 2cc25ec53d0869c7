"""Writing and reading audit records.

An *intent* is committed before the effect; the *outcome* after it, under the same request id; an *event* stands alone
(a sign-in, a refusal). Text from outside is kept on one line: control and direction characters are escaped.
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select
from sqlalchemy.engine import Row

from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.tables import audit_records as table
from openlakes_portal.spi import BadRequest, Listing, Principal, Unavailable

Phase = Literal["intent", "outcome", "event"]
MAX_TEXT = 500


@dataclass(frozen=True)
class AuditRecord:
    """One record, as the API shows it."""

    id: int
    at: datetime
    actor: str
    actor_name: str
    session: str | None
    action: str
    object: str
    phase: Phase
    result: str
    request_id: str
    address: str | None
    details: dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """What is to be recorded."""

    action: str
    request_id: str
    principal: Principal | None = None
    object: str = ""
    address: str | None = None
    details: dict[str, str] = field(default_factory=dict)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text on one line: every control, format, surrogate and line separator character escaped, and bounded."""
    out = "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else f"\\u{ord(c):04x}"
        for c in text[: limit * 2]
    )
    return out if len(out) <= limit else out[: limit - 1] + "…"


class AuditLog:
    """The log in the portal's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, entry: Entry, phase: Phase, result: str) -> None:
        """Commit one record. Raises `Unavailable` where that is not possible: the caller must not go on then."""
        principal = entry.principal
        values = {
            "at": now(),
            "actor": clean(principal.identity) if principal else "anonymous",
            "actor_name": clean(principal.username) if principal else "anonymous",
            "session": principal.session_id if principal else None,
            "action": clean(entry.action),
            "object": clean(entry.object),
            "phase": phase,
            "result": clean(result),
            "request_id": entry.request_id,
            "address": entry.address,
            "details": {clean(key, 80): clean(value) for key, value in entry.details.items()},
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(table).values(values))
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable(
                "The audit log cannot be written, so nothing was changed.",
                remedy="See /api/ready; reading goes on meanwhile.",
            ) from error

    async def read(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        request_id: str | None = None,
    ) -> Listing[AuditRecord]:
        """Records, newest first."""
        query = select(table).order_by(table.c.id.desc()).limit(max(1, min(limit, 500)) + 1)
        if cursor is not None:
            if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
                raise BadRequest("The cursor is none of ours.")
            query = query.where(table.c.id < int(cursor))
        if actor:
            query = query.where((table.c.actor == actor) | (table.c.actor_name == actor))
        if action:
            query = query.where(table.c.action.startswith(action, autoescape=True))
        if request_id:
            query = query.where(table.c.request_id == request_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        limit = max(1, min(limit, 500))
        following = str(rows[limit - 1].id) if len(rows) > limit else None
        return Listing([_record(row) for row in rows[:limit]], following)


def _record(row: Row[Any]) -> AuditRecord:
    return AuditRecord(
        row.id,
        row.at,
        row.actor,
        row.actor_name,
        row.session,
        row.action,
        row.object,
        row.phase,
        row.result,
        row.request_id,
        row.address,
        row.details,
    )
