"""API tokens: a named, expiring key of one person, or of a service account, for scripts, with no more than a part of
what its owner may.

The store holds a token's hash. What it may is decided at each use: the permissions that were asked for, as far as the
owner holds them now. A revoked token is refused by every process as soon as it hears of it, and within two seconds in
any case.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._auth.sessions import UNHEARD, Origin, Session
from openlakes_portal._auth.token_text import is_token, new_token
from openlakes_portal._rbac.accounts import accounts
from openlakes_portal._rbac.book import PolicyBook
from openlakes_portal._rbac.policy import Identity, restricted
from openlakes_portal._store.clock import Clock, now, sortable_id
from openlakes_portal._store.database import Database
from openlakes_portal._store.hashes import secret_hash
from openlakes_portal._store.identity_tables import api_tokens as table
from openlakes_portal._store.signals import Signals
from openlakes_portal.spi import Principal

SIGNAL = "api-token"
OF_OWNER = "api-tokens-of"
"""The signal that all tokens of one owner are to be looked up anew; its key is the owner's."""
ID = "tok"
"""Begins the id of each token, which audit records name in place of a session."""
USED_EVERY = timedelta(seconds=60)
MAX_CACHED = 10_000
KEPT = timedelta(days=1)
"""How long an exchanged token that has ended is still to be found by its id."""
KEPT_OWN = timedelta(days=30)
"""The same for a token that somebody made, after its end or its revocation."""


@dataclass(frozen=True)
class ApiToken:
    """A token as its owner sees it; the token itself is shown once, when it is made."""

    id: str
    name: str
    hint: str
    issuer: str
    subject: str
    username: str
    permissions: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_address: str | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class NewToken:
    """A token to be made. `exchanged`: for a token of somebody else's, so it is short and not listed."""

    owner: Identity
    name: str
    permissions: Sequence[str]
    expires_at: datetime
    created_by: str
    exchanged: bool = False


class ApiTokens:
    """All API tokens of this portal, as one process sees them."""

    def __init__(
        self,
        database: Database,
        book: PolicyBook,
        signals: Signals,
        cache_seconds: float,
        clock: Clock = now,
        owner_seen_within: timedelta = timedelta(days=30),
    ) -> None:
        self._database = database
        self._book = book
        self._signals = signals
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._owner_seen_within = owner_seen_within
        self._cache: dict[str, tuple[float, Session | None, frozenset[str]]] = {}
        self._revoked_at: dict[str, float] = {}
        self._owners_changed_at: dict[str, float] = {}
        signals.on(SIGNAL, self._forget)
        signals.on(OF_OWNER, self.forget_owner)
        signals.on_lost(self._cache.clear)

    async def create(self, new: NewToken) -> tuple[str, ApiToken]:
        """A new token and its text, which is not to be had again."""
        async with self._database.write() as connection:
            return await self.add(connection, new)

    async def add(self, connection: AsyncConnection, new: NewToken) -> tuple[str, ApiToken]:
        """The same within a transaction."""
        text = new_token()
        values: dict[str, Any] = {
            "id": (ID + sortable_id())[:32],
            "token_hash": secret_hash(text),
            "hint": text[-4:],
            "name": new.name,
            "issuer": new.owner.issuer,
            "subject": new.owner.subject,
            "username": new.owner.username,
            "permissions": sorted(set(new.permissions)),
            "created_by": new.created_by,
            "created_at": self._clock(),
            "expires_at": new.expires_at,
            "exchanged": new.exchanged,
        }
        await connection.execute(insert(table).values(values))
        row = (await connection.execute(select(table).where(table.c.id == values["id"]))).one()
        return text, _token(row)

    async def page(self, condition: ColumnElement[bool], *, limit: int) -> tuple[Sequence[ApiToken], str | None]:
        """Tokens that are not revoked, newest first, and the id below which further ones lie."""
        wanted = select(table).where(condition, table.c.revoked_at.is_(None), table.c.exchanged.is_(False))
        async with self._database.read() as connection:
            rows = (await connection.execute(wanted.order_by(table.c.id.desc()).limit(limit + 1))).all()
        return [_token(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None

    async def revoke(self, condition: ColumnElement[bool]) -> int:
        """Refuse these tokens from now on, in every process; how many there were."""
        alive = table.c.revoked_at.is_(None)
        async with self._database.write() as connection:
            rows = (await connection.execute(select(table.c.token_hash).where(condition, alive))).all()
            await connection.execute(update(table).where(condition, alive).values(revoked_at=self._clock()))
            for row in rows:
                await self._signals.send(connection, SIGNAL, row.token_hash)
        for row in rows:
            self._forget(row.token_hash)
        return len(rows)

    async def owner_changed(
        self, connection: AsyncConnection, owner: Identity, *, revoke: Literal["none", "exchanged", "all"] = "none"
    ) -> None:
        """Every process looks the owner's tokens up anew, once this transaction is through: the owner was disabled,
        enabled or deleted. `revoke` ends `exchanged` tokens, or `all`, for good."""
        theirs = (table.c.issuer == owner.issuer) & (table.c.subject == owner.subject) & table.c.revoked_at.is_(None)
        if revoke != "none":
            which = theirs & table.c.exchanged if revoke == "exchanged" else theirs
            await connection.execute(update(table).where(which).values(revoked_at=self._clock()))
        await self._signals.send(connection, OF_OWNER, owner.key)

    async def sweep(self) -> int:
        """Delete exchanged tokens that ended a day ago, and people's own a month ago; how many there were."""
        moment = self._clock()
        over = or_(
            table.c.exchanged & (table.c.expires_at < moment - KEPT),
            table.c.expires_at < moment - KEPT_OWN,
            table.c.revoked_at < moment - KEPT_OWN,
        )
        async with self._database.write() as connection:
            return (await connection.execute(delete(table).where(over))).rowcount

    async def session(self, text: str, address: str | None) -> Session | None:
        """What a request with this token may, None for one that is worth nothing."""
        if not is_token(text):
            return None
        return await self._session(secret_hash(text), address)

    async def refresh(self, session: Session) -> Session | None:
        """The same for a request that goes on: what an open stream asks."""
        return await self._session(session.id_hash, session.origin.address)

    async def _session(self, token_hash: str, address: str | None) -> Session | None:
        held = self._cache.get(token_hash)
        believed = self._cache_seconds if self._signals.live else min(UNHEARD, self._cache_seconds)
        if held is None or time.monotonic() - held[0] > believed:
            held = await self._load(token_hash, address)
        asked, session, permissions = held
        if session is None or session.ended.is_set() or self._clock() >= session.expires_at:
            return None
        if session.policy is not self._book.current:
            session = self._judged(session, permissions)
            self._cache[token_hash] = (asked, session, permissions)
        return session

    async def _load(self, token_hash: str, address: str | None) -> tuple[float, Session | None, frozenset[str]]:
        asked, moment = time.monotonic(), self._clock()
        owner = (accounts.c.issuer == table.c.issuer) & (accounts.c.subject == table.c.subject)
        columns = (
            accounts.c.name.label("owner"),
            accounts.c.email,
            accounts.c.groups,
            accounts.c.disabled_at,
            accounts.c.last_seen_at,
        )
        wanted = select(table, *columns).join(accounts, owner).where(table.c.token_hash == token_hash)
        async with self._database.read() as connection:
            row = (await connection.execute(wanted)).first()
        before = self._cache.get(token_hash)
        dead = row is None or row.revoked_at or row.disabled_at or row.expires_at <= moment
        if row is None or dead or self._is_left(row, moment) or self._changed_at(token_hash, row) >= asked:
            if before is not None and before[1] is not None:
                before[1].ended.set()
            return self._remember(token_hash, (asked, None, frozenset()))
        await self._note_use(row, moment, address)
        permissions = frozenset(row.permissions)
        session = self._judged(_session_of(row, before[1] if before else None, address), permissions)
        return self._remember(token_hash, (asked, session, permissions))

    def _is_left(self, row: Row[Any], moment: datetime) -> bool:
        """Whether its owner has not been here for long. Nobody tells the portal who has left the company: a sign-in,
        and the checks while it lasts, are when the provider is asked."""
        seen = row.last_seen_at
        return seen is not None and moment - seen > self._owner_seen_within

    def _changed_at(self, token_hash: str, row: Row[Any]) -> float:
        """When this process last heard of a change, which a reading that began before may not have seen."""
        owner = f"{row.issuer}#{row.subject}"
        return max(self._revoked_at.get(token_hash, 0.0), self._owners_changed_at.get(owner, 0.0))

    async def _note_use(self, row: Row[Any], moment: datetime, address: str | None) -> None:
        if row.last_used_at is not None and moment - row.last_used_at < USED_EVERY:
            return
        values = {"last_used_at": moment, "last_used_address": address}
        async with self._database.write() as connection:
            await connection.execute(update(table).where(table.c.id == row.id).values(values))

    def _judged(self, session: Session, permissions: frozenset[str]) -> Session:
        policy = self._book.current
        principal = policy.principal(session.identity, self._clock(), session.public_id)
        return replace(session, policy=policy, principal=restricted(principal, permissions))

    def _remember(
        self, token_hash: str, entry: tuple[float, Session | None, frozenset[str]]
    ) -> tuple[float, Session | None, frozenset[str]]:
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
            self._revoked_at.clear()
            self._owners_changed_at.clear()
        self._cache[token_hash] = entry
        return entry

    def _forget(self, token_hash: str) -> None:
        self._revoked_at[token_hash] = time.monotonic()
        _, session, _ = self._cache.pop(token_hash, (0.0, None, frozenset()))
        if session is not None:
            session.ended.set()

    def forget_owner(self, owner: str) -> None:
        """Look this owner's tokens up anew, in this process."""
        self._owners_changed_at[owner] = time.monotonic()
        for token_hash, (_, session, _permissions) in [*self._cache.items()]:
            if session is not None and session.identity.key == owner:
                del self._cache[token_hash]
                session.ended.set()


def _session_of(row: Row[Any], before: Session | None, address: str | None) -> Session:
    return Session(
        public_id=row.id,
        id_hash=row.token_hash,
        identity=Identity(row.issuer, row.subject, row.username, row.owner, row.email, tuple(row.groups)),
        principal=Principal("", "", "", ""),
        csrf_token="",
        created_at=row.created_at,
        seen_at=row.created_at,
        expires_at=row.expires_at,
        origin=Origin(address),
        by_token=True,
        ended=before.ended if before is not None else asyncio.Event(),
    )


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        row.id,
        row.name,
        row.hint,
        row.issuer,
        row.subject,
        row.username,
        tuple(row.permissions),
        row.created_at,
        row.expires_at,
        row.last_used_at,
        row.last_used_address,
        row.revoked_at,
    )
