"""Server-side sessions. The cookie holds an opaque id; the store holds its hash; a cache holds it for two seconds.

A session ends at sign-out, after `idle_timeout` without a request, and in any case after `absolute_timeout`. When it
ends, every process is told, whoever registered for it is called, and its open streams close. An open stream is no
request: it keeps nobody signed in.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.engine import Row

from openlakes_portal._auth.grants import Grant, open_grant
from openlakes_portal._auth.people import admit
from openlakes_portal._rbac.book import PolicyBook
from openlakes_portal._rbac.policy import Identity, Policy
from openlakes_portal._settings.model import SessionSettings
from openlakes_portal._store.clock import Clock, now, sortable_id
from openlakes_portal._store.database import Database
from openlakes_portal._store.hashes import secret_hash
from openlakes_portal._store.identity_tables import people
from openlakes_portal._store.keyring import Keyring, KeyringError
from openlakes_portal._store.signals import Signals
from openlakes_portal._store.tables import sessions as table
from openlakes_portal.spi import Principal

COOKIE = "__Host-openlakes_session"
TOUCH_EVERY = timedelta(seconds=60)
UNHEARD = 0.5
"""Seconds for which a session is believed while signals of other processes cannot be heard."""
MAX_CACHED = 50_000
SIGNAL = "session-ended"
CHANGED = "session-changed"
log = structlog.get_logger("sessions")


@dataclass(frozen=True)
class Origin:
    """Where a sign-in came from, for the list of sessions."""

    address: str | None = None
    agent: str | None = None


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
    origin: Origin = Origin()
    provider_session: str | None = None
    checked_at: datetime | None = None
    has_grant: bool = False
    by_token: bool = False
    """No sign-in: a request with an API token, for as long as it is believed."""
    policy: Policy | None = field(default=None, compare=False, repr=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event, compare=False, repr=False)


EndCallback = Callable[[Principal], Awaitable[None]]
ActiveCallback = Callable[[Session], None]


class Sessions:
    """All sessions of this portal, as one replica sees them."""

    def __init__(
        self,
        database: Database,
        book: PolicyBook,
        settings: SessionSettings,
        keyring: Keyring,
        signals: Signals,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._book = book
        self._settings = settings
        self._keyring = keyring
        self._signals = signals
        self._clock = clock
        self._cache: dict[str, tuple[float, Session | None]] = {}
        self._used: dict[str, datetime] = {}
        self._asked: set[str] = set()
        self._loading: dict[str, asyncio.Task[Session | None]] = {}
        self._callbacks: list[EndCallback] = []
        self._active: list[ActiveCallback] = []
        self._ended_here: dict[str, float] = {}
        self._calls: set[asyncio.Task[None]] = set()
        signals.on(SIGNAL, self._heard_end)
        signals.on(CHANGED, lambda id_hash: self._cache.pop(id_hash, None) and None)
        signals.on_lost(self._cache.clear)

    def on_end(self, callback: EndCallback) -> None:
        """Call `callback` with the principal of each session that ends, in whichever process it is ended."""
        self._callbacks.append(callback)

    def on_active(self, callback: ActiveCallback) -> None:
        """Call `callback` with each session that is in use, every few seconds. It must not wait."""
        self._active.append(callback)

    async def create(
        self,
        identity: Identity,
        origin: Origin = Origin(),
        grant: Grant | None = None,
        provider_session: str | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[str, Session]:
        """A new session and the cookie's value. Nothing of an old cookie is reused. `expires_at` may end it before
        `absolute_timeout`. Raises `NotAllowed` for a person who may not sign in."""
        secret = secrets.token_urlsafe(32)
        moment = self._clock()
        latest = moment + timedelta(seconds=self._settings.absolute_timeout)
        session = Session(
            public_id=sortable_id(),
            id_hash=secret_hash(secret),
            identity=identity,
            principal=Principal("", "", "", ""),
            csrf_token=secrets.token_urlsafe(24),
            created_at=moment,
            seen_at=moment,
            expires_at=min(latest, expires_at or latest),
            origin=origin,
            provider_session=provider_session,
            checked_at=moment if grant else None,
            has_grant=grant is not None,
        )
        session = self._with_principal(session, moment)
        async with self._database.write() as connection:
            await admit(connection, identity, moment)
            await connection.execute(insert(table).values(self._values(session, grant)))
        self._remember(session.id_hash, session)
        return secret, session

    def _values(self, session: Session, grant: Grant | None) -> dict[str, Any]:
        return {
            "id_hash": session.id_hash,
            "public_id": session.public_id,
            "csrf_token": session.csrf_token,
            "created_at": session.created_at,
            "seen_at": session.seen_at,
            "expires_at": session.expires_at,
            "address": session.origin.address,
            "agent": session.origin.agent,
            "provider_session": session.provider_session,
            "checked_at": session.checked_at,
            "tokens": grant.seal(self._keyring, session.public_id) if grant else None,
            **_identity_values(session.identity),
        }

    def cached(self, secret: str) -> tuple[bool, Session | None]:
        """Whether the cache knows this cookie, and the session: the path of a warm request, without an await."""
        return self._cached(secret_hash(secret))

    def _cached(self, id_hash: str) -> tuple[bool, Session | None]:
        entry = self._cache.get(id_hash)
        if entry is None or time.monotonic() - entry[0] > self._believed():
            return False, None
        session = entry[1]
        if session is None:
            return True, None
        moment = self._clock()
        self._used[id_hash] = moment
        if self._is_over(session, moment):
            return False, None
        if session.policy is not self._book.current:
            session = self._with_principal(session, moment)
            self._cache[id_hash] = (entry[0], session)
        return True, session

    def _believed(self) -> float:
        return self._settings.cache_seconds if self._signals.live else min(UNHEARD, self._settings.cache_seconds)

    async def resolve(self, secret: str) -> Session | None:
        """The session of a cookie, from the cache or the store; one look-up in flight a session."""
        if len(secret) > 128:
            return None
        return await self.resolve_hash(secret_hash(secret))

    async def resolve_hash(self, id_hash: str) -> Session | None:
        """The session of a cookie of which the hash is known: what an app's own cookie names."""
        known, session = self._cached(id_hash)
        if known:
            return session
        self._asked.add(id_hash)
        return await self._load_once(id_hash)

    async def refresh(self, session: Session) -> Session | None:
        """The session as the store has it, or None where it ended meanwhile: what an open stream asks. All streams of
        a session share one look-up in `cache_seconds`."""
        moment, known = self._cache.get(session.id_hash, (float("-inf"), None))
        if known is not None and time.monotonic() - moment <= self._believed():
            return None if self._is_over(known, self._clock()) else known
        return await self._load_once(session.id_hash)

    async def _load_once(self, id_hash: str) -> Session | None:
        task = self._loading.get(id_hash)
        if task is None:
            task = asyncio.create_task(self._load(id_hash))
            self._loading[id_hash] = task
            task.add_done_callback(lambda _: self._loaded(id_hash))
        return await asyncio.shield(task)

    def _loaded(self, id_hash: str) -> None:
        self._loading.pop(id_hash, None)
        self._asked.discard(id_hash)

    async def _load(self, id_hash: str) -> Session | None:
        moment = self._clock()
        same = (people.c.issuer == table.c.issuer) & (people.c.subject == table.c.subject)
        query = select(table, people.c.disabled_at).join(people, same, isouter=True).where(table.c.id_hash == id_hash)
        asked = time.monotonic()
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if self._ended_here.get(id_hash, 0.0) >= asked:
            return None  # it ended while we read
        old = self._cache.get(id_hash, (0.0, None))[1]
        session = self._session(row, moment, old) if row is not None else None
        if session is not None and (self._is_over(session, moment) or (row is not None and row.disabled_at)):
            await self._end_rows([session])
            session = None
        if session is None:
            if old is not None:
                old.ended.set()
            self._remember(id_hash, None)
            return None
        if id_hash in self._asked:  # by a request, not by an open stream alone
            self._used[id_hash] = moment
        used = self._used.get(id_hash)
        if used is not None and used - session.seen_at >= TOUCH_EVERY:
            async with self._database.write() as connection:
                await connection.execute(update(table).where(table.c.id_hash == id_hash).values(seen_at=used))
            session = replace(session, seen_at=used)
        self._remember(id_hash, session)
        for callback in self._active:
            callback(session)
        return session

    async def end(self, session: Session) -> None:
        """Sign out: the cookie is worth nothing from now on."""
        await self._end_rows([session])

    async def end_where(self, condition: ColumnElement[bool]) -> list[Session]:
        """End every session of these rows, in all processes; returns them."""
        sessions = await self.list(condition, limit=100_000)
        await self._end_rows(sessions)
        return sessions

    async def list(self, condition: ColumnElement[bool], *, limit: int = 500) -> list[Session]:
        """Sessions of these rows, newest first."""
        found, _ = await self.page(condition, limit=limit)
        return [*found]

    async def page(self, condition: ColumnElement[bool], *, limit: int) -> tuple[Sequence[Session], str | None]:
        """Sessions of these rows, newest first, and the public id below which further ones lie, None for none."""
        query = select(table).where(condition).order_by(table.c.public_id.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        moment = self._clock()
        found = [self._session(row, moment, self._cache.get(row.id_hash, (0.0, None))[1]) for row in rows[:limit]]
        following = rows[limit - 1].public_id if len(rows) > limit else None
        return [session for session in found if not self._is_over(session, moment)], following

    async def grant(self, session: Session) -> Grant | None:
        """What the identity provider gave, None where it gave nothing that can be read."""
        query = select(table.c.tokens).where(table.c.id_hash == session.id_hash)
        async with self._database.read() as connection:
            sealed = (await connection.execute(query)).scalar()
        if sealed is None:
            return None
        try:
            return open_grant(self._keyring, session.public_id, sealed)
        except KeyringError as error:
            log.error("the tokens of a session cannot be read", session=session.public_id, reason=str(error))
            return None

    async def store_grant(self, session: Session, grant: Grant) -> None:
        """Keep new tokens; the old ones are worth nothing any more."""
        values = {"tokens": grant.seal(self._keyring, session.public_id)}
        async with self._database.write() as connection:
            await connection.execute(update(table).where(table.c.id_hash == session.id_hash).values(values))

    async def confirm(self, session: Session, grant: Grant, identity: Identity) -> None:
        """The provider confirmed the person, and says this of them now. Raises `NotAllowed` as `create` does."""
        moment = self._clock()
        values = {
            "tokens": grant.seal(self._keyring, session.public_id),
            "checked_at": moment,
            "refreshing_until": None,
            **_identity_values(identity),
        }
        async with self._database.write() as connection:
            await admit(connection, identity, moment)
            await connection.execute(update(table).where(table.c.id_hash == session.id_hash).values(values))
            await self._signals.send(connection, CHANGED, session.id_hash)
        self._cache.pop(session.id_hash, None)

    async def sweep(self) -> int:
        """End every session that is over by time; returns how many."""
        moment = self._clock()
        await self._bring_back(moment)
        idle_since = moment - timedelta(seconds=self._settings.idle_timeout) - TOUCH_EVERY
        over = or_(table.c.expires_at <= moment, table.c.seen_at <= idle_since)
        async with self._database.read() as connection:
            rows = (await connection.execute(select(table).where(over).limit(500))).all()
        found = [self._session(row, moment, self._cache.get(row.id_hash, (0.0, None))[1]) for row in rows]
        ended = [session for session in found if self._is_over(session, moment)]
        await self._end_rows(ended)
        self._forget_old()
        return len(ended)

    async def _bring_back(self, moment: datetime) -> None:
        """Sessions that were begun or used while the clock was ahead would last longer by as much: they are taken for
        ones of now. Replicas whose clocks are a little apart change nothing."""
        latest = moment + timedelta(seconds=self._settings.absolute_timeout)
        self._used = {id_hash: min(used, moment) for id_hash, used in self._used.items()}
        for column, most in ((table.c.seen_at, moment), (table.c.expires_at, latest)):
            ahead = column > most + TOUCH_EVERY
            async with self._database.read() as connection:
                if (await connection.execute(select(table.c.id_hash).where(ahead).limit(1))).first() is None:
                    continue
            async with self._database.write() as connection:
                await connection.execute(update(table).where(ahead).values({column: most}))

    def _forget_old(self) -> None:
        stale = time.monotonic() - 60
        for key in [key for key, (checked, _) in self._cache.items() if checked < stale]:
            del self._cache[key]
            self._used.pop(key, None)
        for key in [key for key, at in self._ended_here.items() if at < stale]:
            del self._ended_here[key]

    async def _end_rows(self, sessions: Sequence[Session]) -> None:
        """Delete the rows and tell every process in the same transaction; only who deleted a row tells of it."""
        if not sessions:
            return
        gone = []
        for session in sessions:  # before the others are told, because their word comes back to us too
            self._ended_here[session.id_hash] = time.monotonic()
        try:
            async with self._database.write() as connection:
                for session in sessions:
                    result = await connection.execute(delete(table).where(table.c.id_hash == session.id_hash))
                    if result.rowcount:
                        gone.append(session)
                        await self._signals.send(connection, SIGNAL, _signal_of(session))
        except BaseException:
            for session in sessions:
                self._ended_here.pop(session.id_hash, None)
            raise
        for session in sessions:
            self._ended_here[session.id_hash] = time.monotonic()
            self._forget(session.id_hash, session)
        for session in gone:
            for callback in self._callbacks:
                await callback(session.principal)

    def _heard_end(self, key: str) -> None:
        """Another process (or this one) ended a session."""
        told = json.loads(key)
        id_hash = told.pop("id_hash")
        if id_hash in self._ended_here:
            return
        self._ended_here[id_hash] = time.monotonic()
        self._forget(id_hash, None)
        task = asyncio.get_running_loop().create_task(self._call_back(Principal(**told)))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call_back(self, principal: Principal) -> None:
        for callback in self._callbacks:
            await callback(principal)

    def _forget(self, id_hash: str, session: Session | None) -> None:
        held = self._cache.get(id_hash, (0.0, None))[1]
        for each in (held, session):
            if each is not None:
                each.ended.set()
        self._used.pop(id_hash, None)
        self._remember(id_hash, None)

    def _remember(self, id_hash: str, session: Session | None) -> None:
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
            self._used.clear()
        self._cache[id_hash] = (time.monotonic(), session)

    def _is_over(self, session: Session, moment: datetime) -> bool:
        seen = max(session.seen_at, self._used.get(session.id_hash, session.seen_at))
        return moment >= session.expires_at or moment - seen >= timedelta(seconds=self._settings.idle_timeout)

    def _session(self, row: Row[Any], moment: datetime, old: Session | None) -> Session:
        session = Session(
            row.public_id,
            row.id_hash,
            Identity(row.issuer, row.subject, row.username, row.name, row.email, tuple(row.groups)),
            Principal("", "", "", ""),
            row.csrf_token,
            row.created_at,
            row.seen_at,
            row.expires_at,
            Origin(row.address, row.agent),
            row.provider_session,
            row.checked_at,
            row.tokens is not None,
            ended=old.ended if old is not None else asyncio.Event(),
        )
        return self._with_principal(session, moment)

    def _with_principal(self, session: Session, moment: datetime) -> Session:
        policy = self._book.current
        return replace(session, policy=policy, principal=policy.principal(session.identity, moment, session.public_id))


def _identity_values(identity: Identity) -> dict[str, Any]:
    return {
        "issuer": identity.issuer,
        "subject": identity.subject,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "groups": list(identity.groups),
    }


def _signal_of(session: Session) -> str:
    identity = session.identity
    told = {"id_hash": session.id_hash, "issuer": identity.issuer, "subject": identity.subject}
    return json.dumps({**told, "username": identity.username, "name": "", "session_id": session.public_id})
