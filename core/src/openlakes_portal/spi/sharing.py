"""Sharing one thing with somebody: a binding for one permission and one resource, made by whoever owns the thing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from openlakes_portal.spi.access import Permission, Principal


@dataclass(frozen=True)
class Share:
    """With whom something is shared: everybody of a group, or one person (a user name, or issuer#subject). `name` is
    the person's name where they were seen here; `by` is the `Principal.identity` of who shared it."""

    id: str
    group: str | None
    subject: str | None
    name: str | None
    expires_at: datetime | None
    by: str
    created_at: datetime


class Shares(Protocol):
    """Shares of a plugin's things. Each permission must be the plugin's own and `scoped`, each resource one thing
    (`resource_of(...)`); whether `principal` may share it is for the plugin to say before it calls. They are role
    bindings like all others: seen, explained and taken back by admins, and asked about by `Context.decide`."""

    async def of(self, permission: Permission, resource: str) -> Sequence[Share]:
        """With whom it is shared, oldest first; those that have ended are left out."""

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
        """Share it with a group or with somebody. Raises `InvalidInput`, `Conflict` where it is shared so already, and
        `Limited` beyond 100 shares of one thing."""

    async def remove(self, permission: Permission, resource: str, id: str) -> bool:
        """Take one share back; False where there is no such share of this thing."""

    async def clear(self, permission: Permission, resource: str) -> int:
        """Take all back, because the thing is gone; returns how many."""
