"""How a person is known to Trino: the one seam between the engine and the portal's token exchange."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pydantic import SecretStr

from openlakes_portal.spi import Principal, UpstreamAuthFailed
from openlakes_portal.spi.context import Context
from openlakes_portal_trino.settings import Settings

RENEW_BEFORE = timedelta(seconds=60)
RENEW_WITHIN = 30.0


@dataclass(frozen=True)
class TrinoCredential:
    """`user` is the name in `X-Trino-User`; `bearer`, where there is one, proves it until `expires_at`."""

    user: str
    bearer: SecretStr | None = field(default=None, repr=False)
    expires_at: datetime | None = None


class Credentials(Protocol):
    """Gets the credential with which the portal may act as a person at Trino."""

    async def of(self, principal: Principal) -> TrinoCredential:
        """A credential that is valid for at least the next minute. Raises `UpstreamAuthFailed`."""


class PlainName:
    """The name alone, for a Trino on loopback that believes it (settings refuse it anywhere else)."""

    async def of(self, principal: Principal) -> TrinoCredential:
        """The user name."""
        return TrinoCredential(principal.username)


class ExchangedToken:
    """A bearer token for Trino's audience, from whatever exchanger the plugin registered for it."""

    def __init__(self, context: Context[Settings], audience: str) -> None:
        self._context = context
        self._audience = audience

    async def of(self, principal: Principal) -> TrinoCredential:
        """The person's token. Raises `UpstreamAuthFailed`."""
        credential = await self._context.credential(principal, self._audience)
        if credential.kind != "bearer":
            raise UpstreamAuthFailed(f"Trino takes a bearer token and no {credential.kind}.", upstream="trino")
        return TrinoCredential(principal.username, credential.value, credential.expires_at)


class HeldCredential:
    """One person's credential for as long as a statement runs: a statement may outlive many tokens."""

    def __init__(self, credentials: Credentials, principal: Principal, first: TrinoCredential) -> None:
        self._credentials = credentials
        self._principal = principal
        self._now = first
        self._loop = asyncio.get_running_loop()

    @property
    def user(self) -> str:
        """The name in `X-Trino-User`."""
        return self._now.user

    def bearer(self) -> SecretStr | None:
        """The token, renewed where it soon ends. Blocking: call it in worker threads. Raises `UpstreamAuthFailed`."""
        expires_at = self._now.expires_at
        if expires_at is not None and expires_at - datetime.now(UTC) < RENEW_BEFORE:
            renewing = asyncio.run_coroutine_threadsafe(self._credentials.of(self._principal), self._loop)
            self._now = renewing.result(RENEW_WITHIN)
        return self._now.bearer


async def held(credentials: Credentials, principal: Principal) -> HeldCredential:
    """A credential to begin with, and what renews it."""
    return HeldCredential(credentials, principal, await credentials.of(principal))
