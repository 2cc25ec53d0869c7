"""How the portal signs in at a server that wants an account: one account for everybody, and said so.

Neither Prometheus nor Alertmanager knows people. Whoever opens their web pages through the portal acts there with the
portal's account (`acts_as` is `service`), and may do so only by the portal's own permission.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import SecretStr

from openlakes_portal.spi import AppIdentity, Principal, UpstreamAuthFailed, UpstreamCredential
from openlakes_portal_observability.settings import ServerSettings

LIFETIME = timedelta(minutes=5)


def headers(server: ServerSettings) -> dict[str, str]:
    """What signs a call of the portal's own in."""
    if server.bearer_token is not None:
        return {"authorization": f"Bearer {server.bearer_token.get_secret_value()}"}
    if server.username is not None and server.password is not None:
        pair = f"{server.username}:{server.password.get_secret_value()}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def identity(name: str, server: ServerSettings) -> AppIdentity:
    """How its web page is told who comes: by the portal's account, or not at all."""
    return AppIdentity("bearer", audience=name) if headers(server) else AppIdentity("none")


@dataclass(frozen=True)
class ServiceAccount:
    """A `TokenExchanger` that gives everybody the portal's own account at one server."""

    audience: str
    server: ServerSettings
    acts_as: Literal["service"] = "service"

    async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
        """The account of the settings, whoever asks. Raises `UpstreamAuthFailed` where there is none."""
        server, until = self.server, datetime.now(UTC) + LIFETIME
        if server.bearer_token is not None:
            return UpstreamCredential(
                "bearer", server.bearer_token, audience, f"portal@{audience}", until, acts_as="service"
            )
        if server.username is not None and server.password is not None:
            return UpstreamCredential(
                *("basic", SecretStr(server.password.get_secret_value()), audience, f"portal@{audience}", until),
                name=server.username,
                acts_as="service",
            )
        raise UpstreamAuthFailed(f"There is no account for {audience} in the settings.", upstream=audience)
