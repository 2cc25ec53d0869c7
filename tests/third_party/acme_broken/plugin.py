"""A plugin that cannot be loaded."""

from pydantic import BaseModel

from openlakes_portal.spi import Context, PluginManifest, Route, hookimpl


@hookimpl
def plugin_manifest() -> PluginManifest:
    """Who it is."""
    return PluginManifest(id="acme-broken", title="Acme broken", contract="1.0")


@hookimpl
def register_routes(context: Context[BaseModel]) -> list[Route]:
    """Made to break."""
    raise KeyError("address")
