"""A house with a plugin that asks about resources, on both databases, and people with groups of our choosing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._host.discovery import Candidate
from openlakes_portal._rbac.policy import Identity
from openlakes_portal.testing import PortalUnderTest, SignedIn, portal_for

from .platforms import Platform

WritePlugin = Callable[..., Candidate]
ISSUER = "https://idp.example"

PLUGIN = """
@hookimpl
def plugin_manifest():
    return PluginManifest(id="acme", title="acme", contract="1.0", handed_over=("notes",))

TABLE = Permission("acme:table:read", "Read tables", roles=("data-engineer",), scoped=True)
SECRET = Permission("acme:secret:read", "Read secrets")
rows = {"nyc_taxi": ["trips"], "nyc_bikes": ["rides"], "payroll": ["salaries"]}

@hookimpl
def register_permissions(context):
    return [READ, TABLE, SECRET]

@hookimpl
def register_routes(context):
    async def things(request: Request) -> list[str]:
        return ["thing"]
    async def table(request: Request) -> list[str]:
        found = rows.get(request.path("schema"))
        if found is None:
            raise NotFound("There is no such schema.")
        return found
    async def schemas(request: Request) -> list[str]:
        decided = [
            (name, await context.decide(request.principal, TABLE, resource_of(catalog="lakehouse", schema=name)))
            for name in rows
        ]
        return [name for name, decision in decided if decision.allowed]
    async def hidden(request: Request) -> list[str]:
        name = request.path("schema")
        where = resource_of(catalog="lakehouse", schema=name)
        if name not in rows or not (await context.decide(request.principal, TABLE, where)).allowed:
            raise NotFound("There is no such schema.")
        return rows[name]
    async def secret(request: Request) -> str:
        return "s"
    async def stream(request: Request) -> Events:
        async def events():
            yield Event({"n": 1})
            import asyncio
            await asyncio.Event().wait()
        return Events(events())
    async def export(request: Request) -> Stream:
        async def parts():
            yield b"first"
            import asyncio
            await asyncio.Event().wait()
        return Stream(parts(), "text/csv", "x.csv")
    return [
        Route("GET", "export", export, access=READ, produces=("text/csv",)),
        Route("GET", "things", things, access=READ),
        Route("GET", "things/{id}", things, access=READ),
        Route("GET", "tables/{schema}", table, access=TABLE, resource="catalog=lakehouse/schema={schema}"),
        Route("GET", "schemas", schemas, access=TABLE),
        Route("GET", "hidden/{schema}", hidden, access=TABLE),
        Route("GET", "secret", secret, access=SECRET),
        Route("GET", "stream", stream, access=READ, produces=("text/event-stream",)),
    ]

@hookimpl
def register_pages(context):
    return [Page("things", "Things", READ, body=[Text("x")])]

@hookimpl
def register_nav(context):
    return [NavEntry("Discover", "Things", "things", READ, "dot", 1)]

@hookimpl
def register_search(context):
    async def find(principal, text, limit):
        return [SearchResult("1", "found", "thing", "things")]
    return [SearchProvider("acme", find, access=READ)]

@hookimpl
def register_actions(context):
    class Nothing(BaseModel, extra="forbid"):
        pass
    async def run(call, body):
        return ActionResult("done")
    return [Action(id="do", title="Do", description="Does", input=Nothing, run=run, access=READ)]
"""

OpenHouse = Callable[..., Awaitable[PortalUnderTest]]


@pytest.fixture
async def open_house(url: str, tmp_path: Path, write_plugin: WritePlugin) -> AsyncIterator[OpenHouse]:
    """Opens portals (replicas) on one database; `more` is source that is added to the plugin."""
    async with AsyncExitStack() as stack:
        candidates: list[Candidate] = []

        async def open_one(more: str = "", **settings: Any) -> PortalUnderTest:
            if not candidates:
                candidates.append(write_plugin("acme", PLUGIN + more, manifest=False))
            given = {"database": {"url": url}, **settings}
            return await stack.enter_async_context(portal_for(tmp_path / "portal", given, candidates))

        yield open_one


@pytest.fixture
def platform() -> Iterator[Platform]:
    """An issuer of jobs' tokens."""
    with Platform() as running:
        yield running


@pytest.fixture
async def house(open_house: OpenHouse) -> PortalUnderTest:
    """One portal."""
    return await open_house()


def someone(name: str, *groups: str) -> Identity:
    """Somebody of the provider."""
    return Identity(ISSUER, f"sub-{name}", name, name.title(), f"{name}@example.com", groups)


async def enter(house: PortalUnderTest, identity: Identity) -> SignedIn:
    """A session of somebody, as the sign-in makes it."""
    secret, session = await house.app.portal.sessions.create(identity)
    client = house.anonymous
    client._headers = {"cookie": f"__Host-openlakes_session={secret}", "x-csrf-token": session.csrf_token}
    return client


async def bind(admin: SignedIn, role: str, **binding: Any) -> dict[str, Any]:
    """Make a binding."""
    answer = await admin.post("/api/role-bindings", json={"role": role, "reason": "a test", **binding})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["binding"]
    return made


async def unbind(admin: SignedIn, binding: dict[str, Any]) -> None:
    """Take one back."""
    answer = await admin.delete(f"/api/role-bindings/{binding['id']}", headers={"if-match": f'"{binding["version"]}"'})
    assert answer.status_code == 200, answer.text
