"""A portal that signs people in at one of the providers, and a browser that goes there and back."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import update

from openlakes_portal._auth.sessions import Session
from openlakes_portal._host.discovery import Candidate
from openlakes_portal._host.portal import Portal
from openlakes_portal._http.app import Application
from openlakes_portal._settings.load import load, merge
from openlakes_portal._store.clock import now
from openlakes_portal._store.tables import sessions as table

from .contract import Provider, browser

HOME = "http://localhost:8600"
ADMINS = "/platform/admins"
ENGINEERS = "/data/engineers"
SESSION = "__Host-openlakes_session"


def oidc_settings(provider: Provider) -> dict[str, Any]:
    """`auth` and `rbac` for this provider: its people's groups mapped to roles."""
    return {
        "auth": {
            "mode": "oidc",
            "oidc": {
                "issuer": provider.issuer,
                "client_id": provider.client_id,
                "client_secret": provider.client_secret,
                "scopes": provider.scope.split(),
            },
        },
        "rbac": {
            "role_bindings": [
                {"role": "platform-admin", "group": ADMINS},
                {"role": "data-engineer", "group": ENGINEERS},
                {"role": "bi-analyst", "group": "/data/analysts"},
            ]
        },
    }


class Visitor:
    """One browser: cookies of the portal and of the provider, and the CSRF token once it is signed in."""

    def __init__(self, portal: "OidcPortal", client: httpx.AsyncClient, at_provider: httpx.AsyncClient) -> None:
        self._portal = portal
        self.client = client
        self.at_provider = at_provider
        self.csrf: str | None = None

    async def begin(self, next_path: str = "/", **query: str) -> str:
        """The address at the provider that the portal sends this browser to."""
        answer = await self.client.get("/auth/login", params={"next": next_path, **query})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def go(self, username: str, next_path: str = "/") -> str:
        """To the provider and back: the callback's address."""
        url = await self.begin(next_path)
        return await self._portal.provider.sign_in(url, username, session=self.at_provider)

    async def come_back(self, callback: str) -> httpx.Response:
        """What the portal says to a callback."""
        parts = urlsplit(callback)
        return await self.client.get(f"{parts.path}?{parts.query}")

    async def sign_in(self, username: str = "alice", next_path: str = "/") -> dict[str, Any]:
        """All of it; the body of /api/session."""
        answer = await self.come_back(await self.go(username, next_path))
        assert answer.status_code == 303, answer.text
        return await self.session()

    async def session(self) -> dict[str, Any]:
        """The body of /api/session of somebody who is signed in."""
        answer = await self.client.get("/api/session")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        self.csrf = found["csrf_token"]
        return found

    async def is_signed_in(self) -> bool:
        """Whether the cookie is worth anything."""
        status = (await self.client.get("/api/session")).status_code
        assert status in (200, 401)
        return status == 200

    def cookie(self) -> str:
        """The session cookie's value."""
        return str(self.client.cookies[SESSION])

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """A mutation of the console's own."""
        return await self.client.post(path, headers={"x-csrf-token": self.csrf or ""}, **options)


class OidcPortal:
    """A running portal without its socket, and its provider."""

    def __init__(self, app: Application, portal: Portal, provider: Provider) -> None:
        self.app = app
        self.portal = portal
        self.provider = provider

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Visitor]:
        """A fresh browser."""
        async with browser() as at_provider, self._client() as client:
            yield Visitor(self, client, at_provider)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        async def unsecure(response: httpx.Response) -> None:
            for cookie in client.cookies.jar:
                cookie.secure = False  # as a browser does on loopback

        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            client.event_hooks = {"response": [unsecure]}
            yield client


@asynccontextmanager
async def portal_with(
    provider: Provider,
    data_dir: Path,
    settings: Mapping[str, Any] | None = None,
    database: str | None = None,
    candidates: Sequence[Candidate] = (),
) -> AsyncIterator[OidcPortal]:
    """A portal of core alone, or with these plugins."""
    fixed: dict[str, Any] = {
        "server": {"public_url": HOME, "data_dir": str(data_dir), "log_level": "error"},
        "limits": {"burst": 100_000, "anonymous_burst": 100_000, "sign_in": 100_000},
        **oidc_settings(provider),
    }
    if database is not None:
        fixed["database"] = {"url": database}
    portal = Portal(load(environ={}, overlay=merge(fixed, settings or {})), lambda: [*candidates])
    app = Application(portal)
    await app.start()
    try:
        yield OidcPortal(app, portal, provider)
    finally:
        await app.stop()


async def session_of(portal: OidcPortal, visitor: Visitor) -> Session:
    """The session of this browser."""
    found = await portal.portal.sessions.resolve(visitor.cookie())
    assert found is not None
    return found


async def make_due(portal: OidcPortal, visitor: Visitor, *, by_refresh: bool = False) -> Session:
    """As if the last check was two minutes ago; `by_refresh`: and the access token were at its end."""
    session = await session_of(portal, visitor)
    if by_refresh:
        grant = await portal.portal.sessions.grant(session)
        assert grant is not None
        await portal.portal.sessions.store_grant(session, replace(grant, expires_at=now()))
    past = {"checked_at": now() - timedelta(minutes=2)}
    async with portal.portal.database.write() as connection:
        await connection.execute(update(table).where(table.c.id_hash == session.id_hash).values(past))
    return session


async def checked(portal: OidcPortal, visitor: Visitor, *, by_refresh: bool = False) -> None:
    """A check, as the first request after a while brings it."""
    session = await make_due(portal, visitor, by_refresh=by_refresh)
    assert portal.portal.oidc is not None
    await portal.portal.oidc.renewals.renew(session)
