"""A whole portal in the test's own process: real settings, real SQLite, real plugins; only the socket is left out."""

import importlib.metadata
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

from openlakes_portal._host.discovery import Candidate, discover
from openlakes_portal._host.portal import Portal
from openlakes_portal._http.app import Application
from openlakes_portal._settings.load import load, merge

BASE = "http://openlakes.localhost:8600"


class SignedIn:
    """Requests of one person. Signs in with the first one; mutations carry the CSRF token."""

    def __init__(self, app: Application, persona: str | None) -> None:
        self._persona = persona
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE)
        self._headers: dict[str, str] = {}

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request. `headers` are added to the session's; give None to leave one out."""
        if self._persona is not None and not self._headers:
            await self._sign_in()
        headers = {**self._headers, **options.pop("headers", {})}
        sent = {k: v for k, v in headers.items() if v is not None}
        return await self._client.request(method, path, headers=sent, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        """POST."""
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> httpx.Response:
        """PUT."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> httpx.Response:
        """PATCH."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        """DELETE."""
        return await self.request("DELETE", path, **options)

    async def session(self) -> dict[str, Any]:
        """The body of /api/session."""
        answer: dict[str, Any] = (await self.get("/api/session")).json()
        return answer

    async def sign_out(self) -> httpx.Response:
        """End the session."""
        return await self.post("/auth/logout")

    async def close(self) -> None:
        """Let the client go."""
        await self._client.aclose()

    async def _sign_in(self) -> None:
        answer = await self._client.post("/auth/demo", json={"persona": self._persona})
        assert answer.status_code == 200, answer.text
        cookie = answer.headers["set-cookie"].split(";")[0]
        self._client.cookies.clear()
        self._headers = {"cookie": cookie, "x-csrf-token": answer.json()["csrf_token"]}


class PortalUnderTest:
    """The running portal of a test."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self._clients: list[SignedIn] = []
        self._by_persona: dict[str, SignedIn] = {}

    def signed_in(self, persona: str) -> SignedIn:
        """The requests of a persona: one session each."""
        if persona not in self._by_persona:
            self._by_persona[persona] = self.new_session(persona)
        return self._by_persona[persona]

    def new_session(self, persona: str) -> SignedIn:
        """Another session of a persona."""
        client = SignedIn(self.app, persona)
        self._clients.append(client)
        return client

    @property
    def anonymous(self) -> SignedIn:
        """Requests of nobody."""
        client = SignedIn(self.app, None)
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Let everything go."""
        for client in self._clients:
            await client.close()


def candidate_for(plugin_id: str, module: ModuleType | str) -> Candidate:
    """A module as an installed plugin, without installing it."""
    value = module if isinstance(module, str) else module.__name__
    entry = importlib.metadata.EntryPoint(plugin_id, value, "openlakes_portal.plugins")
    return discover([entry])[0]


@asynccontextmanager
async def portal_for(
    data_dir: Path, settings: Mapping[str, Any] | None = None, candidates: Iterable[Candidate] | None = None
) -> AsyncIterator[PortalUnderTest]:
    """A portal in demo mode with its data in `data_dir`; every installed plugin unless `candidates` says which."""
    fixed: dict[str, Any] = {
        "auth": {"mode": "demo"},
        "server": {
            "public_url": BASE,
            "allowed_hosts": [BASE.partition("://")[2]],  # the client's own, if a test moves the address
            "data_dir": str(data_dir),
            "log_level": "error",
        },
        "limits": {"burst": 100_000, "anonymous_burst": 100_000, "sign_in": 100_000},
    }
    loaded = load(environ={}, overlay=merge(fixed, settings or {}))
    given = None if candidates is None else list(candidates)
    app = Application(Portal(loaded, discover if given is None else lambda: given))
    await app.start()
    portal = PortalUnderTest(app)
    try:
        yield portal
    finally:
        await portal.close()
        await app.stop()
