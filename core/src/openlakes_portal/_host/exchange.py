"""Credentials for upstreams: the exchanger of the audience is asked, and its answer is checked before it is used.

One exchange at a time for a session and an audience, however many calls wait for it; what it gave is held until shortly
before its end or the session's, and is no other person's. A failure names the audience and the remedy and is audited;
nothing is tried in its place.
"""

import asyncio
import time
import traceback
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from openlakes_portal._audit.record import Entry
from openlakes_portal._host.bridge import on_loop
from openlakes_portal._host.credentials import Exchanger, fault_of
from openlakes_portal._http.request_id import current_request_id
from openlakes_portal._store.clock import now
from openlakes_portal.spi import (
    PortalError,
    PortalToken,
    Principal,
    ProviderToken,
    UpstreamAuthFailed,
    UpstreamCredential,
)

if TYPE_CHECKING:
    from openlakes_portal._host.context import Runtime

RENEW_BEFORE = timedelta(seconds=30)
DEADLINE = 15.0
"""Seconds that an exchange may take."""
AUDIT_EVERY = 30.0
"""Seconds in which the failures of one session and audience are recorded once."""
MAX_HELD = 10_000
FAILED = "core.exchange.failed"

log = structlog.get_logger("exchange")
T = TypeVar("T")
Key = tuple[str, str, str, str]
"""Session, person by identity and by user name, audience."""


@dataclass(frozen=True)
class _Held:
    until: datetime
    until_monotonic: float
    """The same by a clock that nobody sets back."""
    credential: UpstreamCredential


class Exchange:
    """The exchangers of one plugin, by audience, with what they returned last."""

    def __init__(self, plugin_id: str, runtime: "Runtime") -> None:
        self._plugin_id = plugin_id
        self._runtime = runtime
        self.exchangers: Mapping[str, Exchanger] = {}
        self._held: dict[Key, _Held] = {}
        self._flying: dict[Key, asyncio.Task[UpstreamCredential]] = {}
        self._audited: dict[Key, float] = {}

    async def __call__(self, principal: Principal, audience: str) -> UpstreamCredential:
        """A credential for this person and audience; never another's, never a service account's in silence."""
        exchanger = self.exchangers.get(audience)
        key = (principal.session_id or "", principal.identity, principal.username, audience)
        if isinstance(exchanger, PortalToken):
            minted = self._runtime.issuer.held(principal, exchanger) if self._runtime.issuer is not None else None
            return minted if minted is not None else await self._in_portal(self._obtain(key, principal, exchanger))
        held = self._held.get(key)
        if held is not None and now() < held.until and time.monotonic() < held.until_monotonic:
            return held.credential
        return await self._in_portal(self._shared(key, principal, exchanger))

    async def _in_portal(self, call: Coroutine[Any, Any, T]) -> T:
        """In the portal's own loop, from whichever lane is asking: what is shared is shared by all of them."""
        return await on_loop(self._runtime.loop or asyncio.get_running_loop(), call)

    async def _shared(self, key: Key, principal: Principal, exchanger: Exchanger | None) -> UpstreamCredential:
        task = self._flying.get(key)
        if task is None:
            task = asyncio.create_task(self._obtain(key, principal, exchanger))
            self._flying[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)  # who gives up waiting takes it from nobody else

    def _landed(self, key: Key, task: asyncio.Task[UpstreamCredential]) -> None:
        if self._flying.get(key) is task:
            del self._flying[key]
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits any more

    async def _obtain(self, key: Key, principal: Principal, exchanger: Exchanger | None) -> UpstreamCredential:
        audience = key[-1]
        try:
            async with asyncio.timeout(DEADLINE):
                credential = await self._ask(principal, audience, exchanger)
            fault = fault_of(credential, principal, audience, exchanger) if exchanger is not None else None
            if fault is not None:
                raise UpstreamAuthFailed(
                    f"The exchanger for {audience} returned {fault}.",
                    remedy=f"It must be mended in the plugin {self._plugin_id}; nothing was sent to {audience}.",
                )
        except Exception as error:
            failed = self._failed(audience, error)
            await self._record(key, principal, failed)
            raise failed from error
        if self._flying.get(key) is asyncio.current_task():  # else the session ended meanwhile
            self._hold(key, credential)
        return credential

    async def _ask(self, principal: Principal, audience: str, exchanger: Exchanger | None) -> UpstreamCredential:
        if exchanger is None:
            raise UpstreamAuthFailed(
                f"{audience} cannot be called on behalf of a person: no token exchanger is registered for it.",
                remedy=f"Return PortalToken(audience={audience!r}), or your own, from register_token_exchangers.",
            )
        if isinstance(exchanger, PortalToken):
            if self._runtime.issuer is None:
                raise UpstreamAuthFailed(f"No token for {audience} can be signed before the portal runs.")
            return await self._runtime.issuer.mint(principal, exchanger)
        if not isinstance(exchanger, ProviderToken):
            return await exchanger.exchange(principal, audience, "request")
        if self._runtime.provider_exchange is None:
            raise UpstreamAuthFailed(
                f"{audience} wants a token of the identity provider, and this portal signs in without one.",
                remedy="Set auth.mode to oidc, with the provider that the system trusts.",
            )
        return await self._runtime.provider_exchange.exchange(principal, exchanger)

    def _failed(self, audience: str, error: Exception) -> UpstreamAuthFailed:
        """Any failure as the one error that says for which audience, and what to do."""
        remedy = f"Tell an admin: the audit log (core.exchange.failed) and the log of {self._plugin_id} say more."
        status = None
        if isinstance(error, TimeoutError):
            words = f"The token exchange for {audience} did not end within {DEADLINE:g} s."
        elif isinstance(error, PortalError):
            words = error.detail if audience in error.detail else f"No credential for {audience}: {error.detail}"
            remedy = error.remedy or remedy
            status = getattr(error, "upstream_status", None)
        else:
            words = f"The token exchange for {audience} failed: {type(error).__name__}."
            # Neither its text nor its variables: there are secrets where it comes from.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where, kind = f"{frame.filename}:{frame.lineno} in {frame.name}", type(error).__name__
            log.error("token exchange failed", plugin=self._plugin_id, audience=audience, error=kind, where=where)
        return UpstreamAuthFailed(words, upstream=audience, upstream_status=status, remedy=remedy)

    async def _record(self, key: Key, principal: Principal, error: UpstreamAuthFailed) -> None:
        """Audit a failure, once in a while for each session and audience. The failure itself counts for more than its
        record: where that cannot be written, it is logged."""
        moment = time.monotonic()
        if moment - self._audited.get(key, float("-inf")) < AUDIT_EVERY:
            return
        if len(self._audited) >= MAX_HELD:
            self._audited.clear()
        self._audited[key] = moment
        log.warning("a token exchange failed", plugin=self._plugin_id, audience=key[-1], reason=error.detail)
        if self._runtime.audit is None:
            return
        details = {"plugin": self._plugin_id, "why": error.detail}
        try:
            entry = Entry(FAILED, current_request_id(), principal, key[-1], details=details)
            await self._runtime.audit.write(entry, "event", "failed")
        except PortalError as unwritten:
            log.error("a failed token exchange could not be recorded", audience=key[-1], problem=unwritten.detail)

    def _hold(self, key: Key, credential: UpstreamCredential) -> None:
        moment = now()
        if len(self._held) >= MAX_HELD:
            self._held = {name: held for name, held in self._held.items() if moment < held.until}
            if len(self._held) >= MAX_HELD:
                self._held.clear()
        margin = min(RENEW_BEFORE, (credential.expires_at - moment) / 2)
        until = credential.expires_at - margin
        self._held[key] = _Held(until, time.monotonic() + (until - moment).total_seconds(), credential)

    def forget(self, session_id: str) -> None:
        """A session ended: nothing of it is kept, nor what is under way for it."""
        for kept in (self._held, self._flying, self._audited):
            for key in [key for key in kept if key[0] == session_id]:
                del kept[key]
