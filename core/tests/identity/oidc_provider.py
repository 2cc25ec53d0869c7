"""node's `oidc-provider`, a certified implementation, as the stack has it."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from openlakes_portal.testing.identity_provider import SignInFailed
from openlakes_portal_stack.components.oidc_provider import COMPONENT, client_secret
from openlakes_portal_stack.components.signing_in import CLIENT_ID
from real_servers.raised import raised

from .contract import browser, is_callback, walk


class NodeProviderAdmin:
    """What its administrator would do, by addresses of server.js."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    async def _do(self, deed: str, **fields: Any) -> None:
        async with browser() as client:
            (await client.post(f"{self._issuer}/admin/{deed}", json=fields)).raise_for_status()

    async def disable(self, username: str) -> None:
        """Refuse the person from now on; no client is told."""
        await self._do("disable", username=username)

    async def enable(self, username: str) -> None:
        """Undo `disable`: what they held lives again."""
        await self._do("enable", username=username)

    async def logout(self, username: str) -> None:
        """End all sessions of a person; clients are told before this returns, and a client that fails raises."""
        await self._do("logout", username=username)

    async def set_backchannel_logout(self, url: str | None) -> None:
        """Where the portal's client is told of ended sessions."""
        await self._do("backchannel", url=url)


@dataclass(frozen=True)
class NodeProvider:
    """A running oidc-provider. Its access tokens are opaque, those of an exchange are JWTs. It ends nothing
    from server to server: `end_session` is the browser's, with a page to confirm."""

    issuer: str
    admin: NodeProviderAdmin
    client_secret: str
    client_id: str = CLIENT_ID
    audiences: tuple[str, ...] = ("airflow", "superset")
    scope: str = "openid profile email groups"

    async def sign_in(
        self,
        authorization_url: str,
        username: str,
        password: str | None = None,
        *,
        session: httpx.AsyncClient | None = None,
    ) -> str:
        """Fill in the form of server.js; the password of everybody is `<username>-pw`."""
        async with browser(session) as client:
            page = await walk(client, await client.get(authorization_url), self.issuer)
            if 'id="sign-in"' in page.text:
                form = {"username": username, "password": password or f"{username}-pw"}
                page = await walk(client, await client.post(page.url, data=form), self.issuer)
        return is_callback(page)

    async def sign_out(self, end_session_url: str, *, session: httpx.AsyncClient) -> str:
        """Confirm the page that asks whether to sign out everywhere."""
        page = await session.get(end_session_url)
        action = re.search(r'action="([^"]+)"', page.text)
        secret = re.search(r'name="xsrf" value="([^"]+)"', page.text)
        if action is None or secret is None:
            raise SignInFailed(page.text)
        answer = await session.post(html.unescape(action[1]), data={"xsrf": secret[1], "logout": "yes"})
        return is_callback(await walk(session, answer, self.issuer))


@contextmanager
def running(folder: Path) -> Iterator[NodeProvider]:
    """An oidc-provider on loopback, as the stack has it; ready to answer."""
    with raised(folder / "stack", COMPONENT) as server:
        issuer = server.site.address
        yield NodeProvider(issuer, NodeProviderAdmin(issuer), client_secret(server.site))
