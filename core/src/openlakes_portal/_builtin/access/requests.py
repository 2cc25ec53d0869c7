"""Asking for access, and deciding about it. A request that is granted becomes a binding, which may end by itself."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, model_validator
from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.bindings import check_end, new_binding
from openlakes_portal._builtin.access.common import as_stored
from openlakes_portal._builtin.access.views import (
    Body,
    Filter,
    GrantorView,
    Name,
    Paging,
    PreviewView,
    Tried,
    grantor_views,
    preview_view,
)
from openlakes_portal._builtin.tokens import in_person
from openlakes_portal._rbac.book import REQUESTED
from openlakes_portal._rbac.resources import ResourceError, check_resource
from openlakes_portal._store.clock import now, sortable_id
from openlakes_portal._store.identity_tables import access_requests as table
from openlakes_portal._store.identity_tables import role_bindings
from openlakes_portal._store.names import names_of
from openlakes_portal.spi import (
    BadRequest,
    Conflict,
    FieldError,
    InvalidInput,
    Limited,
    Listing,
    NotAllowed,
    NotFound,
    Principal,
    Reply,
    Request,
    Route,
    SignedIn,
)

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal

MOST_OPEN = 20
"""Open requests of one person."""
YEAR = 366 * 86_400
ABSENT = "There is no such request."


class NewRequest(Body):
    """What is asked for, what for, and for how many seconds (null: for good)."""

    permission: str = Field(min_length=1, max_length=64)
    resource: Filter | None = None
    purpose: Name
    duration: int | None = Field(None, ge=60, le=YEAR)


class RequestView(BaseModel):
    """A request. `mine`: of who reads; `may_decide`: who reads can decide it."""

    id: str
    subject: str
    username: str
    name: str
    permission: str
    description: str
    resource: str | None
    purpose: str
    duration: int | None
    state: Literal["open", "granted", "refused", "withdrawn"]
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    decided_by_name: str | None
    decision_reason: str | None
    expires_at: datetime | None
    binding_id: str | None
    mine: bool
    may_decide: bool


class RequestMade(RequestView):
    """A request that was made, and who can decide it."""

    grantors: list[GrantorView]


class RequestFilter(Paging):
    """Which requests."""

    state: Literal["open", "granted", "refused", "withdrawn"] | None = None
    box: Literal["all", "mine", "inbox"] = Field("all", description="mine: my own; inbox: those that I may decide")


class Decided(Body):
    """The decision. Without an end the one that was asked for counts (`expires_at` and `duration`: one of them)."""

    decision: Literal["grant", "refuse"]
    reason: Name
    expires_at: AwareDatetime | None = None
    duration: int | None = Field(None, ge=60, le=YEAR)

    @model_validator(mode="after")
    def _one_end(self) -> "Decided":
        if self.expires_at is not None and self.duration is not None:
            raise ValueError("give expires_at or duration, not both")
        return self


class DecisionAnswer(BaseModel):
    """The request after the decision, and what it gives."""

    request: RequestView
    preview: PreviewView
    dry_run: bool


class Inbox:
    """Requests as one person may see them."""

    def __init__(self, portal: "Portal") -> None:
        self._portal = portal

    async def may_decide(self, principal: Principal, row: Row[Any]) -> bool:
        """Whether this person can decide it: never one's own; else who manages access, and who owns the thing."""
        if _owner(row) == principal.identity:
            return False
        if principal.may(may_do.ACCESS):
            return True
        if row.resource is None or "*" in row.resource:
            return False
        return await self._portal.decisions.owner(row.permission, row.resource) == principal.identity

    async def sees(self, principal: Principal, row: Row[Any], box: str) -> bool:
        """Whether it is in that box of this person's."""
        if _owner(row) == principal.identity:
            return box != "inbox"
        return box != "mine" and await self.may_decide(principal, row)

    async def page(self, principal: Principal, query: RequestFilter) -> Listing[RequestView]:
        """Newest first. What is not to be seen leaves no gap."""
        wanted = select(table).order_by(table.c.id.desc()).limit(query.limit + 1)
        if query.state is not None:
            wanted = wanted.where(table.c.state == query.state)
        if query.box == "mine":
            wanted = wanted.where(table.c.issuer == principal.issuer, table.c.subject == principal.subject)
        cursor, found = query.cursor, list[Row[Any]]()
        if cursor is not None and not (cursor.isalnum() and len(cursor) <= 40):
            raise BadRequest("The cursor is none of ours.")
        while True:
            async with self._portal.database.read() as connection:
                part = wanted if cursor is None else wanted.where(table.c.id < cursor)
                rows = (await connection.execute(part)).all()
            for row in rows:
                if await self.sees(principal, row, query.box):
                    found.append(row)
            if len(found) > query.limit or len(rows) <= query.limit:
                break
            cursor = rows[-1].id
        more = found[query.limit - 1].id if len(found) > query.limit else None
        return Listing([await self.view(principal, row) for row in found[: query.limit]], more)

    async def view(self, principal: Principal, row: Row[Any]) -> RequestView:
        """A request as this person sees it."""
        async with self._portal.database.read() as connection:
            names = await names_of(connection, {_owner(row), *([row.decided_by] if row.decided_by else [])})
        permission = self._portal.book.current.permissions.get(row.permission)
        return RequestView(
            id=row.id,
            subject=_owner(row),
            username=row.username,
            name=names.get(_owner(row), ("", row.username))[1],
            permission=row.permission,
            description=permission.description if permission else "",
            resource=row.resource,
            purpose=row.purpose,
            duration=row.duration,
            state=row.state,
            created_at=row.created_at,
            decided_at=row.decided_at,
            decided_by=row.decided_by,
            decided_by_name=names.get(row.decided_by or "", ("", None))[1],
            decision_reason=row.decision_reason,
            expires_at=row.expires_at,
            binding_id=row.binding_id,
            mine=_owner(row) == principal.identity,
            may_decide=row.state == "open" and await self.may_decide(principal, row),
        )


def request_routes(portal: "Portal") -> list[Route]:
    """Routes below `access/requests`."""
    inbox = Inbox(portal)

    async def ask(request: Request, body: NewRequest) -> Reply[RequestMade]:
        """Ask for a permission"""
        principal = request.principal
        in_person(principal)
        _check(portal, body)
        if (await portal.decisions.decide(principal, body.permission, _one(body.resource))).allowed:
            raise Conflict("You may do that already.")
        id = sortable_id()
        values = {
            "id": id,
            "issuer": principal.issuer,
            "subject": principal.subject,
            "username": principal.username,
            **body.model_dump(),
            "state": "open",
            "created_at": now(),
        }
        async with portal.database.write() as connection:
            mine = (table.c.issuer == principal.issuer, table.c.subject == principal.subject, table.c.state == "open")
            same = (table.c.permission == body.permission, table.c.resource.is_not_distinct_from(body.resource))
            if (await connection.execute(select(table.c.id).where(*mine, *same))).first() is not None:
                raise Conflict("You have asked for that already.", remedy="Wait for the decision, or withdraw it.")
            count = (await connection.execute(select(func.count()).select_from(table).where(*mine))).scalar() or 0
            if count >= MOST_OPEN:
                raise Limited(f"You have {MOST_OPEN} open requests.", remedy="Withdraw one first.")
            await connection.execute(insert(table).values(values))
            request.record(after=values)
            row = await _row(connection, id)
        grantors = await portal.grantors.of(body.permission, body.resource)
        view = (await inbox.view(principal, row)).model_dump()
        made = RequestMade(**view, grantors=grantor_views(grantors))
        return Reply(made, 201, location=f"/api/access/requests/{id}")

    async def listing(request: Request, query: RequestFilter) -> Listing[RequestView]:
        """My requests, and those that I may decide"""
        return await inbox.page(request.principal, query)

    async def one(request: Request) -> RequestView:
        """A request"""
        async with portal.database.read() as connection:
            row = await _row(connection, request.path("request"))
        if not await inbox.sees(request.principal, row, "all"):
            raise NotFound(ABSENT)
        return await inbox.view(request.principal, row)

    async def decide(request: Request, query: Tried, body: Decided) -> DecisionAnswer:
        """Grant a request, or refuse it"""
        principal, moment = request.principal, now()
        in_person(principal)
        async with portal.database.read() as connection:
            row = await _row(connection, request.path("request"))
        if not await inbox.sees(principal, row, "all"):
            raise NotFound(ABSENT)
        if not await inbox.may_decide(principal, row):
            raise NotAllowed("Nobody decides their own request.", remedy="Ask one of the others who can grant it.")
        check_end(body.expires_at)
        duration = body.duration if body.duration is not None else row.duration
        end = body.expires_at or (moment + timedelta(seconds=duration) if duration is not None else None)

        async def apply(connection: AsyncConnection) -> Row[Any]:
            values: dict[str, Any] = {
                "state": "granted" if body.decision == "grant" else "refused",
                "decided_at": moment,
                "decided_by": principal.identity,
                "decision_reason": body.reason,
            }
            if body.decision == "grant":
                binding = new_binding(
                    portal.book.current,
                    role=row.permission,
                    subject=_owner(row),
                    resource=row.resource,
                    expires_at=end,
                    reason=f"{REQUESTED}{row.id}: {row.purpose}",
                    created_by=principal.identity,
                )
                await connection.execute(insert(role_bindings).values(binding))
                values |= {"binding_id": binding["id"], "expires_at": end}
            here = (table.c.id == row.id, table.c.state == "open")
            if (await connection.execute(update(table).where(*here).values(values))).rowcount != 1:
                raise Conflict("It is decided already, or was withdrawn.", remedy="Load it again.")
            decided = await _row(connection, row.id)
            request.record(before=as_stored(row), after=as_stored(decided))
            return decided

        after, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        view = await inbox.view(principal, after)
        return DecisionAnswer(request=view, preview=preview_view(preview), dry_run=query.dry_run)

    async def withdraw(request: Request) -> RequestView:
        """Withdraw my request"""
        principal = request.principal
        in_person(principal)
        async with portal.database.write() as connection:
            row = await _row(connection, request.path("request"))
            if _owner(row) != principal.identity:
                raise NotFound(ABSENT)
            here = (table.c.id == row.id, table.c.state == "open")
            if (await connection.execute(update(table).where(*here).values(state="withdrawn"))).rowcount != 1:
                raise Conflict("It is decided already.")
            withdrawn = await _row(connection, row.id)
            request.record(before={"state": row.state}, after={"state": withdrawn.state})
        return await inbox.view(principal, withdrawn)

    anybody = SignedIn("everybody may ask; each sees their own requests and those that they may decide")
    at, audit = "access/requests/{request}", "core.access.request"
    return [
        Route("POST", "access/requests", ask, anybody, status=201, audit=f"{audit}.make", audit_object="permission"),
        Route("GET", "access/requests", listing, anybody),
        Route("GET", at, one, anybody),
        Route("POST", f"{at}/decision", decide, anybody, audit=f"{audit}.decide", audit_object="request"),
        Route("DELETE", at, withdraw, anybody, audit=f"{audit}.withdraw", audit_object="request"),
    ]


def _owner(row: Row[Any]) -> str:
    return f"{row.issuer}#{row.subject}"


def _one(resource: str | None) -> str | None:
    """A filter is no resource: nobody holds it "already"."""
    return None if resource is not None and "*" in resource else resource


async def _row(connection: AsyncConnection, id: str) -> Row[Any]:
    row = (await connection.execute(select(table).where(table.c.id == id))).first()
    if row is None:
        raise NotFound(ABSENT)
    return row


def _check(portal: "Portal", body: NewRequest) -> None:
    permission = portal.book.current.permissions.get(body.permission)
    if permission is None:
        wrong = FieldError("/permission", "no active plugin has this permission")
        raise InvalidInput("There is no such permission.", errors=(wrong,))
    if body.resource is None:
        return
    if not permission.scoped:
        wrong = FieldError("/resource", "leave it out: this permission is not asked about resources")
        raise InvalidInput("This permission cannot be given for some resources only.", errors=(wrong,))
    try:
        check_resource(body.resource.replace("*", "x"))
    except ResourceError as error:
        raise InvalidInput("The resource cannot be read.", errors=(FieldError("/resource", str(error)),)) from None
