"""`/api/audit`: the log by filters, one record's story, an export that can be verified, how the log stands."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from openlakes_portal._audit.reading import AuditQuery, read_record
from openlakes_portal._audit.record import AuditRecord, Entry
from openlakes_portal._builtin import permissions as may_do
from openlakes_portal.spi import Listing, NotFound, Request, Route, Stream

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal

NDJSON = "application/x-ndjson"


class AuditView(BaseModel):
    """An audit record. `writer`, `seq`, `prev` and `hash` are its place in the chain of the process that wrote it."""

    id: int
    at: datetime
    actor: str
    actor_name: str
    session: str | None
    action: str
    object: str
    phase: str
    result: str
    request_id: str
    address: str | None
    details: dict[str, Any]
    writer: str
    seq: int
    prev: str
    hash: str


class AuditSelection(BaseModel):
    """Which audit records."""

    actor: str | None = Field(None, max_length=300, description="issuer#subject or user name")
    action: str | None = Field(None, max_length=200, description="Beginning of the action's name")
    object: str | None = Field(None, max_length=300, description="Beginning of the object's name")
    result: str | None = Field(None, max_length=100, description="Beginning of the result: done, refused, failed")
    phase: Literal["intent", "outcome", "event", "unfinished", "last"] | None = Field(
        None, description="unfinished: intents without an outcome; last: those, outcomes and events"
    )
    session: str | None = Field(None, max_length=36, description="Records of one session or API token")
    request_id: str | None = Field(None, max_length=64, description="Records of one request")
    since: AwareDatetime | None = Field(None, description="From this time on (RFC 3339)")
    until: AwareDatetime | None = Field(None, description="Before this time (RFC 3339)")


class AuditFilter(AuditSelection):
    """One page of the records that match."""

    limit: int = Field(50, ge=1, le=500, description="Most records of a page")
    cursor: str | None = Field(None, max_length=18, description="next_cursor of the page before")


class AuditStory(BaseModel):
    """A record, and all that was recorded of the same request, oldest first."""

    record: AuditView
    story: list[AuditView]


class BrokenView(BaseModel):
    """A chain that does not hold."""

    writer: str
    seq: int
    why: str


class AuditStateView(BaseModel):
    """How the log stands: how many records signed statements cover, and how many not yet; what waits for which sink."""

    covered: int
    uncovered: int
    statement: int
    statement_at: datetime | None
    archived: int
    broken: list[BrokenView]
    waiting: dict[str, int]
    failing: dict[str, str]


def audit_routes(portal: "Portal") -> list[Route]:
    """Routes of the log."""

    async def audit(request: Request, query: AuditFilter) -> Listing[AuditView]:
        """Audit records, newest first"""
        page = await portal.audit.read(AuditQuery(**query.model_dump()))
        return Listing([_view(r) for r in page.items], page.next_cursor)

    async def record(request: Request) -> AuditStory:
        """A record, with all that was recorded of its request"""
        found = await read_record(portal.database, request.path("record"))
        if found is None:
            raise NotFound("There is no such record; it may be in an archive.")
        story = await portal.audit.read(AuditQuery(limit=500, request_id=found.request_id))
        return AuditStory(record=_view(found), story=[_view(r) for r in reversed(story.items)])

    async def export(request: Request, query: AuditSelection) -> Stream:
        """All records as JSON lines, with what `openlakes audit verify` needs; or those that match"""
        chosen = query.model_dump(exclude_none=True)
        entry = Entry("core.audit.exported", request.id, request.principal)
        entry = replace(entry, details={name: str(value) for name, value in chosen.items()})
        await portal.audit.write(entry, "event", "started")
        lines = portal.trail.export(AuditQuery(**chosen) if chosen else None)
        return Stream(_in_blocks(lines), NDJSON, f"audit-{request.id[:12]}.jsonl")

    async def state(request: Request) -> AuditStateView:
        """How far signed statements cover the log, and whether it holds"""
        return AuditStateView.model_validate(await portal.trail.state(), from_attributes=True)

    return [
        Route("GET", "audit", audit, may_do.AUDIT),
        Route("GET", "audit/export", export, may_do.AUDIT, produces=(NDJSON,)),
        Route("GET", "audit/state", state, may_do.AUDIT),
        Route("GET", "audit/records/{record}", record, may_do.AUDIT),
    ]


def _view(record: AuditRecord) -> AuditView:
    return AuditView.model_validate(record, from_attributes=True)


async def _in_blocks(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines together, as much as makes a packet worth sending."""
    held: list[bytes] = []
    size = 0
    async for line in lines:
        held.append(line)
        size += len(line)
        if size >= 64 * 1024:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
