"""Changing who may do what: one change at a time, each in a transaction that says what it gives and takes, and that is
undone where it would leave nobody who can change access.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._rbac.accounts import accounts, identity_in
from openlakes_portal._rbac.book import SIGNAL, PolicyBook
from openlakes_portal._rbac.policy import Identity, Policy, holder_of, holders
from openlakes_portal._store.clock import Clock, now
from openlakes_portal._store.database import Database
from openlakes_portal._store.signals import Signals
from openlakes_portal.spi import Conflict

MANAGE = "core:access:manage"
LOCK = 0x4F4C5052
"""Of the advisory lock under which PostgreSQL changes one policy at a time; SQLite has one writer anyway."""
MOST_CHANGES = 200
T = TypeVar("T")
Held = frozenset[tuple[str, str | None]]
"""Permissions, each with the filter of what it is for, None for everything."""


@dataclass(frozen=True)
class Effect:
    """What one person (or, where nobody was seen yet, a group or subject of a binding) gains and loses."""

    subject: str | None
    username: str | None
    name: str
    gains: Held
    loses: Held


@dataclass(frozen=True)
class Preview:
    """What a change does, person by person; `affected` counts all of them, `effects` holds the first 200."""

    effects: list[Effect] = field(default_factory=list)
    affected: int = 0


class _Undo(Exception):
    """Ends a transaction that was only tried."""


class Administration:
    """The only way to change roles, bindings and the state of people."""

    def __init__(self, database: Database, book: PolicyBook, signals: Signals, clock: Clock = now) -> None:
        self._database = database
        self._book = book
        self._signals = signals
        self._clock = clock

    async def change(
        self, apply: Callable[[AsyncConnection], Awaitable[T]], *, dry_run: bool = False
    ) -> tuple[T, Preview]:
        """Apply a change, or try it (`dry_run`) and undo it. Returns what `apply` returns, and what the change does.
        Raises `Conflict` where it would leave nobody who can change access, and what `apply` raises."""
        found: list[tuple[T, Preview]] = []
        try:
            async with self._database.write() as connection:
                if not self._database.is_sqlite:
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
                before, persons = await self._book.read(connection), await _accounts(connection)
                result = await apply(connection)
                after = await self._book.read(connection)
                moment = self._clock()
                if administrators(before, persons, moment) and not administrators(after, persons, moment):
                    raise Conflict(
                        "Nobody would be left who can change access for good.",
                        remedy=f"First give {MANAGE} (the role platform-admin holds it), without an end and without a "
                        "filter, to somebody else who has signed in here.",
                    )
                found.append((result, compare(before, after, persons, moment)))
                if dry_run:
                    raise _Undo
                await self._signals.send(connection, SIGNAL)
        except _Undo:
            return found[0]
        await self._book.load()
        return found[0]

    async def narrow(self, apply: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Apply a change of bindings with a filter, which no admin stands by: nothing is compared."""
        async with self._database.write() as connection:
            result = await apply(connection)
            await self._signals.send(connection, SIGNAL)
        await self._book.load()
        return result


async def _accounts(connection: AsyncConnection) -> list[Identity]:
    rows = await connection.execute(select(accounts).order_by(accounts.c.username))
    return [identity_in(row) for row in rows]


def administrators(policy: Policy, persons: Iterable[Identity], at: datetime) -> list[Identity]:
    """People who signed in once, are not disabled, and can change access for good: by a binding without an end and
    without a filter. A service account is none: it cannot sign in to put things right."""

    by = {
        holder_of(binding)
        for binding in policy.bindings
        if binding.expires_at is None and binding.resource is None and MANAGE in policy.held_by(binding.role)
    }
    able = [person for person in persons if not person.is_service and person.key not in policy.disabled]
    return [person for person in able if by & holders(person)]


def held(policy: Policy, person: Identity, at: datetime) -> Held:
    """What bindings give to a person."""
    principal = policy.principal(person, at)
    everywhere: set[tuple[str, str | None]] = {(permission, None) for permission in principal.permissions}
    return frozenset(everywhere | {(p, grant.filter) for grant in principal.scoped for p in grant.permissions})


def compare(before: Policy, after: Policy, persons: Iterable[Identity], at: datetime) -> Preview:
    """What changes for whom."""
    known = list(persons)
    effects = []
    for person in _touched(before, after, known):
        had, has = held(before, person, at), held(after, person, at)
        if had != has:
            effects.append(Effect(person.key, person.username, person.name, has - had, had - has))
    for holder in _unseen(before, after, known):
        had, has = held(before, holder, at), held(after, holder, at)
        if had != has:
            effects.append(Effect(None, None, holder.name, has - had, had - has))
    return Preview(effects[:MOST_CHANGES], len(effects))


def _touched(before: Policy, after: Policy, known: list[Identity]) -> list[Identity]:
    """People whom a changed binding, a changed role or a change of their account can concern."""
    roles = {name for name in {*before.roles, *after.roles} if before.held_by(name) != after.held_by(name)}
    changed = set(before.bindings) ^ set(after.bindings)
    by = {holder_of(b) for b in changed} | {holder_of(b) for b in after.bindings if b.role in roles}
    accounts = before.disabled ^ after.disabled
    return [person for person in known if person.key in accounts or by & holders(person)]


def _unseen(before: Policy, after: Policy, known: list[Identity]) -> list[Identity]:
    """Stand-ins for groups and subjects of changed bindings of whom nobody has signed in yet."""
    changed = set(before.bindings) ^ set(after.bindings)
    found: dict[str, Identity] = {}
    for binding in changed:
        if any(binding.covers(person) for person in known):
            continue
        if binding.group is not None:
            name = f"group {binding.group}"
            found[name] = Identity("", "", "", name, groups=(binding.group,))
        elif binding.subject is not None:
            issuer, mark, subject = binding.subject.partition("#")
            name = f"subject {binding.subject}"
            found[name] = Identity(issuer, subject, "", name) if mark else Identity("", "", binding.subject, name)
    return [found[name] for name in sorted(found)]
