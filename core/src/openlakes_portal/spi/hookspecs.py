"""The hooks. Each is called once, at the start, and returns data; nothing here is called while a request is served.

Implement any of them in your plugin's module with `@hookimpl`; all are optional but `plugin_manifest`. A hook must be
quick and free of side effects (no network, no files): what works later is a function inside what you return. A hook
that raises, hangs past the deadline or returns the wrong type quarantines its plugin, by name, and no other.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pluggy
from pydantic import BaseModel

from openlakes_portal.spi.access import Permission
from openlakes_portal.spi.actions import Action
from openlakes_portal.spi.apps import UpstreamApp
from openlakes_portal.spi.context import Context
from openlakes_portal.spi.decisions import Decider
from openlakes_portal.spi.events import AuditEventType
from openlakes_portal.spi.health import HealthCheck
from openlakes_portal.spi.http import AsgiRoute, Route
from openlakes_portal.spi.identity import PortalToken, ProviderToken, TokenExchanger
from openlakes_portal.spi.pages import Module, NavEntry, Page, SlotContent
from openlakes_portal.spi.search import SearchProvider
from openlakes_portal.spi.services import Service
from openlakes_portal.spi.upstream import Upstream

PROJECT = "openlakes_portal"
CONTRACT_VERSION = "1.0"
"""Version of this SPI. A plugin states the one it was written for: the same major, at most this minor."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class PluginManifest:
    """Who a plugin is. `id` equals the entry point's name; `contract` is the SPI version it was written for;
    `upstream_versions` names what it works with ("Billing 3-5"); `owner` is whom to ask; `docs` a link."""

    id: str
    title: str
    contract: str
    owner: str = ""
    docs: str | None = None
    upstream_versions: tuple[str, ...] = ()
    description: str = ""
    handed_over: tuple[str, ...] = ()
    """Collections of documents that go to somebody else when their owner leaves."""


@hookspec
def plugin_manifest() -> PluginManifest:
    """Who the plugin is. The only hook that must be there."""
    raise NotImplementedError


@hookspec
def settings_model() -> type[BaseModel]:
    """The plugin's settings: a pydantic model, `extra="forbid"`, secrets as `SecretStr`, every field described.

    They stand under `plugins.<id>` in the file and `OPENLAKES_PLUGINS__<ID>__<KEY>` in the environment.
    """
    raise NotImplementedError


@hookspec
def register_permissions(context: Context[Any]) -> Sequence[Permission]:
    """The permissions the plugin knows; each name starts with the plugin's id."""
    raise NotImplementedError


@hookspec
def register_deciders(context: Context[Any]) -> Sequence[Decider]:
    """Who decides about its permissions besides role bindings, for instance by what another system says."""
    raise NotImplementedError


@hookspec
def register_upstreams(context: Context[Any]) -> Sequence[Upstream]:
    """The systems it talks to, each looked up later by `context.upstream(name)`."""
    raise NotImplementedError


@hookspec
def register_routes(context: Context[Any]) -> Sequence[Route | AsgiRoute]:
    """Its routes, below `/api/plugins/<id>/`."""
    raise NotImplementedError


@hookspec
def register_apps(context: Context[Any]) -> Sequence[UpstreamApp]:
    """Real UIs of its systems, for the gateway."""
    raise NotImplementedError


@hookspec
def register_token_exchangers(context: Context[Any]) -> Sequence[TokenExchanger | PortalToken | ProviderToken]:
    """How a person's identity reaches its systems, one exchanger an audience."""
    raise NotImplementedError


@hookspec
def register_services(context: Context[Any]) -> Sequence[Service]:
    """Shared capabilities that it provides to other plugins."""
    raise NotImplementedError


@hookspec
def register_nav(context: Context[Any]) -> Sequence[NavEntry]:
    """Lines in the navigation."""
    raise NotImplementedError


@hookspec
def register_pages(context: Context[Any]) -> Sequence[Page | SlotContent | Module]:
    """Its pages, what it puts into slots of other pages, and its JavaScript module where it has one."""
    raise NotImplementedError


@hookspec
def register_actions(context: Context[Any]) -> Sequence[Action]:
    """What people (and agents) can do with it."""
    raise NotImplementedError


@hookspec
def register_search(context: Context[Any]) -> Sequence[SearchProvider]:
    """What the palette finds in it."""
    raise NotImplementedError


@hookspec
def register_health_checks(context: Context[Any]) -> Sequence[HealthCheck]:
    """Its components and how to ask them."""
    raise NotImplementedError


@hookspec
def register_events(context: Context[Any]) -> Sequence[AuditEventType]:
    """Audit event types that it writes by `context.audit`."""
    raise NotImplementedError


@hookspec
def lifespan(context: Context[Any]) -> AbstractAsyncContextManager[None] | None:
    """What runs as long as the server does: entered after every hook was called, left at the stop, within a deadline
    each. One that fails quarantines the plugin."""
    raise NotImplementedError
