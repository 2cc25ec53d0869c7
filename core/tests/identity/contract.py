"""What tests know of an identity provider, whichever it is."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import httpx

from openlakes_portal.testing.identity_provider import SignInFailed

PEOPLE = ("alice", "bob", "carol", "dave")
"""Each provider knows them. Alice is in the group of the platform's admins, bob may use one audience less."""


class ProviderAdmin(Protocol):
    """What an administrator of the provider can do to people while they are signed in."""

    async def disable(self, username: str) -> None:
        """Nobody signs in as this person any more, and what they hold is refused."""

    async def enable(self, username: str) -> None:
        """Undo `disable`."""

    async def logout(self, username: str) -> None:
        """End every session of a person, and tell the clients that listen (Back-Channel Logout 1.0)."""

    async def set_backchannel_logout(self, url: str | None) -> None:
        """Where the portal's client is told of ended sessions; None: nowhere."""


class Provider(Protocol):
    """A running provider on loopback http in which the portal is a confidential client.

    Redirects to any port of 127.0.0.1 and localhost are allowed, PKCE with S256 is demanded, refresh tokens rotate.
    """

    @property
    def issuer(self) -> str:
        """Exactly as it states it."""

    @property
    def client_id(self) -> str:
        """The portal's."""

    @property
    def client_secret(self) -> str:
        """The portal's, for client_secret_basic."""

    @property
    def audiences(self) -> tuple[str, ...]:
        """For whom alice may have her token exchanged (RFC 8693); bob not for the first one."""

    @property
    def scope(self) -> str:
        """What a client asks for so as to learn name, address and groups."""

    @property
    def admin(self) -> ProviderAdmin:
        """Its administrator."""

    async def sign_in(
        self,
        authorization_url: str,
        username: str,
        password: str | None = None,
        *,
        session: httpx.AsyncClient | None = None,
    ) -> str:
        """What a browser does with this address until it is sent back: the callback's address, with its query.

        `session`, from `browser()`, keeps the cookies; without it each call is a fresh browser. Raises `SignInFailed`
        with the text of the page where the provider sends nobody back."""

    async def sign_out(self, end_session_url: str, *, session: httpx.AsyncClient) -> str:
        """What the browser of that sign-in does with the end-session address; where it is sent in the end."""


PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Made once: reading the system's certificates for each client costs more than the calls. It trusts nobody."""


@asynccontextmanager
async def browser(session: httpx.AsyncClient | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps cookies as a browser does on loopback, where Secure ones are sent over http too; or the one
    that is given, left open."""
    if session is not None:
        yield session
        return
    async with httpx.AsyncClient(verify=PLAIN, trust_env=False, timeout=60) as client:

        async def unsecure(response: httpx.Response) -> None:
            for cookie in client.cookies.jar:
                cookie.secure = False

        client.event_hooks = {"response": [unsecure]}
        yield client


async def walk(client: httpx.AsyncClient, response: httpx.Response, address: str) -> httpx.Response:
    """Follow redirects until a page comes, or a redirect that leads away from the provider at this address."""
    for _ in range(10):
        if not response.is_redirect or not response.headers["location"].startswith((f"{address}/", "/")):
            return response
        response = await client.get(response.url.join(response.headers["location"]))
    raise SignInFailed(f"redirected again and again, now to {response.url}")


def is_callback(response: httpx.Response) -> str:
    """Where a redirect leads. Raises `SignInFailed` for a page."""
    if not response.is_redirect:
        raise SignInFailed(response.text)
    return str(response.headers["location"])
