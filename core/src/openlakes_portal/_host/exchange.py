"""Credentials for upstreams: the exchanger of the audience is asked, and its answer is checked before it is used.

One question at a time for a session and audience: whoever comes meanwhile gets the same answer. A failure names the
audience and what to do, is on record, and is never made up for by another identity.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from openlakes_portal._audit.record import Entry
from openlakes_portal._host.bridge import on_loop
from openlakes_portal._http.request_id import current_request_id
from openlakes_portal._store.clock import now
from openlakes_portal.spi import (
    PortalError,
    PortalToken,
    Principal,
    ProviderToken,
    TokenExchanger,
    UpstreamAuthFailed,
    UpstreamCredential,
)

if TYPE_CHECKING:
    from openlakes_portal._host.context import Runtime

MAX_LIFETIME = timedelta(minutes=10, seconds=30)
RENEW_BEFORE = timedelta(seconds=30)
MAX_HELD = 10_000
RECORDED_EVERY = 30.0
DEADLINE = 15.0
"""Seconds for an exchanger of a plugin's own."""
FAILED = "core.exchange.failed"
log = structlog.get_logger("exchange")
Key = tuple[str, str, str]


class Exchange:
    """The exchangers of one plugin, by audience, with what they returned last."""

    def __init__(self, plugin_id: str, runtime: "Runtime") -> None:
        self._plugin_id = plugin_id
        self._runtime = runtime
        self.exchangers: Mapping[str, TokenExchanger | PortalToken | ProviderToken] = {}
        self._held: dict[Key, UpstreamCredential] = {}
        self._flights: dict[tuple[int, Key], asyncio.Task[UpstreamCredential]] = {}
        self._recorded: dict[Key, float] = {}

    async def __call__(self, principal: Principal, audience: str) -> UpstreamCredential:
        """A credential for this person and audience; never another's, never a service account's in silence."""
        exchanger = self.exchangers.get(audience)
        if exchanger is None:
            raise UpstreamAuthFailed(
                f"{audience} cannot be called on behalf of a person: no token exchanger is registered for it.",
                upstream=audience,
                remedy=f"Return PortalToken(audience={audience!r}), or your own, from register_token_exchangers.",
            )
        if isinstance(exchanger, PortalToken):
            return await self._minted(principal, exchanger)
        key = (principal.session_id or "", principal.identity, audience)
        held = self._held.get(key)
        if held is not None and _lasts(held):
            return held
        flight = (id(asyncio.get_running_loop()), key)
        task = self._flights.get(flight)
        if task is None:
            task = asyncio.create_task(self._exchanged(exchanger, principal, audience, key))
            self._flights[flight] = task
            task.add_done_callback(lambda _: self._flights.pop(flight, None))
        return await asyncio.shield(task)

    def forget(self, session_id: str) -> None:
        """A session ended: what it had obtained is not handed out again."""
        for key in [key for key in self._held if key[0] == session_id]:
            self._held.pop(key, None)

    async def _minted(self, principal: Principal, token: PortalToken) -> UpstreamCredential:
        issuer, loop = self._runtime.issuer, self._runtime.loop
        if issuer is None:
            raise UpstreamAuthFailed("The token issuer is not ready yet.", upstream=token.audience)
        again = issuer.held(principal, token)
        if again is not None:
            return again
        call = issuer.mint(principal, token)
        return await (on_loop(loop, call) if loop is not None else call)

    async def _exchanged(
        self, exchanger: TokenExchanger | ProviderToken, principal: Principal, audience: str, key: Key
    ) -> UpstreamCredential:
        try:
            credential = await self._asked(exchanger, principal, audience)
            self._check(credential, principal, audience)
        except PortalError as error:
            await self._record(principal, audience, key, error)
            raise
        if len(self._held) > MAX_HELD:
            self._held.clear()
        if _lasts(credential):
            self._held[key] = credential
        return credential

    async def _asked(
        self, exchanger: TokenExchanger | ProviderToken, principal: Principal, audience: str
    ) -> UpstreamCredential:
        try:
            if isinstance(exchanger, ProviderToken):
                return await self._at_provider(exchanger, principal)
            async with asyncio.timeout(DEADLINE):
                return await exchanger.exchange(principal, audience, "request")
        except TimeoutError:
            raise UpstreamAuthFailed(
                f"The token exchange for {audience} did not end within {DEADLINE:g} s.",
                upstream=audience,
                remedy="See whether what issues its tokens is well.",
            ) from None
        except UpstreamAuthFailed as error:
            if error.upstream and error.remedy:
                raise
            raise UpstreamAuthFailed(
                error.detail if audience in error.detail else f"{audience} cannot be called: {error.detail}",
                upstream=audience,
                remedy=error.remedy or f"See how the plugin {self._plugin_id} signs in to {audience}.",
            ) from error
        except PortalError:
            raise
        except Exception as error:
            raise UpstreamAuthFailed(
                f"The token exchange for {audience} failed: {type(error).__name__}.",
                upstream=audience,
                remedy=f"The exchanger of the plugin {self._plugin_id} raised it: see the log, and tell its owner.",
            ) from error

    async def _at_provider(self, wanted: ProviderToken, principal: Principal) -> UpstreamCredential:
        provider, loop = self._runtime.provider_exchange, self._runtime.loop
        if provider is None or loop is None:
            raise UpstreamAuthFailed(
                f"{wanted.audience} wants a token of the identity provider, and this portal signs in without one.",
                upstream=wanted.audience,
                remedy="Set auth.mode to oidc, with the provider that the system trusts.",
            )
        return await on_loop(loop, provider.exchange(principal, wanted))

    def _check(self, credential: UpstreamCredential, principal: Principal, audience: str) -> None:
        wrong = None
        if not isinstance(credential, UpstreamCredential):
            wrong = "nothing that is a credential"
        elif credential.audience != audience:
            wrong = "another audience"
        elif credential.acts_as == "user" and credential.subject not in (principal.username, principal.subject):
            wrong = "another subject"
        elif not now() < credential.expires_at <= now() + MAX_LIFETIME:
            wrong = "a lifetime outside 0 to 10 minutes"
        elif credential.kind in ("header", "cookie", "basic", "database") and not credential.name:
            wrong = "no name, which its kind needs"
        if wrong:
            raise UpstreamAuthFailed(
                f"The exchanger for {audience} returned a credential for {wrong}.",
                upstream=audience,
                remedy=f"It is refused. The owner of the plugin {self._plugin_id} must correct its exchanger"
                " (or, for a lifetime, whoever sets it at the identity provider).",
            )

    async def _record(self, principal: Principal, audience: str, key: Key, error: PortalError) -> None:
        """On record once in a while, however often it is tried."""
        moment = time.monotonic()
        if moment - self._recorded.get(key, -RECORDED_EVERY) < RECORDED_EVERY:
            return
        if len(self._recorded) > MAX_HELD:
            self._recorded.clear()
        self._recorded[key] = moment
        log.warning("a token exchange failed", plugin=self._plugin_id, audience=audience, reason=error.detail)
        audit, loop = self._runtime.audit, self._runtime.loop
        if audit is None or loop is None:
            return
        details = {"plugin": self._plugin_id, "why": error.detail}
        entry = Entry(FAILED, current_request_id(), principal, audience, None, details)
        try:
            await on_loop(loop, audit.write(entry, "event", "failed"))
        except PortalError as unwritten:
            log.error("a failed token exchange could not be recorded", audience=audience, error=unwritten.detail)


def _lasts(credential: UpstreamCredential) -> bool:
    return credential.expires_at - now() > RENEW_BEFORE
