"""Credentials for upstreams: the exchanger of the audience is asked, and its answer is checked before it is used."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from openlakes_portal._store.clock import now
from openlakes_portal.spi import (
    PortalError,
    PortalToken,
    Principal,
    TokenExchanger,
    UpstreamAuthFailed,
    UpstreamCredential,
)

if TYPE_CHECKING:
    from openlakes_portal._host.context import Runtime

MAX_LIFETIME = timedelta(minutes=10, seconds=30)
RENEW_BEFORE = timedelta(seconds=30)


class Exchange:
    """The exchangers of one plugin, by audience, with what they returned last."""

    def __init__(self, plugin_id: str, runtime: "Runtime") -> None:
        self._plugin_id = plugin_id
        self._runtime = runtime
        self.exchangers: Mapping[str, TokenExchanger | PortalToken] = {}
        self._held: dict[tuple[str, str], UpstreamCredential] = {}

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
            if self._runtime.issuer is None:
                raise UpstreamAuthFailed("The token issuer is not ready yet.", upstream=audience)
            return self._runtime.issuer.mint(principal, exchanger)
        key = (principal.session_id or principal.identity, audience)
        held = self._held.get(key)
        if held is not None and held.expires_at - now() > RENEW_BEFORE:
            return held
        try:
            credential = await exchanger.exchange(principal, audience, "request")
        except PortalError:
            raise
        except Exception as error:
            raise UpstreamAuthFailed(
                f"The token exchange for {audience} failed: {type(error).__name__}.", upstream=audience
            ) from error
        self._check(credential, principal, audience)
        if len(self._held) > 10_000:
            self._held.clear()
        self._held[key] = credential
        return credential

    def _check(self, credential: UpstreamCredential, principal: Principal, audience: str) -> None:
        wrong = None
        if credential.audience != audience:
            wrong = "another audience"
        elif credential.acts_as == "user" and credential.subject not in (principal.username, principal.subject):
            wrong = "another subject"
        elif not now() < credential.expires_at <= now() + MAX_LIFETIME:
            wrong = "a lifetime outside 0 to 10 minutes"
        if wrong:
            raise UpstreamAuthFailed(f"The exchanger for {audience} returned a credential for {wrong}.")
