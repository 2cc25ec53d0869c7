"""People who were seen: their groups, their roles and why, what they own; disabling, and handing over."""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.common import is_person, offset_of, person
from openlakes_portal._builtin.access.views import (
    Body,
    GivenView,
    Name,
    Paging,
    PreviewView,
    Tried,
    given,
    preview_view,
)
from openlakes_portal._rbac.accounts import account, identity_in
from openlakes_portal._rbac.administration import held
from openlakes_portal._rbac.policy import Identity, Policy, identity_of
from openlakes_portal._store import handover
from openlakes_portal._store.clock import now
from openlakes_portal._store.identity_tables import people
from openlakes_portal._store.tables import sessions
from openlakes_portal.spi import Conflict, FieldError, InvalidInput, Listing, Request, Route, SignedIn

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal


class RoleHeld(BaseModel):
    """A role (or one permission) that somebody holds, and the binding that gives it."""

    role: str
    kind: Literal["role", "permission"]
    binding: str
    origin: Literal["settings", "demo", "console", "request", "share"]
    by: Literal["group", "subject"]
    group: str | None
    resource: str | None
    expires_at: datetime | None
    reason: str


class UserView(BaseModel):
    """Somebody who has signed in. `groups` are those that the provider stated last."""

    subject: str
    issuer: str
    username: str
    name: str
    email: str | None
    groups: list[str]
    roles: list[RoleHeld]
    first_seen_at: datetime
    last_seen_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None


class UserChanged(BaseModel):
    """Somebody after a change, and what it gives and takes."""

    user: UserView
    preview: PreviewView
    sessions_ended: int
    dry_run: bool


class UserFilter(Paging):
    """Which people."""

    q: str = Field("", max_length=200, description="Part of the user name, the name or the e-mail address")
    disabled: bool | None = None


class UserChange(Body):
    """Disable somebody (with a reason), or enable them again."""

    disabled: bool
    reason: Name | None = None


class OwnedView(BaseModel):
    """Something that somebody owns."""

    plugin: str
    collection: str
    id: str
    title: str
    updated_at: datetime


class HandOver(Body):
    """To whom all of it goes."""

    to: str = Field(min_length=1, max_length=600, description="User name, or issuer#subject")


class HandedOver(BaseModel):
    """How much went to whom."""

    moved: int
    to: str
    dry_run: bool


class GroupView(BaseModel):
    """A group that the provider stated of somebody, or that a binding names."""

    name: str
    members: int
    roles: list[str]


class Mine(BaseModel):
    """What one holds, and by which bindings."""

    groups: list[str]
    roles: list[RoleHeld]
    permissions: list[GivenView]


def people_routes(portal: "Portal") -> list[Route]:
    """Routes below `users` and `groups`, and one's own standing."""

    async def users(request: Request, query: UserFilter) -> Listing[UserView]:
        """People who have signed in, by user name"""
        wanted = select(people).order_by(people.c.username).limit(query.limit + 1)
        if query.q:
            columns = (people.c.username, people.c.name, people.c.email)
            wanted = wanted.where(or_(*(column.icontains(query.q, autoescape=True) for column in columns)))
        if query.disabled is not None:
            at = people.c.disabled_at
            wanted = wanted.where(at.is_not(None) if query.disabled else at.is_(None))
        if query.cursor is not None:
            wanted = wanted.where(people.c.username > query.cursor)
        async with portal.database.read() as connection:
            rows = (await connection.execute(wanted)).all()
        page = rows[: query.limit]
        views = [_user(portal.book.current, row) for row in page]
        return Listing(views, page[-1].username if len(rows) > query.limit else None)

    async def user(request: Request) -> UserView:
        """Somebody"""
        async with portal.database.read() as connection:
            return _user(portal.book.current, await person(connection, request.path("username")))

    async def alter(request: Request, query: Tried, body: UserChange) -> UserChanged:
        """Disable somebody, or enable them again"""
        if body.disabled and body.reason is None:
            raise InvalidInput("Say why.", errors=(FieldError("/reason", "is needed to disable somebody"),))

        async def apply(connection: AsyncConnection) -> Row[Any]:
            row = await person(connection, request.path("username"))
            values: dict[str, Any] = {"disabled_at": None, "disabled_reason": None}
            if body.disabled:
                values = {"disabled_at": row.disabled_at or now(), "disabled_reason": body.reason}
            await connection.execute(update(people).where(is_person(identity_in(row).key)).values(values))
            request.record(before={name: getattr(row, name) for name in values}, after=values)
            await portal.api_tokens.owner_changed(connection, identity_in(row))
            return await person(connection, identity_in(row).key)

        row, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        ended = 0
        if body.disabled and not query.dry_run:
            theirs = (sessions.c.issuer == row.issuer) & (sessions.c.subject == row.subject)
            ended = len(await portal.sessions.end_where(theirs))
        return UserChanged(
            user=_user(portal.book.current, row),
            preview=preview_view(preview),
            sessions_ended=ended,
            dry_run=query.dry_run,
        )

    async def owned(request: Request, query: Paging) -> Listing[OwnedView]:
        """What somebody owns and can be handed over"""
        start = offset_of(query.cursor)
        async with portal.database.read() as connection:
            row = await account(connection, request.path("username"))
            rows = await handover.owned(connection, _collections(portal), identity_in(row).key, start, query.limit + 1)
        more = str(start + query.limit) if len(rows) > query.limit else None
        return Listing([_owned(r) for r in rows[: query.limit]], more)

    async def hand_over(request: Request, query: Tried, body: HandOver) -> HandedOver:
        """Give all that somebody owns to somebody else"""
        async with portal.database.write() as connection:
            giver = identity_in(await account(connection, request.path("username")))
            taker = (await connection.execute(select(people).where(is_person(body.to)))).first()
            if taker is None:
                wrong = FieldError("/to", "nobody of that name has signed in here")
                raise InvalidInput("It cannot be handed over to them.", errors=(wrong,))
            if taker.disabled_at is not None or identity_in(taker).key == giver.key:
                raise Conflict("It goes to somebody else, whose account is not disabled.")
            key = identity_in(taker).key
            moved = await handover.hand_over(connection, _collections(portal), giver.key, key, dry_run=query.dry_run)
        request.record(before={"owner": giver.key}, after={"owner": key, "moved": moved})
        return HandedOver(moved=moved, to=taker.username, dry_run=query.dry_run)

    async def groups(request: Request) -> Listing[GroupView]:
        """Groups that were seen or that bindings name"""
        policy, moment = portal.book.current, now()
        async with portal.database.read() as connection:
            rows = (await connection.execute(select(people.c.groups))).all()
        members = Counter(group for row in rows for group in set(row.groups))
        roles: dict[str, set[str]] = {}
        for binding in policy.bindings:
            if binding.group is not None and binding.in_force(moment):
                roles.setdefault(binding.group, set()).add(binding.role)
        names = sorted({*members, *roles})
        return Listing([GroupView(name=n, members=members[n], roles=sorted(roles.get(n, ()))) for n in names])

    async def mine(request: Request) -> Mine:
        """My roles and permissions, and why"""
        policy, identity = portal.book.current, identity_of(request.principal)
        return Mine(
            groups=list(identity.groups),
            roles=roles_held(policy, identity),
            permissions=given(held(policy, identity, now())),
        )

    read, manage, at = may_do.ACCESS_READ, may_do.ACCESS, "users/{username}"
    return [
        Route("GET", "users", users, read),
        Route("GET", at, user, read),
        Route("PATCH", at, alter, manage, audit="core.person.change", audit_object="username"),
        Route("GET", f"{at}/owned", owned, read),
        Route("POST", f"{at}/hand-over", hand_over, manage, audit="core.person.hand-over", audit_object="username"),
        Route("GET", "groups", groups, read),
        Route("GET", "access/mine", mine, SignedIn("it is about who asks")),
    ]


def _user(policy: Policy, row: Row[Any]) -> UserView:
    identity = identity_in(row)
    return UserView(
        subject=identity.key,
        issuer=identity.issuer,
        username=identity.username,
        name=identity.name,
        email=identity.email,
        groups=list(identity.groups),
        roles=roles_held(policy, identity),
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
    )


def roles_held(policy: Policy, identity: Identity) -> list[RoleHeld]:
    """The roles that somebody holds now, each with its binding."""
    return [
        RoleHeld(
            role=b.role,
            kind="role" if b.role in policy.roles else "permission",
            binding=b.id,
            origin=b.origin,
            by="subject" if b.group is None else "group",
            group=b.group,
            resource=b.resource,
            expires_at=b.expires_at,
            reason=b.reason,
        )
        for b in policy.bindings_of(identity, now())
    ]


def _owned(row: Row[Any]) -> OwnedView:
    named = (row.data.get(key) for key in ("name", "title"))
    title = next((name for name in named if isinstance(name, str) and name), row.id)
    return OwnedView(
        plugin=row.plugin, collection=row.collection, id=row.id, title=title[:300], updated_at=row.updated_at
    )


def _collections(portal: "Portal") -> list[tuple[str, str]]:
    return [(c.id, name) for c in portal.registry.contributions for name in c.manifest.handed_over]
