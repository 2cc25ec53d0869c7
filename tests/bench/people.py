"""Persons who sign in at an identity provider and come back to a portal that runs as a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from core.tests.identity.contract import PLAIN, Provider, browser
from core.tests.identity.portal import SESSION
from core.tests.identity.portal import oidc_settings as settings_for

from bench.servers import Running

VIEWERS = "/viewers"


def oidc_settings(provider: Provider, database: str) -> dict[str, Any]:
    """Settings of a portal whose people come from this provider; those of the group VIEWERS are viewers."""
    found = settings_for(provider)
    found["rbac"]["role_bindings"].append({"role": "viewer", "group": VIEWERS})
    return {**found, "database": {"url": database}}


@dataclass(frozen=True)
class SignedIn:
    """A session: its cookie as a header's value."""

    cookie: str
    csrf: str


async def come_in(running: Running, provider: Provider, username: str) -> str:
    """The whole code flow by a fresh browser; the session's cookie. Raises `RuntimeError` for a refusal."""
    headers = {"host": f"localhost:{running.port}"}
    async with browser() as at_provider, portal_browser(running.port, headers) as at_portal:
        begun = await at_portal.get("/auth/login")
        callback = urlsplit(await provider.sign_in(begun.headers["location"], username, session=at_provider))
        cookies = _cookies(begun.cookies)
        back = await at_portal.get(f"{callback.path}?{callback.query}", headers={**headers, "cookie": cookies})
    if back.status_code != 303 or SESSION not in back.cookies:
        raise RuntimeError(f"not signed in: {back.status_code} {back.text[:300]}")
    return f"{SESSION}={back.cookies[SESSION]}"


async def sign_in(running: Running, provider: Provider, username: str) -> SignedIn:
    """The same, and what a mutation needs besides."""
    cookie = await come_in(running, provider, username)
    headers = {"host": f"localhost:{running.port}", "cookie": cookie}
    async with portal_browser(running.port, headers) as client:
        return SignedIn(cookie, (await client.get("/api/session")).raise_for_status().json()["csrf_token"])


def portal_browser(port: int, headers: Mapping[str, str]) -> httpx.AsyncClient:
    """A client of the portal on this port."""
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, verify=PLAIN, trust_env=False, timeout=60
    )


def _cookies(cookies: httpx.Cookies) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
