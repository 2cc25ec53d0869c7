"""Server-side sessions. The cookie holds an opaque id; the store holds its hash; a cache holds it for two seconds.

A session ends at sign-out, after `idle_timeout` without a request, and in any case after `absolute_timeout`. When it
ends, everybody who registered for it is told, and its open streams close.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.engine import Row

from openlakes_portal._rbac.policy import Identity, Policy
from openlakes_portal._settings.model import SessionSettings
from openlakes_portal._store.clock import Clock, now, sortable_id
from openlakes_portal._store.database import Database
from openlakes_portal._store.tables import sessions as table
from openlakes_portal.spi import Principal

COOKIE = "__Host-openlakes_session"
TOUCH_EVERY = timedelta(seconds=60)
MAX_CACHED = 50_000


@dataclass(frozen=True)
class Session:
    """A sign-in that is in force."""

    public_id: str
    id_hash: str
    identity: Identity
    principal: Principal
    csrf_token: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    ended: asyncio.Event = field(default_factory=asyncio.Event, compare=False, repr=False)


EndCallback = Callable[[Principal], Awaitable[None]]


class Sessions:
    """All sessions of this portal, as one replica sees them."""

    def __init__(self, database: Database, policy: Policy, settings: SessionSettings, clock: Clock = now) -> None:
        self._database = database
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._cache: dict[str, tuple[float, Session | None]] = {}
        self._loading: dict[str, asyncio.Task[Session | None]] = {}
        self._callbacks: list[EndCallback] = []

    def on_end(self, callback: EndCallback) -> None:
        """Call `callback` with the principal of each session that ends."""
        self._callbacks.append(callback)

    async def create(self, identity: Identity) -> tuple[str, Session]:
        """A new session and the cookie's value. Nothing of an old cookie is reused."""
        secret = secrets.token_urlsafe(32)
        moment = self._clock()
        session = Session(
            public_id=sortable_id(),
            id_hash=_hash(secret),
            identity=identity,
            principal=Principal("", "", "", ""),
            csrf_token=secrets.token_urlsafe(24),
            created_at=moment,
            seen_at=moment,
            expires_at=moment + timedelta(seconds=self._settings.absolute_timeout),
        )
        session = replace(session, principal=self._principal(session, moment))
        async with self._database.write() as connection:
            await connection.execute(
                insert(table).values(
                    id_hash=session.id_hash,
                    public_id=session.public_id,
                    issuer=identity.issuer,
                    subject=identity.subject,
                    username=identity.username,
                    name=identity.name,
                    email=identity.email,
                    groups=list(identity.groups),
                    csrf_token=session.csrf_token,
                    created_at=moment,
                    seen_at=moment,
                    expires_at=session.expires_at,
                )
            )
        self._remember(session.id_hash, session)
        return secret, session

    def cached(self, secret: str) -> tuple[bool, Session | None]:
        """Whether the cache knows this cookie, and the session: the path of a warm request, without an await."""
        entry = self._cache.get(_hash(secret))
        if entry is None or time.monotonic() - entry[0] > self._settings.cache_seconds:
            return False, None
        session = entry[1]
        if session is not None and self._is_over(session, self._clock()):
            return False, None
        return True, session

    async def resolve(self, secret: str) -> Session | None:
        """The session of a cookie, from the cache or the store; one look-up in flight a session."""
        if len(secret) > 128:
            return None
        known, session = self.cached(secret)
        if known:
            return session
        return await self._load_once(_hash(secret))

    async def refresh(self, session: Session) -> Session | None:
        """The session as the store has it, or None where it ended meanwhile: what an open stream asks. All streams of
        a session share one look-up in `cache_seconds`."""
        moment, known = self._cache.get(session.id_hash, (float("-inf"), None))
        if known is not None and time.monotonic() - moment <= self._settings.cache_seconds:
            return None if self._is_over(known, self._clock()) else known
        return await self._load_once(session.id_hash)

    async def _load_once(self, id_hash: str) -> Session | None:
        task = self._loading.get(id_hash)
        if task is None:
            task = asyncio.create_task(self._load(id_hash))
            self._loading[id_hash] = task
            task.add_done_callback(lambda _: self._loading.pop(id_hash, None))
        return await asyncio.shield(task)

    async def _load(self, id_hash: str) -> Session | None:
        moment = self._clock()
        async with self._database.read() as connection:
            row = (await connection.execute(select(table).where(table.c.id_hash == id_hash))).first()
        old = self._cache.get(id_hash, (0.0, None))[1]
        session = self._session(row, moment, old) if row is not None else None
        if session is not None and self._is_over(session, moment):
            await self._end(session)
            session = None
        if session is None:
            if old is not None:
                old.ended.set()
            self._remember(id_hash, None)
            return None
        if moment - session.seen_at >= TOUCH_EVERY:
            async with self._database.write() as connection:
                await connection.execute(update(table).where(table.c.id_hash == id_hash).values(seen_at=moment))
            session = replace(session, seen_at=moment)
        self._remember(id_hash, session)
        return session

    async def end(self, session: Session) -> None:
        """Sign out: the cookie is worth nothing from now on."""
        await self._end(session)

    async def sweep(self) -> int:
        """End every session that is over by time; returns how many."""
        moment = self._clock()
        idle_since = moment - timedelta(seconds=self._settings.idle_timeout)
        over = or_(table.c.expires_at <= moment, table.c.seen_at <= idle_since)
        async with self._database.read() as connection:
            rows = (await connection.execute(select(table).where(over).limit(500))).all()
        for row in rows:
            await self._end(self._session(row, moment, self._cache.get(row.id_hash, (0.0, None))[1]))
        stale = time.monotonic() - 60
        for key in [key for key, (checked, _) in self._cache.items() if checked < stale]:
            del self._cache[key]
        return len(rows)

    async def _end(self, session: Session) -> None:
        async with self._database.write() as connection:
            gone = await connection.execute(delete(table).where(table.c.id_hash == session.id_hash))
        self._remember(session.id_hash, None)
        session.ended.set()
        if gone.rowcount:
            for callback in self._callbacks:
                await callback(session.principal)

    def _remember(self, id_hash: str, session: Session | None) -> None:
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[id_hash] = (time.monotonic(), session)

    def _is_over(self, session: Session, moment: datetime) -> bool:
        idle = moment - session.seen_at >= timedelta(seconds=self._settings.idle_timeout) + TOUCH_EVERY
        return moment >= session.expires_at or idle

    def _session(self, row: Row[tuple[object, ...]], moment: datetime, old: Session | None) -> Session:
        identity = Identity(row.issuer, row.subject, row.username, row.name, row.email, tuple(row.groups))
        session = Session(
            row.public_id,
            row.id_hash,
            identity,
            Principal("", "", "", ""),
            row.csrf_token,
            row.created_at,
            row.seen_at,
            row.expires_at,
            old.ended if old is not None else asyncio.Event(),
        )
        return replace(session, principal=self._principal(session, moment))

    def _principal(self, session: Session, moment: datetime) -> Principal:
        identity = session.identity
        roles = self._policy.roles_of(identity, moment)
        return Principal(
            subject=identity.subject,
            issuer=identity.issuer,
            username=identity.username,
            name=identity.name,
            email=identity.email,
            roles=roles,
            permissions=self._policy.permissions_of(roles),
            session_id=session.public_id,
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
