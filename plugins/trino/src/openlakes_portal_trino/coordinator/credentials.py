"""How a person is known to Trino: the one seam between the engine and the portal's token exchange."""

from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from openlakes_portal.spi import Principal, UpstreamAuthFailed


@dataclass(frozen=True)
class TrinoCredential:
    """`user` is the name in `X-Trino-User`; `bearer`, where there is one, proves it."""

    user: str
    bearer: SecretStr | None = field(default=None, repr=False)


class Credentials(Protocol):
    """Gets the credential with which the portal may act as a person at Trino."""

    async def of(self, principal: Principal, purpose: str) -> TrinoCredential:
        """A credential that is valid for at least the next minutes. Raises `UpstreamAuthFailed`."""


class PlainName:
    """The name alone, for a Trino on loopback that believes it (settings refuse it anywhere else)."""

    async def of(self, principal: Principal, purpose: str) -> TrinoCredential:
        """The user name."""
        return TrinoCredential(principal.username)


class NoExchangeYet:
    """Where the settings want a token and the portal cannot hand one to a client of this kind: say so, never go on as
    somebody else."""

    async def of(self, principal: Principal, purpose: str) -> TrinoCredential:
        """Raises `UpstreamAuthFailed`."""
        raise UpstreamAuthFailed(
            "Trino wants a token for each person, and this portal cannot hand one to its client yet.",
            upstream="trino",
            remedy="Leave plugins.trino.trino.audience out for a Trino on loopback.",
        )
