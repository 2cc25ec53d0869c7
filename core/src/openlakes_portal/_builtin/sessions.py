"""Sessions: one's own, and for those who may, everybody's; where each was begun, and its end."""

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement

from openlakes_portal._auth.sessions import Session
from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.views import Paging
from openlakes_portal._builtin.tokens import in_person
from openlakes_portal._store.tables import sessions as table
from openlakes_portal.spi import BadRequest, Listing, NotAllowed, NotFound, Principal, Request, Route, SignedIn

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal

OWN = SignedIn("one's own sessions; everybody's with core:session:manage")
MAX_CURSOR = 64


class SessionView(BaseModel):
    """A sign-in that is in force. `address` and `agent` are those of the browser at the sign-in."""

    id: str
    current: bool
    subject: str
    issuer: str
    username: str
    name: str
    address: str | None
    agent: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class SessionFilter(Paging):
    """Which sessions."""

    all: bool = Field(False, description="Everybody's")
    username: str | None = Field(None, max_length=300, description="Those of this person")


class EndFilter(BaseModel, extra="forbid"):
    """Which sessions are to end."""

    username: str | None = Field(None, max_length=300, description="Those of this person; left out: one's own")
    keep_current: bool = Field(True, description="All but the one that asks")


class Ended(BaseModel):
    """How many sessions were ended."""

    ended: int


def session_routes(portal: "Portal") -> list[Route]:
    """Below /api/sessions."""

    async def list_sessions(request: Request, query: SessionFilter) -> Listing[SessionView]:
        """Sessions in force, newest first"""
        condition = _whose(request.principal, query.username, everybody=query.all)
        if query.cursor is not None:
            if len(query.cursor) > MAX_CURSOR or not query.cursor.isalnum():
                raise BadRequest("The cursor is none of ours.")
            condition = condition & (table.c.public_id < query.cursor)
        found, following = await portal.sessions.page(condition, limit=query.limit)
        return Listing([_view(session, request.principal) for session in found], following)

    async def end_session(request: Request) -> None:
        """End one"""
        in_person(request.principal)
        mine = _is_of(request.principal)
        condition = table.c.public_id == request.path("session")
        if may_do.SESSIONS.name not in request.principal.permissions:
            condition = condition & mine
        ended = await portal.sessions.end_where(condition)
        if not ended:
            raise NotFound("There is no such session.", remedy="It may have ended meanwhile.")
        request.record(before=[_view(session, request.principal) for session in ended])

    async def end_sessions(request: Request, query: EndFilter) -> Ended:
        """End all of one's own, or of somebody"""
        in_person(request.principal)
        condition = _whose(request.principal, query.username)
        if query.keep_current:
            condition = condition & (table.c.public_id != (request.principal.session_id or ""))
        ended = await portal.sessions.end_where(condition)
        request.record(before={"sessions": [session.public_id for session in ended]})
        return Ended(ended=len(ended))

    return [
        Route("GET", "sessions", list_sessions, OWN),
        Route("DELETE", "sessions", end_sessions, OWN, audit="core.session.end-all"),
        Route("DELETE", "sessions/{session}", end_session, OWN, audit="core.session.end", audit_object="session"),
    ]


def _is_of(principal: Principal) -> ColumnElement[bool]:
    return (table.c.issuer == principal.issuer) & (table.c.subject == principal.subject)


def _whose(principal: Principal, username: str | None, *, everybody: bool = False) -> ColumnElement[bool]:
    """The rows that are meant. Raises `NotAllowed` for others' without the permission."""
    if not everybody and username in (None, principal.username):
        return _is_of(principal)
    if may_do.SESSIONS.name not in principal.permissions:
        raise NotAllowed("You may see and end your own sessions only.", permission=may_do.SESSIONS.name)
    return table.c.username == username if username is not None else table.c.public_id != ""


def _view(session: Session, principal: Principal) -> SessionView:
    identity = session.identity
    return SessionView(
        id=session.public_id,
        current=session.public_id == principal.session_id,
        subject=identity.subject,
        issuer=identity.issuer,
        username=identity.username,
        name=identity.name,
        address=session.origin.address,
        agent=session.origin.agent,
        created_at=session.created_at,
        seen_at=session.seen_at,
        expires_at=session.expires_at,
    )
