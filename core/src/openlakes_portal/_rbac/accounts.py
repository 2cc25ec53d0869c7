"""Everybody whom a binding can name: people who signed in, and service accounts, as rows of one shape."""

from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, literal, literal_column, null, select, union_all
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._rbac.policy import SERVICE_ISSUER, SERVICE_PREFIX, Identity
from openlakes_portal._store.identity_tables import people, service_accounts
from openlakes_portal.spi import NotFound

_username = literal(SERVICE_PREFIX) + service_accounts.c.name

accounts = union_all(
    select(
        people.c.issuer,
        people.c.subject,
        people.c.username,
        people.c.name,
        people.c.email,
        people.c.groups,
        people.c.disabled_at,
        people.c.last_seen_at,
    ),
    select(
        literal(SERVICE_ISSUER),
        _username,
        _username,
        service_accounts.c.name,
        null(),
        literal_column("'[]'", JSON),
        service_accounts.c.disabled_at,
        null(),
    ),
).subquery("accounts")
"""issuer, subject, username, name, email, groups, disabled_at, last_seen_at (of people).
A service account's subject is its user name."""


def service_identity(name: str) -> Identity:
    """The service account of this name."""
    return Identity(SERVICE_ISSUER, f"{SERVICE_PREFIX}{name}", f"{SERVICE_PREFIX}{name}", name)


def standing(name: str) -> Select[Any]:
    """Whether a service account is there, and not disabled: it stays so until this transaction, which makes a token of
    it, has ended. Whoever deletes or disables it meanwhile waits, and then finds the token."""
    return select(service_accounts.c.disabled_at).where(service_accounts.c.name == name).with_for_update(read=True)


def identity_in(row: Row[Any]) -> Identity:
    """A row of accounts, or of people, as an identity."""
    return Identity(row.issuer, row.subject, row.username, row.name, row.email, tuple(row.groups))


def is_account(name: str) -> ColumnElement[bool]:
    """The row of a user name, or of issuer#subject."""
    issuer, mark, subject = name.partition("#")
    if mark:
        return (accounts.c.issuer == issuer) & (accounts.c.subject == subject)
    return accounts.c.username == name


async def account(connection: AsyncConnection, name: str) -> Row[Any]:
    """Somebody who was seen, or a service account. Raises `NotFound`."""
    row = (await connection.execute(select(accounts).where(is_account(name)))).first()
    if row is None:
        raise NotFound("Nobody of that name has signed in here, and no service account has it.")
    return row
