"""How a person's identity reaches an upstream: one credential for one audience, short-lived, never in a browser."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, get_args, runtime_checkable

from pydantic import SecretStr

from openlakes_portal.spi.access import Principal
from openlakes_portal.spi.errors import UpstreamAuthFailed

TokenClaim = Literal["roles", "name", "email"]
"""What a token of the portal can say of a person besides who it is."""
TOKEN_CLAIMS: tuple[str, ...] = get_args(TokenClaim)


@dataclass(frozen=True)
class UpstreamCredential:
    """What is presented to an upstream.

    `kind` says where it goes: `bearer` (Authorization), `header` (the header `name`), `cookie` (the cookie `name`),
    `basic` (`name` is the user), `database` (a login: `name` is the user, `value` the password; for drivers, by
    `context.credential`, never for calls over HTTP). `acts_as` says truthfully whose rights it carries.
    """

    kind: Literal["bearer", "header", "cookie", "basic", "database"]
    value: SecretStr = field(repr=False)
    audience: str
    subject: str
    expires_at: datetime
    name: str = ""
    acts_as: Literal["user", "service"] = "user"


@runtime_checkable
class TokenExchanger(Protocol):
    """Gets a credential for one audience. Core asks once for a session however many calls wait for it, keeps the
    answer until shortly before its end or the session's, and refuses one whose audience, subject, kind or lifetime is
    not what was asked for. A failure is `UpstreamAuthFailed`; it is audited, and never replaced by a service account:
    an exchanger whose credentials are a service account's says so by an attribute `acts_as = "service"`, and from any
    other such a credential is refused.
    """

    @property
    def audience(self) -> str:
        """The audience it serves; `context.upstream` of the same name uses it."""

    async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
        """A credential with which the portal may act as `principal` at `audience` for `purpose`."""


@dataclass(frozen=True)
class PortalToken:
    """The usual exchanger: a token that the portal itself issues (JWT; keys at `/.well-known/jwks.json`), `sub` the
    person's user name, `aud` the audience, `lifetime` in seconds (at most 600). Core mints it.

    `claims` names what it says of the person besides, for a system that gives rights by it or shows it: `roles` (a list
    of those that hold everywhere), `name`, `email` (left out where it is not known). Nothing that it does not need.
    """

    audience: str
    lifetime: int = 300
    algorithm: Literal["EdDSA", "ES256", "RS256"] = "EdDSA"
    claims: tuple[TokenClaim, ...] = ()

    def __post_init__(self) -> None:
        if not self.audience:
            raise ValueError("PortalToken needs an audience")
        if not 1 <= self.lifetime <= 600:
            raise ValueError(f"PortalToken lifetime {self.lifetime} is not between 1 and 600 seconds")
        unknown = set(self.claims) - set(TOKEN_CLAIMS)
        if unknown:
            raise ValueError(f"PortalToken claims {sorted(unknown)} are not of {', '.join(TOKEN_CLAIMS)}")

    async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
        """Core mints this kind itself, with keys that no plugin sees; outside of a portal nobody can."""
        raise UpstreamAuthFailed(f"The token for {audience} is minted by the portal, and this is not one.")


@dataclass(frozen=True)
class ProviderToken:
    """A token of the identity provider for another audience: core exchanges the person's own access token there
    (RFC 8693), always with `audience`, and refuses an answer for another audience, another person or a wider
    scope (than `scopes` and that of the sign-in).

    `audience` is what `context.upstream` or `context.credential` names, `requested` what the provider calls it, if that
    is something else. `scopes` are asked for beside `openid`. `opaque` accepts a token that cannot be looked into: then
    the provider's word is all there is for its audience.
    """

    audience: str
    requested: str | None = None
    scopes: tuple[str, ...] = ()
    opaque: bool = False

    def __post_init__(self) -> None:
        if not self.audience or self.requested == "":
            raise ValueError("ProviderToken needs an audience")

    async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
        """Core exchanges this kind itself, with tokens that no plugin sees; outside of a portal nobody can."""
        raise UpstreamAuthFailed(f"The token for {audience} is exchanged by the portal, and this is not one.")
