"""Airflow: its pages as oneself, its DAGs and runs in the console, its processes on the health page."""

import importlib.resources

from openlakes_portal.spi import (
    Action,
    AppIdentity,
    AuditEventType,
    Context,
    HealthCheck,
    Module,
    NavEntry,
    Orchestrator,
    Page,
    Permission,
    PluginManifest,
    PortalToken,
    Route,
    SearchProvider,
    Service,
    SlotContent,
    Tls,
    Upstream,
    UpstreamApp,
    hookimpl,
)
from openlakes_portal_airflow_dbt.access import OPEN, PERMISSIONS, READ
from openlakes_portal_airflow_dbt.actions import EVENTS, actions
from openlakes_portal_airflow_dbt.client import Airflow
from openlakes_portal_airflow_dbt.errors import NAME
from openlakes_portal_airflow_dbt.finding import search_providers
from openlakes_portal_airflow_dbt.health import health_checks
from openlakes_portal_airflow_dbt.orchestrator import AirflowOrchestrator
from openlakes_portal_airflow_dbt.routes import routes
from openlakes_portal_airflow_dbt.settings import Settings


@hookimpl
def plugin_manifest() -> PluginManifest:
    """Who this is."""
    return PluginManifest(
        id="airflow_dbt",
        title="Airflow and dbt",
        contract="1.0",
        owner="OpenLakes",
        upstream_versions=("Airflow 3.2-3.3",),
        description="Airflow as yourself: its own pages, its DAGs and runs in the console.",
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
    """Its API server."""
    settings = context.settings
    if settings.address is None:
        return []
    return [Upstream(NAME, settings.address, timeout=settings.timeout, tls=Tls(settings.verify))]


@hookimpl
def register_token_exchangers(context: Context[Settings]) -> list[PortalToken]:
    """A token of the portal with the person's roles, which Airflow's auth manager maps to its levels."""
    return [PortalToken(NAME, claims=("roles",))] if context.settings.address is not None else []


@hookimpl
def register_apps(context: Context[Settings]) -> list[UpstreamApp]:
    """Its own pages."""
    settings = context.settings
    if settings.address is None:
        return []
    identity = AppIdentity("bearer", audience=NAME)
    return [
        UpstreamApp(
            settings.app,
            settings.title,
            settings.origin,
            access=OPEN,
            identity=identity,
            icon="pipeline",
            order=10,
            ca_file=settings.verify,
        )
    ]


@hookimpl
def register_routes(context: Context[Settings]) -> list[Route]:
    """The plugin's API."""
    return routes(context, Airflow(context))


@hookimpl
def register_services(context: Context[Settings]) -> list[Service]:
    """An orchestrator, for other plugins."""
    if context.settings.address is None:
        return []
    return [Service(Orchestrator, AirflowOrchestrator(Airflow(context)), NAME)]


@hookimpl
def register_pages(context: Context[Settings]) -> list[Page | SlotContent | Module]:
    """DAGs, one DAG, one run; drawn by the plugin's own module where that was built."""
    files = importlib.resources.files("openlakes_portal_airflow_dbt") / "static"
    if not (files / "index.js").is_file():
        return []
    return [
        Module(files=files, entry="index.js", styles=("index.css",)),
        Page("dags", "DAGs", access=READ, export="Dags", subtitle="What Airflow runs, as you may see it"),
        Page("dag", "DAG", access=READ, export="DagPage"),
        Page("run", "Run", access=READ, export="RunPage"),
    ]


@hookimpl
def register_nav(context: Context[Settings]) -> list[NavEntry]:
    """Its line in the navigation."""
    if context.settings.address is None or not register_pages(context):
        return []
    return [NavEntry("Operate", "DAGs", page="dags", access=READ, icon="pipeline", order=10)]


@hookimpl
def register_actions(context: Context[Settings]) -> list[Action]:
    """Start, pause, resume."""
    return actions(context, Airflow(context))


@hookimpl
def register_events(context: Context[Settings]) -> list[AuditEventType]:
    """What was done in Airflow, by the names that it has there."""
    return EVENTS


@hookimpl
def register_search(context: Context[Settings]) -> list[SearchProvider]:
    """DAGs; they lead to the page."""
    if context.settings.address is None or not register_pages(context):
        return []
    return search_providers(Airflow(context))


@hookimpl
def register_health_checks(context: Context[Settings]) -> list[HealthCheck]:
    """One a process."""
    return health_checks(Airflow(context), context.settings)
