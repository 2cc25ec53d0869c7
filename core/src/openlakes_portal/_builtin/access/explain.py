"""Why somebody may, or may not; and who can grant it."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.engine import Row

from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.views import GivenView, GrantorView, Paging, given, grantor_views
from openlakes_portal._host.context import refused
from openlakes_portal._rbac.accounts import account, accounts, identity_in
from openlakes_portal._rbac.administration import held
from openlakes_portal._rbac.policy import Identity, Policy, identity_of
from openlakes_portal._rbac.resources import ResourceError, check_resource
from openlakes_portal._store.clock import now
from openlakes_portal.spi import (
    ROLES,
    FieldError,
    InvalidInput,
    Listing,
    NotFound,
    Permission,
    Request,
    Route,
    SignedIn,
)

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal


Kind = Literal["person", "service account"]


class StepView(BaseModel):
    """One link of the chain of a decision."""

    kind: str
    name: str
    outcome: str
    detail: str


class Explanation(BaseModel):
    """May somebody do something, and why."""

    subject: str
    username: str
    kind: Kind
    permission: str
    resource: str | None
    allowed: bool
    decided_by: str
    chain: list[StepView]
    grantors: list[GrantorView]


class ExplainQuery(BaseModel, extra="forbid"):
    """The question. Without a subject it is about who asks."""

    permission: str = Field(min_length=1, max_length=200)
    subject: str | None = Field(None, max_length=600, description="User name, or issuer#subject; default: who asks")
    resource: str | None = Field(None, max_length=500, description="catalog=lakehouse/schema=nyc_taxi")


class PermissionView(BaseModel):
    """A permission. `scoped`: it can be given for some resources only."""

    name: str
    description: str
    plugin: str
    scoped: bool
    implies: list[str]
    roles: list[str]


class PageQuery(BaseModel, extra="forbid"):
    """An address of the console."""

    path: str = Field(min_length=1, max_length=500, description="/operate/health")


class PageAccess(BaseModel):
    """A page, and the permission that opens it (null: being signed in does)."""

    path: str
    title: str
    permission: str | None


class MatrixPerson(BaseModel):
    """What one person, or one service account, holds by bindings."""

    subject: str
    username: str
    kind: Kind
    name: str
    disabled: bool
    roles: list[str]
    permissions: list[GivenView]


class MatrixPage(Paging):
    """Which people."""

    permission: str | None = Field(None, max_length=200, description="Only people who hold this one, somewhere")


def explain_routes(portal: "Portal") -> list[Route]:
    """Routes below `access` that only look."""

    async def explain(request: Request, query: ExplainQuery) -> Explanation:
        """May somebody do something, by which rule, and who can grant it"""
        if query.resource is not None:
            try:
                check_resource(query.resource)
            except ResourceError as error:
                wrong = FieldError("/query/resource", str(error))
                raise InvalidInput("The resource cannot be read.", errors=(wrong,)) from None
        asker = request.principal
        if query.subject is None or query.subject in (asker.username, asker.identity):
            identity = identity_of(asker)
            decision = await portal.decisions.decide(asker, query.permission, query.resource)
        else:
            if not asker.may(may_do.ACCESS_READ):
                raise refused(may_do.ACCESS_READ)
            async with portal.database.read() as connection:
                identity = identity_in(await account(connection, query.subject))
            decision = await portal.decisions.explain(identity, query.permission, query.resource)
        grantors = await portal.grantors.of(query.permission, query.resource, names_owner=asker.may(may_do.ACCESS_READ))
        return Explanation(
            subject=identity.key,
            username=identity.username,
            kind=kind_of(identity),
            permission=query.permission,
            resource=query.resource,
            allowed=decision.allowed,
            decided_by=decision.decided_by,
            chain=[StepView(kind=s.kind, name=s.name, outcome=s.outcome, detail=s.detail) for s in decision.chain],
            grantors=grantor_views(grantors),
        )

    async def permissions(request: Request) -> Listing[PermissionView]:
        """Permissions of active plugins"""
        policy = portal.book.current
        shown = policy.roles if request.principal.may(may_do.ACCESS_READ) else ROLES
        return Listing(
            [
                PermissionView(
                    name=p.name,
                    description=p.description,
                    plugin=p.name.partition(":")[0],
                    scoped=p.scoped,
                    implies=list(p.implies),
                    roles=sorted(r for r in shown if p.name in policy.roles[r]),
                )
                for p in sorted(policy.permissions.values(), key=lambda p: p.name)
            ]
        )

    async def page(request: Request, query: PageQuery) -> PageAccess:
        """Which permission opens a page of the console"""
        for contribution in portal.registry.contributions:
            for app in contribution.apps:
                if query.path == f"/app/{app.id}":
                    return PageAccess(path=query.path, title=app.title, permission=app.access.name)
            for found in contribution.pages:
                if contribution.page_path(found.id) == query.path:
                    needed = found.access.name if isinstance(found.access, Permission) else None
                    return PageAccess(path=query.path, title=found.title, permission=needed)
        raise NotFound("No active plugin has a page at this address.")

    async def matrix(request: Request, query: MatrixPage) -> Listing[MatrixPerson]:
        """Who holds what, person by person"""
        found: list[MatrixPerson] = []
        after = query.cursor
        while len(found) <= query.limit:
            wanted = select(accounts).order_by(accounts.c.username).limit(query.limit + 1)
            async with portal.database.read() as connection:
                part = wanted if after is None else wanted.where(accounts.c.username > after)
                rows = (await connection.execute(part)).all()
            found += [_person(portal.book.current, row) for row in rows if _holds(portal.book.current, row, query)]
            if len(rows) <= query.limit:
                break
            after = rows[-1].username
        page = found[: query.limit]
        return Listing(page, page[-1].username if len(found) > query.limit else None)

    own = SignedIn("about themselves everybody may ask; about others it asks for core:access:read itself")
    return [
        Route("GET", "access/explain", explain, own),
        Route("GET", "access/permissions", permissions, SignedIn("the API's description names them to anybody")),
        Route("GET", "access/page", page, SignedIn("who may not open a page can ask for what opens it")),
        Route("GET", "access/matrix", matrix, may_do.ACCESS_READ),
    ]


def kind_of(identity: Identity) -> Kind:
    """Whether it is a person."""
    return "service account" if identity.is_service else "person"


def _holds(policy: Policy, row: Row[Any], query: MatrixPage) -> bool:
    if query.permission is None:
        return True
    return any(name == query.permission for name, _ in held(policy, identity_in(row), now()))


def _person(policy: Policy, row: Row[Any]) -> MatrixPerson:
    identity, moment = identity_in(row), now()
    return MatrixPerson(
        subject=identity.key,
        username=identity.username,
        kind=kind_of(identity),
        name=identity.name,
        disabled=row.disabled_at is not None,
        roles=sorted(policy.roles_of(identity, moment)),
        permissions=given(held(policy, identity, moment)),
    )
