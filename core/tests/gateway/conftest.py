"""A portal with an app behind it, on both databases, and browsers that walk through the hand-over."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from openlakes_portal._host.discovery import Candidate
from openlakes_portal.testing import PortalUnderTest, SignedIn, portal_for

from .upstream import RawApp, raw_app

WritePlugin = Callable[..., Candidate]
HOST = "http://acme.openlakes.localhost:8600"
PORTAL = "http://openlakes.localhost:8600"
APP = """
OPEN = Permission("acme:app:open", "Open the app", roles=("data-engineer", "viewer"))
@hookimpl
def register_permissions(context):
    return [OPEN]
@hookimpl
def plugin_manifest():
    return PluginManifest(id="acme", title="Acme", contract="1.0")
@hookimpl
def register_token_exchangers(context):
    return [PortalToken(audience="acme-app")]
@hookimpl
def register_apps(context):
    return [UpstreamApp("acme", "Acme", "{target}", OPEN, {identity}, websocket=True,
                        request_headers=("X-CSRFToken",))]
"""
PLAIN = 'AppIdentity("header", header="X-Remote-User")'

House = Callable[..., Awaitable["House_"]]


class House_:
    """The portal, and the app behind it."""

    def __init__(self, portal: PortalUnderTest, app: RawApp) -> None:
        self.portal = portal
        self.app = app

    def browser(self, persona: str | None = "data-engineer") -> "Browser":
        """Somebody's browser, signed in at the portal where a persona is named."""
        return Browser(self.portal, self.portal.signed_in(persona) if persona else self.portal.anonymous)


class Browser:
    """Cookies of each host, and redirects followed by hand."""

    def __init__(self, portal: PortalUnderTest, at_portal: SignedIn) -> None:
        self.at_portal = at_portal
        transport = httpx.ASGITransport(app=portal.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=HOST)
        self.jar: dict[str, str] = {}

    async def ask(self, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        """One request at the app's host with its cookies."""
        headers = {"accept": "text/html", **options.pop("headers", {})}
        if self.jar and "cookie" not in headers:
            headers["cookie"] = "; ".join(f"{k}={v}" for k, v in self.jar.items())
        answer = await self.client.request(method, path, headers=headers, **options)
        for raw in answer.headers.get_list("set-cookie"):
            name, _, value = raw.split(";")[0].partition("=")
            if "max-age=0" in raw.lower():
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return answer

    async def to_portal(self, location: str) -> httpx.Response:
        """Follow a redirect to the portal."""
        assert location.startswith(PORTAL + "/"), location
        parts = urlsplit(location)
        return await self.at_portal.get(f"{parts.path}?{parts.query}")

    async def open(self, path: str = "/") -> httpx.Response:
        """The whole hand-over; the app's first answer."""
        first = await self.ask(path)
        assert first.status_code == 303, first.text
        second = await self.to_portal(first.headers["location"])
        assert second.status_code == 303, second.text
        entered = await self.ask(second.headers["location"])
        assert entered.status_code == 303, entered.text
        return await self.ask(entered.headers["location"])


@pytest.fixture
async def app() -> AsyncIterator[RawApp]:
    async with raw_app() as running:
        yield running


@pytest.fixture
async def open_house(write_plugin: WritePlugin, tmp_path: Path, url: str, app: RawApp) -> AsyncIterator[House]:
    """`await open_house(settings, identity=...)`: a portal with the app."""
    async with AsyncExitStack() as stack:

        async def make(
            settings: dict[str, Any] | None = None, *, identity: str = PLAIN, target: str | None = None
        ) -> House_:
            source = APP.replace("{target}", target or f"http://127.0.0.1:{app.port}").replace("{identity}", identity)
            base: dict[str, Any] = {
                "database": {"url": url},
                **(settings or {}),
            }
            portal = await stack.enter_async_context(
                portal_for(tmp_path / "data", base, [write_plugin("acme", source, manifest=False)])
            )
            return House_(portal, app)

        yield make
