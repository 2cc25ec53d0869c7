"""What one plugin brings, as plain frozen data, after its hooks were called once."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from openlakes_portal._host.context import PluginContext
from openlakes_portal._host.records import PluginRecord
from openlakes_portal.spi import (
    Action,
    AsgiRoute,
    AuditEventType,
    Decider,
    HealthCheck,
    Module,
    NavEntry,
    Page,
    Permission,
    PluginManifest,
    PortalToken,
    ProviderToken,
    Route,
    SearchProvider,
    Service,
    SlotContent,
    TokenExchanger,
    Upstream,
    UpstreamApp,
)


@dataclass(frozen=True)
class Contribution:
    """One loaded plugin."""

    record: PluginRecord
    manifest: PluginManifest
    context: PluginContext
    settings: Any
    permissions: tuple[Permission, ...] = ()
    deciders: tuple[Decider, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    routes: tuple[Route, ...] = ()
    asgi_routes: tuple[AsgiRoute, ...] = ()
    apps: tuple[UpstreamApp, ...] = ()
    exchangers: tuple[TokenExchanger | PortalToken | ProviderToken, ...] = ()
    services: tuple[Service, ...] = ()
    nav: tuple[NavEntry, ...] = ()
    pages: tuple[Page, ...] = ()
    slots: tuple[SlotContent, ...] = ()
    module: Module | None = None
    actions: tuple[Action, ...] = ()
    search: tuple[SearchProvider, ...] = ()
    checks: tuple[HealthCheck, ...] = ()
    events: tuple[AuditEventType, ...] = ()
    lifespan: Callable[[], AbstractAsyncContextManager[None] | None] | None = None
    builtin: bool = False
    asset_hash: str = ""
    asset_files: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """The plugin's id."""
        return self.record.id

    @property
    def api_prefix(self) -> str:
        """Where its routes are."""
        return "/api" if self.builtin else f"/api/plugins/{self.id}"

    @property
    def page_prefix(self) -> str:
        """Where its pages are."""
        return "" if self.builtin else f"/x/{self.id}"

    def page_path(self, page_id: str) -> str | None:
        """The address of one of its pages."""
        for page in self.pages:
            if page.id == page_id:
                path = page.path if page.path is not None else page.id
                return f"{self.page_prefix}/{path}".rstrip("/") or "/"
        return None
