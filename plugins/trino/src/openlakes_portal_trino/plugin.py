"""SQL workbench: Trino, and DuckDB over Iceberg where there is none."""

import importlib.resources
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from openlakes_portal.spi import (
    Action,
    AppIdentity,
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
    UpstreamApp,
    hookimpl,
)
from openlakes_portal_trino.finding import search_providers
from openlakes_portal_trino.health import health_checks
from openlakes_portal_trino.pages import coordinator_nav, coordinator_pages
from openlakes_portal_trino.queries.ending import ENDED
from openlakes_portal_trino.routes.access import OPEN, PERMISSIONS, RUN
from openlakes_portal_trino.routes.catalog import catalog_routes
from openlakes_portal_trino.routes.engine_queries import engine_query_actions, engine_query_routes
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
    """The workbench's API, and Trino's own queries where there is one."""
    here = workspace(context)
    coordinator = engine_query_routes(here) if context.settings.trino.address is not None else []
    return [*catalog_routes(here), *query_routes(here), *saved_routes(here), *coordinator]


@hookimpl
def register_actions(context: Context[Settings]) -> list[Action]:
    """Ending a query in Trino, where there is one."""
    return engine_query_actions(workspace(context)) if context.settings.trino.address is not None else []


@hookimpl
def register_apps(context: Context[Settings]) -> list[UpstreamApp]:
    """Trino's own web page, as the person: it takes the bearer token that its API takes."""
    trino = context.settings.trino
    if not workspace(context).has_console:
        return []
    parts = urlsplit(str(trino.address))
    target = f"{parts.scheme}://{parts.netloc}"
    identity = AppIdentity("bearer", audience=trino.audience)
    return [UpstreamApp("trino", "Trino", target, OPEN, identity, icon="sql", order=30, ca_file=trino.verify)]


@hookimpl
def register_services(context: Context[Settings]) -> list[Service]:
    """Each configured engine, for other plugins."""
    return [Service(SqlEngine, engine, id) for id, engine in workspace(context).engines.items()]


@hookimpl
def register_pages(context: Context[Settings]) -> list[Page | SlotContent | Module]:
    """The workbench and its cards on Home, drawn by the plugin's own module where that was built; Trino's queries."""
    coordinator = coordinator_pages() if context.settings.trino.address is not None else []
    files = importlib.resources.files("openlakes_portal_trino") / "static"
    if not (files / "index.js").is_file():
        return [*coordinator]
    return [
        Module(files=files, entry="index.js", styles=("index.css",)),
        Page("sql", "SQL", access=RUN, export="Workbench", full_bleed=True),
        *coordinator,
        SlotContent("home.cards", "recent", "Recent queries", access=RUN, export="RecentQueries", order=10),
        SlotContent("home.cards", "saved", "Saved queries", access=RUN, export="SavedQueries", order=20),
    ]


@hookimpl
def register_nav(context: Context[Settings]) -> list[NavEntry]:
    """Its lines in the navigation."""
    pages = {page.id for page in register_pages(context) if isinstance(page, Page)}
    workbench = [NavEntry("Model", "SQL", page="sql", access=RUN, icon="sql", order=10)] if "sql" in pages else []
    return [*workbench, *(coordinator_nav() if "queries" in pages else [])]


@hookimpl
def register_search(context: Context[Settings]) -> list[SearchProvider]:
    """What the palette finds; it leads to the page."""
    if not any(isinstance(page, Module) for page in register_pages(context)):
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
