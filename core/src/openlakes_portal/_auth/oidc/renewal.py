"""While a person is active the provider is asked whether they still may, and what it says of them.

One renewal at a time a session, over all processes, by a lease in its row. The question is userinfo where that says
enough, because it can be repeated; the refresh token is used when the access token is about to end, or when only a new
ID token tells the groups. A refresh whose answer is lost is the end of the session: whether the token was used up
cannot be known. A provider that is away ends nothing, and neither does a clock that is wrong.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import or_, update

from openlakes_portal._auth.grants import Grant
from openlakes_portal._auth.oidc.claims import PersonReader
from openlakes_portal._auth.oidc.client import OidcClient
from openlakes_portal._auth.oidc.errors import ClockFault, GrantOver, LostAnswer, SignInRefused, TokenRefused
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._auth.oidc.tokens import TokenVerifier
from openlakes_portal._auth.sessions import Session, Sessions
from openlakes_portal._rbac.policy import Identity
from openlakes_portal._settings.model import AuthSettings
from openlakes_portal._store.clock import Clock, now
from openlakes_portal._store.database import Database
from openlakes_portal._store.tables import sessions as table
from openlakes_portal.spi import NotAllowed, PortalError

RENEW_BEFORE = timedelta(seconds=30)
POLL = 0.1

log = structlog.get_logger("oidc")
Ended = Callable[[Session, str], Awaitable[None]]


class Renewals:
    """Keeps sessions that are in use confirmed."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        provider: Provider,
        client: OidcClient,
        verifier: TokenVerifier,
        reader: PersonReader,
        settings: AuthSettings,
        ended: Ended,
        clock: Clock = now,
    ) -> None:
        assert settings.oidc is not None
        self._database = database
        self._sessions = sessions
        self._provider = provider
        self._client = client
        self._verifier = verifier
        self._reader = reader
        self._settings = settings
        self._every = timedelta(seconds=settings.oidc.check_every)
        self._lease = timedelta(seconds=settings.oidc.timeout * 4 + 5)
        self._ended = ended
        self._clock = clock
        self._running: dict[str, asyncio.Task[bool]] = {}
        sessions.on_active(self.look_at)

    def look_at(self, session: Session) -> None:
        """A session is in use: renew it in the background once it is due."""
        # A check that lies ahead was noted by a clock that was set back since.
        due = session.checked_at is not None and abs(self._clock() - session.checked_at) >= self._every * 0.8
        if session.has_grant and due and session.id_hash not in self._running:
            self._begin(session)

    def _begin(self, session: Session, *, at_once: bool = False) -> "asyncio.Task[bool]":
        task = asyncio.get_running_loop().create_task(self.renew(session, at_once=at_once))
        self._running[session.id_hash] = task
        task.add_done_callback(lambda _: self._running.pop(session.id_hash, None))
        return task

    async def stop(self) -> None:
        """Let renewals that run come to their end: a refresh token that was used must be stored."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=self._lease.total_seconds())

    async def fresh(self, session: Session, usable: timedelta) -> Grant | None:
        """The session's tokens, the access token good for at least so long; renewed first where it is not. None where
        there are none (any more), or they could not be renewed in time."""
        ends = time.monotonic() + self._lease.total_seconds()
        while True:
            grant = await self._sessions.grant(session)
            if grant is None or grant.expires_at - self._clock() > usable:
                return grant
            if session.ended.is_set() or time.monotonic() >= ends:
                return None
            # Whoever gives up waiting does not stop it: a refresh token that was used must be stored.
            if not await asyncio.shield(self._running.get(session.id_hash) or self._begin(session, at_once=True)):
                await asyncio.sleep(POLL)  # another process does

    async def renew(self, session: Session, *, at_once: bool = False) -> bool:
        """Ask now, unless another process does, or (but `at_once`) did lately; whether it was asked here."""
        try:
            if not await self._claim(session, at_once=at_once):
                return False
            grant = await self._sessions.grant(session)
            if grant is None:
                await self._end(session, "its tokens cannot be read")
                return True
            try:
                grant, identity = await self._confirm(session, grant)
                await self._sessions.confirm(session, grant, identity)
            except (SignInRefused, NotAllowed) as error:
                await self._end(session, error.detail)
        except PortalError as error:
            log.warning("a session could not be confirmed and goes on", session=session.public_id, reason=error.detail)
        except Exception as error:
            log.error("a session could not be confirmed", session=session.public_id, error=repr(error), exc_info=error)
        return True

    async def _claim(self, session: Session, *, at_once: bool) -> bool:
        """Take the lease, and put off the next look, so that a dead provider is not asked with every request."""
        moment = self._clock()
        held, every = table.c.refreshing_until, self._every * 0.8
        # What lies further ahead than it can was written by a clock that was set back since: it holds nobody up.
        free = or_(held.is_(None), held < moment, held > moment + self._lease * 2)
        mine = update(table).where(table.c.id_hash == session.id_hash, free)
        if not at_once:
            mine = mine.where(or_(table.c.checked_at <= moment - every, table.c.checked_at >= moment + every))
        values = {"refreshing_until": moment + self._lease}
        async with self._database.write() as connection:
            return (await connection.execute(mine.values(values))).rowcount == 1

    async def _confirm(self, session: Session, grant: Grant) -> tuple[Grant, Identity]:
        claims = None
        if grant.expires_at - self._clock() > RENEW_BEFORE:
            claims = await self._userinfo(grant)
        if claims is None or (grant.refresh_token is not None and not self._reader.states_groups(claims)):
            grant, claims = await self._refresh(session, grant)
        if claims is None:
            return grant, session.identity
        identity = await self._reader.read(self._filled(session, claims), grant)
        if (identity.issuer, identity.subject) != (session.identity.issuer, session.identity.subject):
            raise GrantOver("The identity provider answered for another person.")
        return grant, identity

    async def _userinfo(self, grant: Grant) -> dict[str, Any] | None:
        """What the provider says now, None where it says nothing and the refresh token must tell. A refusal may mean no
        more than that the access token has ended (RFC 6750, 3.1), which a clock that was set back does not know."""
        try:
            return await self._client.userinfo(grant)
        except TokenRefused:
            if grant.refresh_token is None:
                raise
            return None

    async def _refresh(self, session: Session, grant: Grant) -> tuple[Grant, dict[str, Any] | None]:
        """Use the refresh token, and store what came before anything else is done with it; the claims of the new ID
        token, where there is one."""
        await self._provider.metadata()  # nothing is risked while the provider is away
        try:
            renewed = await self._client.renew(grant)
        except LostAnswer as error:
            raise GrantOver(f"The answer to its renewal was lost: {error.detail}") from None
        await self._sessions.store_grant(session, renewed)
        if renewed.id_token is None or renewed.id_token == grant.id_token:
            return renewed, None
        try:
            claims = await self._verifier.id_token(renewed.id_token, nonce=None, access_token=renewed.access_token)
        except ClockFault as error:  # ours, as likely as theirs: that would sign out everybody
            log.error("a renewed ID token does not fit the clock", session=session.public_id, reason=error.detail)
            told = await self._client.userinfo(renewed)
            return renewed, told if told is not None and self._reader.states_groups(told) else None
        if claims["sub"] != grant.subject:
            raise GrantOver("The identity provider answered for another person.")
        return renewed, claims

    def _filled(self, session: Session, claims: dict[str, Any]) -> dict[str, Any]:
        """Userinfo need not repeat what identifies a person in the portal; what was true at the sign-in is kept."""
        oidc, identity = self._provider.settings, session.identity
        kept = {oidc.subject_claim: identity.subject, self._settings.username_claim: identity.username}
        return {**kept, "name": identity.name, **claims}

    async def _end(self, session: Session, reason: str) -> None:
        log.info("session ended by the identity provider", session=session.public_id, reason=reason)
        await self._sessions.end(session)
        await self._ended(session, reason)
