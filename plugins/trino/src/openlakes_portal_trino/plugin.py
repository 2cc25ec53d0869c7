"""SQL workbench: Trino, and DuckDB over Iceberg where there is none."""

import importlib.resources
from contextlib import AbstractAsyncContextManager

from openlakes_portal.spi import (
    AuditEventType,
    Context,
    Decider,
    HealthCheck,
    Module,
    NavEntry,
    Page,
    Permission,
    PluginManifest,
    PortalToken,
    Route,
    SearchProvider,
    Service,
    SlotContent,
    SqlEngine,
    Tls,
    Upstream,
    hookimpl,
)
from openlakes_portal_trino.finding import search_providers
from openlakes_portal_trino.health import health_checks
from openlakes_portal_trino.queries.ending import ENDED
from openlakes_portal_trino.routes.access import PERMISSIONS, RUN
from openlakes_portal_trino.routes.catalog import catalog_routes
from openlakes_portal_trino.routes.queries import query_routes
from openlakes_portal_trino.routes.saved import saved_routes
from openlakes_portal_trino.saved.service import COLLECTION, SavedQueries
from openlakes_portal_trino.settings import Settings
from openlakes_portal_trino.workspace import workspace


@hookimpl
def plugin_manifest() -> PluginManifest:
    """Who this is."""
    return PluginManifest(
        id="trino",
        title="SQL workbench",
        contract="1.0",
        owner="OpenLakes",
        upstream_versions=("Trino 470-480", "DuckDB 1.5"),
        description="Query the lakehouse as yourself: Trino, or DuckDB over Iceberg where there is no Trino.",
        handed_over=(COLLECTION,),
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
def register_deciders(context: Context[Settings]) -> list[Decider]:
    """Whose a saved query is: its owner may grant access to it."""
    return [Decider("saved-queries", owner=SavedQueries(context).owner)]


@hookimpl
def register_events(context: Context[Settings]) -> list[AuditEventType]:
    """What it records besides what its routes do."""
    return [ENDED]


@hookimpl
def register_upstreams(context: Context[Settings]) -> list[Upstream]:
    """Trino, where it is configured: for its health; statements go by the official client."""
    settings = context.settings.trino
    if settings.address is None:
        return []
    return [Upstream("trino", settings.address, timeout=settings.timeout, tls=Tls(settings.verify))]


@hookimpl
def register_token_exchangers(context: Context[Settings]) -> list[PortalToken]:
    """Where Trino checks tokens: the portal's own, in the one algorithm of ours that Trino knows (not Ed25519)."""
    audience = context.settings.trino.audience
    return [PortalToken(audience, algorithm="ES256")] if audience is not None else []


@hookimpl
def register_routes(context: Context[Settings]) -> list[Route]:
    """The workbench's API."""
    here = workspace(context)
    return [*catalog_routes(here), *query_routes(here), *saved_routes(here)]


@hookimpl
def register_services(context: Context[Settings]) -> list[Service]:
    """Each configured engine, for other plugins."""
    return [Service(SqlEngine, engine, id) for id, engine in workspace(context).engines.items()]


@hookimpl
def register_pages(context: Context[Settings]) -> list[Page | SlotContent | Module]:
    """The workbench and its cards on Home, drawn by the plugin's own module where that was built."""
    files = importlib.resources.files("openlakes_portal_trino") / "static"
    if not (files / "index.js").is_file():
        return []
    return [
        Module(files=files, entry="index.js", styles=("index.css",)),
        Page("sql", "SQL", access=RUN, export="Workbench", full_bleed=True),
        SlotContent("home.cards", "recent", "Recent queries", access=RUN, export="RecentQueries", order=10),
        SlotContent("home.cards", "saved", "Saved queries", access=RUN, export="SavedQueries", order=20),
    ]


@hookimpl
def register_nav(context: Context[Settings]) -> list[NavEntry]:
    """Its line in the navigation."""
    if not register_pages(context):
        return []
    return [NavEntry("Model", "SQL", page="sql", access=RUN, icon="sql", order=10)]


@hookimpl
def register_search(context: Context[Settings]) -> list[SearchProvider]:
    """What the palette finds; it leads to the page."""
    if not register_pages(context):
        return []
    return search_providers(workspace(context))


@hookimpl
def register_health_checks(context: Context[Settings]) -> list[HealthCheck]:
    """One for each configured engine."""
    return health_checks(workspace(context))


@hookimpl
def lifespan(context: Context[Settings]) -> AbstractAsyncContextManager[None]:
    """Recovers queries of a former run, tends the running ones, ends them at the stop."""
    return workspace(context).running()
