"""Service accounts: names for machines, which hold rights by role bindings as people do, and never sign in.

A disabled account's tokens are refused; those that were exchanged for a token of somebody else's are over for good, and
those that were made here work again once it is enabled. A deleted one leaves neither tokens nor bindings of the console
behind, so that nothing waits for the next account of that name but what the settings say.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, model_validator
from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._auth.api_tokens import NewToken as Wanted
from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.common import as_stored
from openlakes_portal._builtin.access.people import RoleHeld, roles_held
from openlakes_portal._builtin.access.views import Body, Name, Paging, PreviewView, Tried, preview_view
from openlakes_portal._builtin.tokens import (
    NewToken,
    NewTokenView,
    TokenView,
    check_new,
    in_person,
    is_of,
    made,
    token_page,
)
from openlakes_portal._rbac.accounts import service_identity, standing
from openlakes_portal._rbac.policy import Policy
from openlakes_portal._store.clock import now
from openlakes_portal._store.identity_tables import api_tokens, people, role_bindings
from openlakes_portal._store.identity_tables import service_accounts as table
from openlakes_portal.spi import Conflict, Listing, NotFound, Reply, Request, Route

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal

ABSENT = "There is no such service account."
ACCOUNT_NAME = r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$"


class ServiceAccountView(BaseModel):
    """A service account. Bindings name it by `username`."""

    name: str
    username: str
    subject: str
    description: str
    roles: list[RoleHeld]
    created_by: str
    created_at: datetime
    disabled_at: datetime | None


class ServiceAccountChanged(BaseModel):
    """A service account after a change (null: it is gone), and what the change takes and gives."""

    account: ServiceAccountView | None
    preview: PreviewView
    dry_run: bool


class NewServiceAccount(Body):
    """A service account to be made."""

    name: str = Field(pattern=ACCOUNT_NAME, max_length=60, description="Bindings name it service:<name>")
    description: Name


class ServiceAccountChange(Body):
    """What changes; a field that is left out stays."""

    description: Name | None = None
    disabled: bool | None = None

    @model_validator(mode="after")
    def _something(self) -> "ServiceAccountChange":
        if self.description is None and self.disabled is None:
            raise ValueError("say what changes: description or disabled")
        return self


def service_account_routes(portal: "Portal") -> list[Route]:
    """Below service-accounts."""

    async def service_accounts(request: Request, query: Paging) -> Listing[ServiceAccountView]:
        """Service accounts, by name"""
        wanted = select(table).order_by(table.c.name).limit(query.limit + 1)
        if query.cursor is not None:
            wanted = wanted.where(table.c.name > query.cursor)
        async with portal.database.read() as connection:
            rows = (await connection.execute(wanted)).all()
        page = rows[: query.limit]
        policy = portal.book.current
        return Listing([_view(policy, row) for row in page], page[-1].name if len(rows) > query.limit else None)

    async def service_account(request: Request) -> ServiceAccountView:
        """One service account"""
        async with portal.database.read() as connection:
            return _view(portal.book.current, await _row(connection, request.path("name")))

    async def create_service_account(request: Request, body: NewServiceAccount) -> Reply[ServiceAccountView]:
        """Make a service account; it holds what bindings give to service:<name>"""
        values = {
            "name": body.name,
            "description": body.description,
            "created_by": request.principal.identity,
            "created_at": now(),
        }
        identity = service_identity(body.name)
        try:
            async with portal.database.write() as connection:
                await _check_nobodys(connection, identity.username)
                await connection.execute(insert(table).values(values))
                row = await _row(connection, body.name)
        except IntegrityError:
            raise Conflict(f"There is a service account {body.name} already.") from None
        request.record(after=body.model_dump())
        view = _view(portal.book.current, row)
        return Reply(view, 201, location=f"/api/service-accounts/{body.name}")

    async def alter_service_account(
        request: Request, query: Tried, body: ServiceAccountChange
    ) -> ServiceAccountChanged:
        """Describe a service account anew, disable it, or enable it again"""

        async def apply(connection: AsyncConnection) -> Row[Any]:
            row = await _row(connection, request.path("name"))
            values: dict[str, Any] = {}
            if body.description is not None:
                values["description"] = body.description
            if body.disabled is not None:
                values["disabled_at"] = (row.disabled_at or now()) if body.disabled else None
            await connection.execute(update(table).where(table.c.name == row.name).values(values))
            request.record(before={name: getattr(row, name) for name in values}, after=values)
            if body.disabled is not None:
                owner = service_identity(row.name)
                await portal.api_tokens.owner_changed(
                    connection, owner, revoke="exchanged" if body.disabled else "none"
                )
            return await _row(connection, row.name)

        row, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        portal.api_tokens.forget_owner(service_identity(row.name).key)
        view = _view(portal.book.current, row)
        return ServiceAccountChanged(account=view, preview=preview_view(preview), dry_run=query.dry_run)

    async def delete_service_account(request: Request, query: Tried) -> ServiceAccountChanged:
        """Delete a service account with its tokens and its bindings"""

        async def apply(connection: AsyncConnection) -> None:
            row = await _row(connection, request.path("name"))
            request.record(before=as_stored(row))
            identity = service_identity(row.name)
            # First the account: then nobody makes a token of it any more, and every token there is gets revoked.
            await connection.execute(delete(table).where(table.c.name == row.name))
            named = role_bindings.c.subject.in_((identity.username, identity.key))
            await connection.execute(delete(role_bindings).where(named))
            await portal.api_tokens.owner_changed(connection, identity, revoke="all")

        _, preview = await portal.administration.change(apply, dry_run=query.dry_run)
        portal.api_tokens.forget_owner(service_identity(request.path("name")).key)
        return ServiceAccountChanged(account=None, preview=preview_view(preview), dry_run=query.dry_run)

    async def create_service_token(request: Request, body: NewToken) -> Reply[NewTokenView]:
        """Make a token of a service account; its text is shown this once"""
        in_person(request.principal)
        name = request.path("name")
        owner = service_identity(name)
        wanted = Wanted(owner, body.name, body.permissions, body.expires_at, request.principal.identity)
        async with portal.database.write() as connection:
            row = (await connection.execute(standing(name))).first()
            if row is None:
                raise NotFound(ABSENT)
            if row.disabled_at is not None:
                raise Conflict(f"The service account {name} is disabled.", remedy="Enable it first.")
            check_new(portal, portal.book.current.principal(owner, now()), body, f"{owner.username} holds")
            view = made(*await portal.api_tokens.add(connection, wanted))
        request.record(after=view.model_dump(exclude={"token"}))
        return Reply(view, 201, location=f"/api/service-accounts/{name}/tokens/{view.id}")

    async def list_service_tokens(request: Request, query: Paging) -> Listing[TokenView]:
        """Tokens of a service account that are not revoked, newest first, without exchanged ones"""
        name = request.path("name")
        async with portal.database.read() as connection:
            await _row(connection, name)
        return await token_page(portal, is_of(service_identity(name)), query)

    async def revoke_service_token(request: Request) -> None:
        """Refuse a token of a service account from now on"""
        in_person(request.principal)
        here = is_of(service_identity(request.path("name"))) & (api_tokens.c.id == request.path("token"))
        if not await portal.api_tokens.revoke(here):
            raise NotFound("There is no such token.", remedy="It may be revoked already.")

    manage, at = may_do.SERVICE_ACCOUNTS, "service-accounts/{name}"
    audit = "core.service-account"
    return [
        Route("GET", "service-accounts", service_accounts, manage),
        Route(
            "POST",
            "service-accounts",
            create_service_account,
            manage,
            status=201,
            audit=f"{audit}.create",
            audit_object="name",
        ),
        Route("GET", at, service_account, manage),
        Route("PATCH", at, alter_service_account, manage, audit=f"{audit}.change", audit_object="name"),
        Route("DELETE", at, delete_service_account, manage, audit=f"{audit}.delete", audit_object="name"),
        Route(
            "POST",
            f"{at}/tokens",
            create_service_token,
            manage,
            status=201,
            audit=f"{audit}.create-token",
            audit_object="name",
            shown_once=True,
        ),
        Route("GET", f"{at}/tokens", list_service_tokens, manage),
        Route(
            "DELETE",
            f"{at}/tokens/{{token}}",
            revoke_service_token,
            manage,
            audit=f"{audit}.revoke-token",
            audit_object="token",
        ),
    ]


async def _row(connection: AsyncConnection, name: str) -> Row[Any]:
    row = (await connection.execute(select(table).where(table.c.name == name))).first()
    if row is None:
        raise NotFound(ABSENT)
    return row


async def _check_nobodys(connection: AsyncConnection, username: str) -> None:
    """Nobody signs in by such a name; somebody may have before there were service accounts."""
    if (await connection.execute(select(people.c.subject).where(people.c.username == username))).first() is not None:
        raise Conflict(f"A person has the user name {username}.", remedy="Choose another name.")


def _view(policy: Policy, row: Row[Any]) -> ServiceAccountView:
    identity = service_identity(row.name)
    return ServiceAccountView(
        name=row.name,
        username=identity.username,
        subject=identity.key,
        description=row.description,
        roles=roles_held(policy, identity),
        created_by=row.created_by,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
