"""Core's own plugin, written with the SPI: health, plugins, settings, audit, search, actions, declared pages."""

from typing import TYPE_CHECKING, Any

from openlakes_portal._builtin import permissions as may_do
from openlakes_portal._builtin.access.pages import access_nav, access_pages
from openlakes_portal._builtin.access.routes import access_routes
from openlakes_portal._builtin.actions import Call, find_action, list_actions, run_action
from openlakes_portal._builtin.apps import app_permission, site_apps, site_checks, site_exchangers
from openlakes_portal._builtin.audit import audit_routes
from openlakes_portal._builtin.blocks import page_view
from openlakes_portal._builtin.plugins import plugin_views
from openlakes_portal._builtin.search import search
from openlakes_portal._builtin.sessions import session_routes
from openlakes_portal._builtin.tokens import token_routes
from openlakes_portal._builtin.views import (
    ActionAnswer,
    ActionView,
    ComponentView,
    DryRun,
    PluginView,
    SearchAnswer,
    SearchQuery,
    SettingView,
)
from openlakes_portal._host.registry import may
from openlakes_portal._settings.load import effective
from openlakes_portal.spi import (
    AuditEventType,
    Context,
    Events,
    HealthCheck,
    HealthReport,
    Listing,
    NavEntry,
    NotFound,
    Page,
    Permission,
    PluginManifest,
    PortalToken,
    Request,
    Route,
    SignedIn,
    UpstreamApp,
    hookimpl,
)

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal

EVERYBODY = SignedIn("the answer holds only what the person who asks may see")


class CorePlugin:
    """The plugin `core`. Its routes lie directly below /api."""

    def __init__(self, portal: "Portal") -> None:
        self._portal = portal

    @hookimpl
    def plugin_manifest(self) -> PluginManifest:
        """Who it is."""
        return PluginManifest(id="core", title="OpenLakes", contract="1.0", description="Health, plugins, audit")

    @hookimpl
    def register_permissions(self, context: Context[Any]) -> list[Permission]:
        """Core's permissions, and one for each page of the site's own."""
        return [*may_do.ALL, *(app_permission(app) for app in self._portal.settings.gateway.apps)]

    @hookimpl
    def register_apps(self, context: Context[Any]) -> list[UpstreamApp]:
        """Pages of the site's own."""
        return site_apps(self._portal.settings)

    @hookimpl
    def register_token_exchangers(self, context: Context[Any]) -> list[PortalToken]:
        """Tokens for those pages."""
        return site_exchangers(self._portal.settings)

    @hookimpl
    def register_pages(self, context: Context[Any]) -> list[Page]:
        """Pages that the shell itself draws."""
        return [
            Page("health", "Health", may_do.HEALTH, export="Health", path="operate/health"),
            Page("plugins", "Plugins", may_do.PLUGINS, export="Plugins", path="admin/plugins"),
            Page("settings", "Settings", may_do.SETTINGS, export="Settings", path="admin/settings"),
            Page("audit", "Audit", may_do.AUDIT, export="Audit", path="admin/audit"),
            *access_pages(),
        ]

    @hookimpl
    def register_nav(self, context: Context[Any]) -> list[NavEntry]:
        """Their lines in the navigation."""
        return [
            NavEntry("Operate", "Health", "health", may_do.HEALTH, "health", 900),
            NavEntry("Admin", "Plugins", "plugins", may_do.PLUGINS, "plug", 100),
            NavEntry("Admin", "Settings", "settings", may_do.SETTINGS, "settings", 200),
            NavEntry("Admin", "Audit", "audit", may_do.AUDIT, "audit", 300),
            *access_nav(),
        ]

    @hookimpl
    def register_events(self, context: Context[Any]) -> list[AuditEventType]:
        """What core records besides mutations of routes."""
        return [
            AuditEventType("core.session.started", "Somebody signed in"),
            AuditEventType("core.session.ended", "Somebody signed out"),
            AuditEventType("core.app.opened", "Somebody opened an app"),
            AuditEventType("core.token.exchanged", "A job got a token of a service account for one of its platform"),
            AuditEventType("core.token.exchange-refused", "A token was not taken for one of a service account"),
            AuditEventType("core.access.denied", "Somebody was refused"),
            AuditEventType("core.keys.rotated", "Somebody replaced the keys that sign tokens"),
            AuditEventType("core.exchange.failed", "A credential for another system could not be had"),
            AuditEventType("core.audit.exported", "Somebody exported the audit log"),
            AuditEventType("core.read.counted", "How often somebody has read what, for a while"),
        ]

    @hookimpl
    def register_health_checks(self, context: Context[Any]) -> list[HealthCheck]:
        """The portal's own database."""
        portal = self._portal

        async def database() -> HealthReport:
            await portal.database.ping()
            return HealthReport.healthy(kind=portal.database.url.get_backend_name())

        return [HealthCheck("database", database, timeout=6.0, title="Portal database"), *site_checks(portal.settings)]

    @hookimpl
    def register_routes(self, context: Context[Any]) -> list[Route]:
        """Everything below /api that is no plugin's."""
        return [
            *self._observing(),
            *self._doing(),
            *access_routes(self._portal),
            *session_routes(self._portal),
            *token_routes(self._portal),
            *audit_routes(self._portal),
        ]

    def _observing(self) -> list[Route]:
        portal = self._portal

        async def components(request: Request) -> Listing[ComponentView]:
            """The state of every component"""
            return Listing([ComponentView.model_validate(c, from_attributes=True) for c in portal.monitor.components])

        async def component_events(request: Request) -> Events:
            """Changes of components as they happen"""
            return Events(portal.monitor.follow())

        async def plugins(request: Request) -> Listing[PluginView]:
            """Installed plugins, quarantined ones first"""
            return Listing(plugin_views(portal))

        async def settings(request: Request) -> Listing[SettingView]:
            """Effective settings, secrets masked"""
            found = [s for s in effective(portal.settings, portal.loaded.sources) if s.key != "plugins"]
            return Listing([SettingView.model_validate(s, from_attributes=True) for s in found])

        stream = ("text/event-stream",)
        return [
            Route("GET", "components", components, may_do.HEALTH),
            Route("GET", "components/events", component_events, may_do.HEALTH, produces=stream),
            Route("GET", "plugins", plugins, may_do.PLUGINS),
            Route("GET", "settings", settings, may_do.SETTINGS),
        ]

    def _doing(self) -> list[Route]:
        portal = self._portal

        async def search_all(request: Request, query: SearchQuery) -> SearchAnswer:
            """Find pages and what plugins know"""
            return await search(portal, request.principal, query.q, query.limit)

        async def actions(request: Request) -> Listing[ActionView]:
            """What the person who asks can do"""
            return Listing(list_actions(portal, request.principal))

        async def run(request: Request, query: DryRun, body: dict[str, Any]) -> ActionAnswer:
            """Do it, or say what would be done"""
            bound = find_action(portal, request.principal, request.path("action"))
            return await run_action(bound, Call(request.principal, query.dry_run, request.id), body)

        async def page(request: Request) -> dict[str, Any]:
            """A declared page"""
            contribution = portal.registry.contribution(request.path("plugin"))
            found = [p for p in contribution.pages if p.id == request.path("page")] if contribution else []
            if not contribution or not found or found[0].body is None or not may(request.principal, found[0].access):
                raise NotFound("There is no such page.")
            return page_view(contribution, found[0], request.principal)

        async def slot(request: Request) -> dict[str, Any]:
            """Declared content of a slot"""
            contribution = portal.registry.contribution(request.path("plugin"))
            found = [s for s in contribution.slots if s.id == request.path("slot")] if contribution else []
            if not contribution or not found or found[0].body is None or not may(request.principal, found[0].access):
                raise NotFound("There is no such content.")
            return page_view(contribution, found[0], request.principal)

        return [
            Route("GET", "search", search_all, EVERYBODY),
            Route("GET", "actions", actions, EVERYBODY),
            Route("POST", "actions/{action}", run, EVERYBODY, audit="core.action.run", audit_object="action"),
            Route("GET", "pages/{plugin}/{page}", page, EVERYBODY),
            Route("GET", "slots/{plugin}/{slot}", slot, EVERYBODY),
        ]
