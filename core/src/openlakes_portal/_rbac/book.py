"""The policy in force: what plugins and settings say, and what was decided in the console (the store). It is one
frozen `Policy` at any time; a change in any process replaces it in all of them."""

import asyncio
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._rbac.accounts import accounts
from openlakes_portal._rbac.policy import Binding, Origin, Policy, closure
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import role_bindings, roles
from openlakes_portal._store.signals import Signals

SIGNAL = "policy"
REQUESTED = "request "
"""How the reason of a binding begins that an access request led to; its id follows."""
SHARED = "shared by "
"""How the reason of a binding begins by which somebody shares a thing of theirs."""
LONGEST_WAIT = 86_400.0
log = structlog.get_logger("policy")


class PolicyBook:
    """Holds the policy in force as `current`."""

    def __init__(self, database: Database, base: Policy, signals: Signals) -> None:
        self._database = database
        self._base = base
        self._reading: asyncio.Task[None] | None = None
        self._again = False
        self._begun = self._in_force = 0
        self._end: asyncio.TimerHandle | None = None
        self.current = base
        signals.on(SIGNAL, lambda _: self.refresh())
        signals.on_lost(self.refresh)

    @property
    def base(self) -> Policy:
        """What plugins and settings say."""
        return self._base

    async def rebase(self, base: Policy) -> None:
        """Plugins changed during the start: their permissions are these."""
        self._base = base
        await self.load()

    async def load(self) -> None:
        """Read what the store says, and put it in force."""
        self._begun += 1
        number = self._begun
        async with self._database.read() as connection:
            policy = await self.read(connection)
        if number > self._in_force:  # else a reading that began later was faster, and knows more
            self._in_force, self.current = number, policy
            self._watch_ends()

    async def read(self, connection: AsyncConnection) -> Policy:
        """The policy as this transaction sees it."""
        role_rows = (await connection.execute(select(roles))).all()
        binding_rows = (await connection.execute(select(role_bindings).order_by(role_bindings.c.id))).all()
        query = select(accounts.c.issuer, accounts.c.subject).where(accounts.c.disabled_at.is_not(None))
        disabled = frozenset(f"{row.issuer}#{row.subject}" for row in await connection.execute(query))
        base = self._base
        made = {row.name: closure(row.permissions, base.permissions) for row in role_rows if row.name not in base.roles}
        bindings = tuple(binding_of(row) for row in binding_rows)
        return replace(base, roles={**base.roles, **made}, bindings=base.bindings + bindings, disabled=disabled)

    def _watch_ends(self) -> None:
        """When a binding ends the policy is another one, so that nobody goes on with what they were given by it."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
        moment = now()
        end = self.current.next_end(moment)
        if end is not None:
            seconds = min((end - moment).total_seconds(), LONGEST_WAIT)
            self._end = asyncio.get_running_loop().call_later(max(0.0, seconds) + 0.01, self._ended)

    def _ended(self) -> None:
        self.current = replace(self.current)
        self._watch_ends()

    def refresh(self) -> None:
        """Read it anew in the background; of many calls at once one more read follows the running one."""
        if self._reading is not None and not self._reading.done():
            self._again = True
            return
        self._reading = asyncio.get_running_loop().create_task(self._refresh())

    async def _refresh(self) -> None:
        while True:
            self._again = False
            try:
                await self.load()
            except Exception as error:
                log.warning("the policy could not be read; the one before stays in force", error=repr(error))
                await asyncio.sleep(0.5)
                self._again = True
            if not self._again:
                return


def binding_of(row: Row[Any]) -> Binding:
    """A row of the store as a binding."""
    return Binding(
        id=row.id,
        role=row.role,
        group=row.group,
        subject=row.subject,
        resource=row.resource,
        expires_at=row.expires_at,
        origin=_origin(row.reason),
        reason=row.reason,
        created_by=row.created_by,
        created_at=row.created_at,
        version=row.version,
    )


def _origin(reason: str) -> Origin:
    if reason.startswith(REQUESTED):
        return "request"
    return "share" if reason.startswith(SHARED) else "console"
