"""Reading audit records by filters, page by page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, select
from sqlalchemy.engine import Row

from openlakes_portal._audit.record import AuditRecord, Phase
from openlakes_portal._store.audit_tables import audit_records as table
from openlakes_portal._store.database import Database
from openlakes_portal.spi import BadRequest, Listing

MAX_PAGE = 500


@dataclass(frozen=True)
class AuditQuery:
    """Which records. `actor` is a user name or `issuer#subject`; `action`, `object` and `result` match from their
    beginning; times are inclusive at the start and exclusive at the end."""

    limit: int = 50
    cursor: str | None = None
    actor: str | None = None
    action: str | None = None
    object: str | None = None
    result: str | None = None
    phase: Phase | Literal["unfinished", "last"] | None = None
    session: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def read_records(database: Database, query: AuditQuery) -> Listing[AuditRecord]:
    """One page, newest first. Raises `BadRequest` for a cursor that is none of ours."""
    limit = max(1, min(query.limit, MAX_PAGE))
    statement = filtered(select(table), query).order_by(table.c.id.desc()).limit(limit + 1)
    if query.cursor is not None:
        statement = statement.where(table.c.id < id_of(query.cursor))
    async with database.read() as connection:
        rows = (await connection.execute(statement)).all()
    following = str(rows[limit - 1].id) if len(rows) > limit else None
    return Listing([record_of(row) for row in rows[:limit]], following)


async def read_record(database: Database, id: str) -> AuditRecord | None:
    """One record by its id."""
    async with database.read() as connection:
        row = (await connection.execute(select(table).where(table.c.id == id_of(id)))).one_or_none()
    return record_of(row) if row is not None else None


def id_of(text: str) -> int:
    """The id in a cursor or a path."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest("The cursor is none of ours.")
    return int(text)


def filtered(statement: Select[Any], query: AuditQuery) -> Select[Any]:
    """With the filters of the query, its page aside."""
    columns = table.c
    if query.actor:
        statement = statement.where((columns.actor == query.actor) | (columns.actor_name == query.actor))
    for column, prefix in ((columns.action, query.action), (columns.object, query.object)):
        if prefix:
            statement = statement.where(column.startswith(prefix, autoescape=True))
    if query.result:
        statement = statement.where(columns.result.startswith(query.result, autoescape=True))
    for column, value in ((columns.session, query.session), (columns.request_id, query.request_id)):
        if value:
            statement = statement.where(column == value)
    if query.phase in ("unfinished", "last"):
        outcome = table.alias("outcome")
        ended = select(outcome.c.id).where(
            outcome.c.request_id == columns.request_id,
            outcome.c.action == columns.action,
            outcome.c.phase == "outcome",
        )
        open_intent = (columns.phase == "intent") & ~ended.exists()
        statement = statement.where(
            open_intent if query.phase == "unfinished" else (columns.phase != "intent") | open_intent
        )
    elif query.phase:
        statement = statement.where(columns.phase == query.phase)
    if query.since is not None:
        statement = statement.where(columns.at >= query.since)
    if query.until is not None:
        statement = statement.where(columns.at < query.until)
    return statement


def record_of(row: Row[Any]) -> AuditRecord:
    """A row as a record."""
    return AuditRecord(**{name: getattr(row, name) for name in AuditRecord.__dataclass_fields__})
