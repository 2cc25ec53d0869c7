"""A plugin whose page is an ES module in its wheel; a second page throws, to be caught at its own border."""

import importlib.resources

from pydantic import BaseModel

from openlakes_portal.spi import Context, Module, NavEntry, Page, Permission, PluginManifest, Request, Route, hookimpl

READ = Permission("acme-module:greeting:read", "See the greeting", roles=("data-engineer",))


class Greeting(BaseModel):
    """What the page asks for."""

    text: str


@hookimpl
def plugin_manifest() -> PluginManifest:
    """Who it is."""
    return PluginManifest(id="acme-module", title="Acme module", contract="1.0")


@hookimpl
def register_permissions(context: Context[BaseModel]) -> list[Permission]:
    """Its permission."""
    return [READ]


@hookimpl
def register_routes(context: Context[BaseModel]) -> list[Route]:
    """Its data."""

    async def greeting(request: Request) -> Greeting:
        return Greeting(text=f"Hello {request.principal.username}")

    return [Route("GET", "greeting", greeting, access=READ)]


@hookimpl
def register_pages(context: Context[BaseModel]) -> list[Page | Module]:
    """Its module and pages."""
    return [
        Module(files=importlib.resources.files("acme_module") / "ui", entry="index.js", styles=("index.css",)),
        Page("hello", "Acme module", access=READ, export="Hello"),
        Page("broken", "Acme broken page", access=READ, export="Broken"),
    ]


@hookimpl
def register_nav(context: Context[BaseModel]) -> list[NavEntry]:
    """Its lines in the navigation."""
    return [NavEntry("Serve", "Acme module", page="hello", access=READ)]
