"""Roles: those from the start, and those that are made here."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.common import as_stored, check_version
from openlakes_portal._builtin.access.views import NewRole, RoleChange, RoleChanged, RoleView, Tried, preview_view
from openlakes_portal._rbac.policy import ADMIN_ROLE, Policy
from openlakes_portal._store.clock import now
from openlakes_portal._store.identity_tables import role_bindings, roles
from openlakes_portal.spi import Conflict, FieldError, InvalidInput, Listing, NotFound, Reply, Request, Route

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal


def role_routes(portal: "Portal") -> list[Route]:
    """Routes below `roles`."""

    async def all_roles(request: Request) -> Listing[RoleView]:
        """Roles, those from the start first"""
        return Listing(await _views(portal))

    async def one_role(request: Request) -> Reply[RoleView]:
        """A role"""
        found = [v for v in await _views(portal) if v.name == request.path("role")]
        if not found:
            raise NotFound("There is no such role.")
        return Reply(found[0], version=str(found[0].version))

    async def make(request: Request, query: Tried, body: NewRole) -> Reply[RoleChanged]:
        """Make a role"""
        moment = now()
        values = {
            "name": body.name,
            "description": body.description,
            "permissions": _checked(portal.book.base, body.permissions),
            "version": 1,
            "created_by": request.principal.identity,
            "created_at": moment,
            "updated_at": moment,
        }

        async def apply(connection: AsyncConnection) -> RoleView:
            if body.name in portal.book.base.roles or await _row(connection, body.name) is not None:
                raise Conflict(f"There is a role {body.name!r} already.")
            await connection.execute(insert(roles).values(values))
            request.record(after=values)
            return _made(values, 0)

        view, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        changed = RoleChanged(role=view, preview=preview_view(preview), dry_run=query.dry_run)
        if query.dry_run:
            return Reply(changed)
        return Reply(changed, 201, version="1", location=f"/api/roles/{body.name}")

    async def alter(request: Request, query: Tried, body: RoleChange) -> Reply[RoleChanged]:
        """Change a role that was made here"""
        name = request.path("role")
        sent = body.model_dump(exclude_unset=True, exclude_none=True)
        if "permissions" in sent:
            sent["permissions"] = _checked(portal.book.base, sent["permissions"])

        async def apply(connection: AsyncConnection) -> RoleView:
            row = await _editable(portal, connection, name)
            check_version(request, row.version)
            values = {**sent, "version": row.version + 1, "updated_at": now()}
            await connection.execute(update(roles).where(roles.c.name == name).values(values))
            request.record(before=as_stored(row), after={**as_stored(row), **values})
            return _made({**row._mapping, **values}, await _bound(connection, name))

        view, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        changed = RoleChanged(role=view, preview=preview_view(preview), dry_run=query.dry_run)
        return Reply(changed, version=None if query.dry_run else str(view.version))

    async def remove(request: Request, query: Tried) -> RoleChanged:
        """Remove a role that was made here and that no binding gives"""
        name = request.path("role")

        async def apply(connection: AsyncConnection) -> None:
            row = await _editable(portal, connection, name)
            check_version(request, row.version)
            in_settings = sum(b.role == name for b in portal.book.base.bindings)
            if await _bound(connection, name) or in_settings:
                raise Conflict("Bindings give this role.", remedy=f"First remove them: /api/role-bindings?role={name}.")
            await connection.execute(delete(roles).where(roles.c.name == name))
            request.record(before=as_stored(row))

        _, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        return RoleChanged(role=None, preview=preview_view(preview), dry_run=query.dry_run)

    read, manage = may_do.ACCESS_READ, may_do.ACCESS
    return [
        Route("GET", "roles", all_roles, read),
        Route("GET", "roles/{role}", one_role, read),
        Route("POST", "roles", make, manage, audit="core.role.create", audit_object="name"),
        Route("PATCH", "roles/{role}", alter, manage, audit="core.role.change", audit_object="role"),
        Route("DELETE", "roles/{role}", remove, manage, audit="core.role.delete", audit_object="role"),
    ]


async def _views(portal: "Portal") -> list[RoleView]:
    bound = Counter(binding.role for binding in portal.book.current.bindings)
    found = [
        RoleView(
            name=name,
            description="Holds every permission, also of plugins installed later" if name == ADMIN_ROLE else "",
            permissions=sorted(held),
            origin="built-in",
            version=0,
            bindings=bound[name],
        )
        for name, held in portal.book.base.roles.items()
    ]
    async with portal.database.read() as connection:
        rows = (await connection.execute(select(roles).order_by(roles.c.name))).all()
    return found + [_made(row._mapping, bound[row.name]) for row in rows]


def _made(values: Mapping[Any, Any], bindings: int) -> RoleView:
    fields = ("name", "description", "permissions", "version", "created_by", "created_at", "updated_at")
    return RoleView(origin="console", bindings=bindings, **{name: values[name] for name in fields})


def _checked(base: Policy, names: list[str]) -> list[str]:
    wrong = [n for n, name in enumerate(names) if name not in base.permissions]
    if wrong:
        errors = tuple(FieldError(f"/permissions/{n}", "no active plugin has this permission") for n in wrong[:50])
        raise InvalidInput("Some permissions do not exist.", errors=errors)
    return sorted(set(names))


async def _row(connection: AsyncConnection, name: str) -> Row[Any] | None:
    return (await connection.execute(select(roles).where(roles.c.name == name))).first()


async def _bound(connection: AsyncConnection, name: str) -> int:
    query = select(role_bindings.c.id).where(role_bindings.c.role == name)
    return len((await connection.execute(query)).all())


async def _editable(portal: "Portal", connection: AsyncConnection, name: str) -> Row[Any]:
    if name in portal.book.base.roles:
        raise Conflict("A role from the start cannot be changed.", remedy="Make a role of your own.")
    row = await _row(connection, name)
    if row is None:
        raise NotFound("There is no such role.")
    return row
