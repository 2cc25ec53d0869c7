"""Role bindings: those of the settings (read-only), and those that are made here."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.common import as_stored, check_version, offset_of
from openlakes_portal._builtin.access.views import (
    BindingChange,
    BindingChanged,
    BindingFilter,
    BindingView,
    NewBinding,
    Tried,
    binding_view,
    preview_view,
)
from openlakes_portal._rbac.accounts import accounts, identity_in, is_account
from openlakes_portal._rbac.administration import Preview
from openlakes_portal._rbac.book import REQUESTED, SHARED, binding_of
from openlakes_portal._rbac.policy import Binding, Policy
from openlakes_portal._store.clock import now, sortable_id
from openlakes_portal._store.identity_tables import role_bindings, roles
from openlakes_portal._store.names import names_of
from openlakes_portal.spi import Conflict, FieldError, InvalidInput, Listing, NotFound, Reply, Request, Route

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal


def binding_routes(portal: "Portal") -> list[Route]:
    """Routes below `role-bindings`."""

    async def all_bindings(request: Request, query: BindingFilter) -> Listing[BindingView]:
        """Bindings, those of the settings first"""
        subjects = await _called(portal, query.subject) if query.subject else None
        found = [b for b in portal.book.current.bindings if _wanted(b, query, subjects)]
        start = offset_of(query.cursor)
        part = found[start : start + query.limit]
        more = str(start + query.limit) if len(found) > start + query.limit else None
        return Listing(await binding_views(portal, part), more)

    async def one_binding(request: Request) -> Reply[BindingView]:
        """A binding"""
        found = [b for b in portal.book.current.bindings if b.id == request.path("binding")]
        if not found:
            raise NotFound("There is no such binding.")
        return Reply((await binding_views(portal, found))[0], version=str(found[0].version))

    async def make(request: Request, query: Tried, body: NewBinding) -> Reply[BindingChanged]:
        """Give a role or a permission to a group or to somebody"""
        _check_reason(body.reason)
        values = new_binding(portal.book.current, **body.model_dump(), created_by=request.principal.identity)

        async def apply(connection: AsyncConnection) -> Binding:
            await _check_stands(portal, connection, body.role)
            await connection.execute(insert(role_bindings).values(values))
            request.record(after=values)
            return await stored_binding(connection, values["id"])

        binding, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        changed = await _changed(portal, binding, preview, query.dry_run)
        if query.dry_run:
            return Reply(changed)
        return Reply(changed, 201, version="1", location=f"/api/role-bindings/{binding.id}")

    async def alter(request: Request, query: Tried, body: BindingChange) -> Reply[BindingChanged]:
        """Change until when and for what a binding holds"""
        sent = body.model_dump(exclude_unset=True)
        check_end(sent.get("expires_at"))
        _check_reason(body.reason)

        async def apply(connection: AsyncConnection) -> Binding:
            row = await _editable(portal, connection, request.path("binding"))
            check_version(request, row.version)
            if "resource" in sent:
                _check_scope(portal.book.current, row.role, sent["resource"])
            values = {**sent, "version": row.version + 1}
            await connection.execute(update(role_bindings).where(role_bindings.c.id == row.id).values(values))
            request.record(before=as_stored(row), after={**as_stored(row), **values})
            return await stored_binding(connection, row.id)

        binding, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        changed = await _changed(portal, binding, preview, query.dry_run)
        return Reply(changed, version=None if query.dry_run else str(binding.version))

    async def remove(request: Request, query: Tried) -> BindingChanged:
        """Take a binding back"""

        async def apply(connection: AsyncConnection) -> None:
            row = await _editable(portal, connection, request.path("binding"))
            check_version(request, row.version)
            await connection.execute(delete(role_bindings).where(role_bindings.c.id == row.id))
            request.record(before=as_stored(row))

        _, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        return BindingChanged(binding=None, preview=preview_view(preview), dry_run=query.dry_run)

    read, manage, at = may_do.ACCESS_READ, may_do.ACCESS, "role-bindings/{binding}"
    return [
        Route("GET", "role-bindings", all_bindings, read),
        Route("GET", at, one_binding, read),
        Route("POST", "role-bindings", make, manage, audit="core.binding.create", audit_object="role"),
        Route("PATCH", at, alter, manage, audit="core.binding.change", audit_object="binding"),
        Route("DELETE", at, remove, manage, audit="core.binding.delete", audit_object="binding"),
    ]


def _check_reason(reason: str | None) -> None:
    """A reason tells where a binding comes from; nobody writes what a granted request or a share leaves behind."""
    if reason is not None and reason.startswith((REQUESTED, SHARED)):
        wrong = FieldError("/reason", f"must not begin with {REQUESTED!r} or {SHARED!r}")
        raise InvalidInput("That reason is one of the portal's own.", errors=(wrong,))


def new_binding(
    policy: Policy,
    *,
    role: str,
    group: str | None = None,
    subject: str | None = None,
    resource: str | None = None,
    expires_at: datetime | None = None,
    reason: str,
    created_by: str,
) -> dict[str, Any]:
    """A row for a new binding, checked. Raises `InvalidInput`."""
    if role not in policy.roles and role not in policy.permissions:
        raise _no_role()
    _check_scope(policy, role, resource)
    check_end(expires_at)
    return {
        "id": sortable_id(),
        "role": role,
        "group": group,
        "subject": subject,
        "resource": resource,
        "expires_at": expires_at,
        "reason": reason,
        "created_by": created_by,
        "created_at": now(),
        "version": 1,
    }


def _no_role() -> InvalidInput:
    wrong = FieldError("/role", "name a role, or a permission of an active plugin")
    return InvalidInput("There is no such role or permission.", errors=(wrong,))


async def _check_stands(portal: "Portal", connection: AsyncConnection, role: str) -> None:
    """Raises `InvalidInput` for a role that was removed since this process read the policy: the binding would wait for
    the next role of that name, whatever that one gives."""
    if role in portal.book.base.roles or role in portal.book.base.permissions:
        return
    if (await connection.execute(select(roles.c.name).where(roles.c.name == role))).first() is None:
        raise _no_role()


def check_end(end: datetime | None) -> None:
    """Raises `InvalidInput` for an end that is over."""
    if end is not None and end <= now():
        raise InvalidInput("That end is over already.", errors=(FieldError("/expires_at", "must lie ahead"),))


def _check_scope(policy: Policy, role: str, resource: str | None) -> None:
    """A filter is accepted where something honours it."""
    if resource is None or any(policy.permissions[name].scoped for name in policy.held_by(role)):
        return
    raise InvalidInput(
        "Nothing that this gives is asked about resources, so a filter would make it worthless.",
        errors=(FieldError("/resource", "leave it out, or give a permission that is asked about resources"),),
    )


async def stored_binding(connection: AsyncConnection, id: str) -> Binding:
    """A binding of the store."""
    return binding_of((await connection.execute(select(role_bindings).where(role_bindings.c.id == id))).one())


async def binding_views(portal: "Portal", bindings: list[Binding]) -> list[BindingView]:
    """Bindings as they are shown."""
    async with portal.database.read() as connection:
        names = await names_of(connection, {b.subject for b in bindings if b.subject})
    policy, moment = portal.book.current, now()
    return [
        binding_view(b, _kind(policy, b.role), names.get(b.subject) if b.subject else None, moment) for b in bindings
    ]


async def _changed(portal: "Portal", binding: Binding, preview: Preview, dry_run: bool) -> BindingChanged:
    view = (await binding_views(portal, [binding]))[0]
    return BindingChanged(binding=view, preview=preview_view(preview), dry_run=dry_run)


def _kind(policy: Policy, role: str) -> Literal["role", "permission", "unknown"]:
    if role in policy.roles:
        return "role"
    return "permission" if role in policy.permissions else "unknown"


async def _called(portal: "Portal", name: str) -> set[str]:
    """What bindings may call somebody, found by one of it: user name, and issuer#subject."""
    async with portal.database.read() as connection:
        rows = (await connection.execute(select(accounts).where(is_account(name)))).all()
    return {name}.union(*((identity.username, identity.key) for identity in map(identity_in, rows)))


def _wanted(binding: Binding, query: BindingFilter, subjects: set[str] | None) -> bool:
    return (
        (query.role is None or binding.role == query.role)
        and (query.group is None or binding.group == query.group)
        and (subjects is None or binding.subject in subjects)
    )


async def _editable(portal: "Portal", connection: AsyncConnection, id: str) -> Row[Any]:
    if any(b.id == id for b in portal.book.base.bindings):
        raise Conflict("This binding stands in the settings.", remedy="Change rbac.role_bindings there and restart.")
    row = (await connection.execute(select(role_bindings).where(role_bindings.c.id == id))).first()
    if row is None:
        raise NotFound("There is no such binding.")
    return row
