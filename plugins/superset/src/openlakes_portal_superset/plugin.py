"""Superset: its own UI as the person, dashboards and charts in the console, a query's way into SQL Lab."""

from openlakes_portal.spi import (
    AppIdentity,
    Context,
    HealthCheck,
    Module,
    NavEntry,
    Page,
    Permission,
    PluginManifest,
    PortalToken,
    Route,
    SearchProvider,
    SlotContent,
    Tls,
    Upstream,
    UpstreamApp,
    hookimpl,
)
from openlakes_portal_superset.finding import search_providers
from openlakes_portal_superset.health import health_checks
from openlakes_portal_superset.library import Library
from openlakes_portal_superset.pages import navigation, pages
from openlakes_portal_superset.permissions import OPEN, PERMISSIONS
from openlakes_portal_superset.routes import superset_routes
from openlakes_portal_superset.settings import AUDIENCE, Settings

HEADER = "X-OpenLakes-Identity"


@hookimpl
def plugin_manifest() -> PluginManifest:
    """Who this is."""
    return PluginManifest(
        id="superset",
        title="Superset",
        contract="1.0",
        owner="OpenLakes",
        upstream_versions=("Superset 6.1",),
        description="Dashboards, charts and SQL Lab of Superset, as yourself.",
    )


@hookimpl
def settings_model() -> type[Settings]:
    """Its settings."""
    return Settings


@hookimpl
def register_permissions(context: Context[Settings]) -> list[Permission]:
    """What one may be allowed to do."""
    return PERMISSIONS


@hookimpl
def register_upstreams(context: Context[Settings]) -> list[Upstream]:
    """Its API."""
    settings = context.settings
    if settings.address is None:
        return []
    return [Upstream(AUDIENCE, settings.address, timeout=settings.timeout, tls=Tls(settings.verify))]


@hookimpl
def register_token_exchangers(context: Context[Settings]) -> list[PortalToken]:
    """The portal's word for who somebody is, what they are called and which roles they have."""
    return [PortalToken(AUDIENCE, claims=("roles", "name", "email"))]


@hookimpl
def register_apps(context: Context[Settings]) -> list[UpstreamApp]:
    """Its own pages."""
    target = context.settings.target
    if target is None:
        return []
    return [
        UpstreamApp(
            AUDIENCE,
            "Superset",
            target,
            OPEN,
            AppIdentity("signed-header", header=HEADER, audience=AUDIENCE),
            request_headers=("X-CSRFToken", "X-GuestToken"),
            icon="chart",
            ca_file=context.settings.verify,
        )
    ]


@hookimpl
def register_routes(context: Context[Settings]) -> list[Route]:
    """What its pages read."""
    return superset_routes(Library(context))


@hookimpl
def register_pages(context: Context[Settings]) -> list[Page | SlotContent | Module]:
    """Its pages, and its place beside a query's result."""
    return pages()


@hookimpl
def register_nav(context: Context[Settings]) -> list[NavEntry]:
    """Its lines in the navigation."""
    return navigation()


@hookimpl
def register_search(context: Context[Settings]) -> list[SearchProvider]:
    """What the palette finds; it leads to pages of the module."""
    known = {page.id for page in pages() if isinstance(page, Page)}
    return search_providers(Library(context)) if "dashboard" in known else []


@hookimpl
def register_health_checks(context: Context[Settings]) -> list[HealthCheck]:
    """Is it there?"""
    return health_checks(context)
