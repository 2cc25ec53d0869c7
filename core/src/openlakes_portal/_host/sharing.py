"""Shares of plugins' things, as bindings of the store (spi.sharing)."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, delete, insert, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._host.bridge import on_loop
from openlakes_portal._rbac.administration import Administration
from openlakes_portal._rbac.book import SHARED
from openlakes_portal._rbac.resources import ResourceError, check_resource
from openlakes_portal._store.clock import now, sortable_id
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import role_bindings as table
from openlakes_portal._store.names import names_of
from openlakes_portal.spi import Conflict, InvalidInput, Limited, Permission, Principal, Share, Unavailable

MOST_SHARES = 100
MOST_TEXT = 600
T = TypeVar("T")


@dataclass(frozen=True)
class SharingTools:
    """What sharing needs once the server runs."""

    loop: asyncio.AbstractEventLoop
    database: Database
    administration: Administration


class PluginShares:
    """Shares of one plugin's things."""

    def __init__(self, plugin_id: str, tools: Callable[[], SharingTools | None]) -> None:
        self._plugin_id = plugin_id
        self._tools = tools

    async def of(self, permission: Permission, resource: str) -> Sequence[Share]:
        """With whom it is shared."""
        here = self._here(permission, resource)
        return await self._run(lambda tools: _read(tools.database, here))

    async def add(
        self,
        principal: Principal,
        permission: Permission,
        resource: str,
        *,
        group: str | None = None,
        subject: str | None = None,
        expires_at: datetime | None = None,
    ) -> Share:
        """Share it."""
        here = self._here(permission, resource)
        _check(group, subject, expires_at)
        values = {
            "id": sortable_id(),
            "role": permission.name,
            "group": group,
            "subject": subject,
            "resource": resource,
            "expires_at": expires_at,
            "reason": f"{SHARED}{principal.username}",
            "created_by": principal.identity,
            "created_at": now(),
            "version": 1,
        }

        async def apply(connection: AsyncConnection) -> None:
            rows = (await connection.execute(select(table).where(here, _in_force()))).all()
            if any((row.group, row.subject) == (group, subject) for row in rows):
                raise Conflict("It is shared with them already.")
            if len(rows) >= MOST_SHARES:
                raise Limited(f"It is shared {MOST_SHARES} times.", remedy="Share it with a group.")
            await connection.execute(insert(table).values(values))

        await self._run(lambda tools: tools.administration.narrow(apply))
        return next(share for share in await self.of(permission, resource) if share.id == values["id"])

    async def remove(self, permission: Permission, resource: str, id: str) -> bool:
        """Take one share back."""
        return await self._delete(and_(self._here(permission, resource), table.c.id == id)) == 1

    async def clear(self, permission: Permission, resource: str) -> int:
        """Take all back."""
        return await self._delete(self._here(permission, resource))

    async def _delete(self, rows: ColumnElement[bool]) -> int:
        async def apply(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(table).where(rows))).rowcount

        return await self._run(lambda tools: tools.administration.narrow(apply))

    def _here(self, permission: Permission, resource: str) -> ColumnElement[bool]:
        if not permission.name.startswith(f"{self._plugin_id}:") or not permission.scoped:
            raise LookupError(f"{permission.name!r} is no scoped permission of plugin {self._plugin_id!r}")
        try:
            check_resource(resource)
        except ResourceError as error:
            raise InvalidInput(f"It cannot be shared: {error}.") from None
        shared = table.c.reason.startswith(SHARED, autoescape=True)
        return and_(table.c.role == permission.name, table.c.resource == resource, shared)

    async def _run(self, call: Callable[[SharingTools], Coroutine[Any, Any, T]]) -> T:
        tools = self._tools()
        if tools is None:
            raise Unavailable("Nothing can be shared before the server runs.")
        return await on_loop(tools.loop, call(tools))


def _in_force() -> ColumnElement[bool]:
    return table.c.expires_at.is_(None) | (table.c.expires_at > now())


def _check(group: str | None, subject: str | None, expires_at: datetime | None) -> None:
    if (group is None) == (subject is None):
        raise InvalidInput("Share it with a group or with one person.")
    holder = group or subject or ""
    if not 1 <= len(holder) <= MOST_TEXT or not holder.isprintable():
        raise InvalidInput("That is no name of a group or of a person.")
    if expires_at is not None and expires_at <= now():
        raise InvalidInput("That end is over already.")


async def _read(database: Database, here: ColumnElement[bool]) -> list[Share]:
    async with database.read() as connection:
        rows = (await connection.execute(select(table).where(here, _in_force()).order_by(table.c.id))).all()
        names = await names_of(connection, {row.subject for row in rows if row.subject})
    return [_share(row, names) for row in rows]


def _share(row: Row[Any], names: dict[str, tuple[str, str]]) -> Share:
    name = names[row.subject][1] if row.subject in names else None
    return Share(row.id, row.group, row.subject, name, row.expires_at, row.created_by, row.created_at)
