"""The policy in force: what plugins and settings say, and what was decided in the console (the store). It is one
frozen `Policy` at any time; a change in any process replaces it in all of them."""

import asyncio
from dataclasses import replace

import structlog
from sqlalchemy import select

from openlakes_portal._rbac.policy import Policy, closure
from openlakes_portal._settings.model import RoleBinding
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import role_bindings, roles
from openlakes_portal._store.signals import Signals

SIGNAL = "policy"
log = structlog.get_logger("policy")


class PolicyBook:
    """Holds the policy in force as `current`."""

    def __init__(self, database: Database, base: Policy, signals: Signals) -> None:
        self._database = database
        self._base = base
        self._reading: asyncio.Task[None] | None = None
        self._again = False
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
        async with self._database.read() as connection:
            role_rows = (await connection.execute(select(roles))).all()
            binding_rows = (await connection.execute(select(role_bindings).order_by(role_bindings.c.id))).all()
        base = self._base
        made = {row.name: closure(row.permissions, base.permissions) for row in role_rows if row.name not in base.roles}
        bindings = tuple(
            RoleBinding(
                role=row.role, group=row.group, subject=row.subject, resource=row.resource, expires_at=row.expires_at
            )
            for row in binding_rows
        )
        self.current = replace(base, roles={**base.roles, **made}, bindings=base.bindings + bindings)

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
