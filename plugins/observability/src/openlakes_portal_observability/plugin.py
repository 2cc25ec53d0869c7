"""Metrics and alerts: Prometheus and Alertmanager on Home, on a page, in health, and behind the gateway."""

from openlakes_portal.spi import (
    Context,
    HealthCheck,
    NavEntry,
    Page,
    Permission,
    PluginManifest,
    Request,
    Route,
    SlotContent,
    Tls,
    TokenExchanger,
    Upstream,
    UpstreamApp,
    hookimpl,
)
from openlakes_portal_observability import pages
from openlakes_portal_observability.access import OPEN_ALERTMANAGER, OPEN_PROMETHEUS, PERMISSIONS, READ
from openlakes_portal_observability.board import Alerts, Board, Silences, Summary, Targets
from openlakes_portal_observability.client import MOST_BYTES
from openlakes_portal_observability.credentials import ServiceAccount, headers, identity
from openlakes_portal_observability.health import health_checks
from openlakes_portal_observability.settings import Settings

APPS = {
    "prometheus": ("Prometheus", OPEN_PROMETHEUS, "chart"),
    "alertmanager": ("Alertmanager", OPEN_ALERTMANAGER, "warn"),
}


@hookimpl
def plugin_manifest() -> PluginManifest:
    """Who this is."""
    return PluginManifest(
        id="observability",
        title="Metrics and alerts",
        contract="1.0",
        owner="OpenLakes",
        upstream_versions=("Prometheus 2.42-3.16", "Alertmanager 0.25-0.31"),
        description="What Prometheus scrapes and which alerts are on, without leaving the portal.",
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
    """The configured servers."""
    return [
        Upstream(name, str(server.address), timeout=server.timeout, tls=Tls(server.ca_file), max_body=MOST_BYTES)
        for name, server in context.settings.servers.items()
    ]


@hookimpl
def register_token_exchangers(context: Context[Settings]) -> list[TokenExchanger]:
    """The portal's own account, for the web page of a server that wants one."""
    return [ServiceAccount(name, server) for name, server in context.settings.servers.items() if headers(server)]


@hookimpl
def register_apps(context: Context[Settings]) -> list[UpstreamApp]:
    """The servers' own web pages."""
    found: list[UpstreamApp] = []
    for order, (name, server) in enumerate(context.settings.servers.items()):
        if not server.web_page:
            continue
        title, permission, icon = APPS[name]
        found.append(
            UpstreamApp(
                *(name, title, server.origin, permission, identity(name, server)),
                icon=icon,
                order=80 + order,
                ca_file=server.ca_file,
            )
        )
    return found


@hookimpl
def register_routes(context: Context[Settings]) -> list[Route]:
    """What the page shows."""
    board = Board(context)

    async def summary(request: Request) -> Summary:
        return await board.summary()

    async def alerts(request: Request) -> Alerts:
        return await board.alerts()

    async def targets(request: Request) -> Targets:
        return await board.targets()

    async def silences(request: Request) -> Silences:
        return await board.silences()

    return [
        Route("GET", "summary", summary, access=READ, summary="Alerts and targets in figures"),
        Route("GET", "alerts", alerts, access=READ, summary="Alerts that are on, and what became of them"),
        Route("GET", "targets", targets, access=READ, summary="What Prometheus scrapes"),
        Route("GET", "silences", silences, access=READ, summary="Silences that hold or will hold"),
    ]


@hookimpl
def register_pages(context: Context[Settings]) -> list[Page | SlotContent]:
    """The page and the card on Home."""
    return pages.pages() if context.settings.servers else []


@hookimpl
def register_nav(context: Context[Settings]) -> list[NavEntry]:
    """Its line in the navigation."""
    return pages.nav() if context.settings.servers else []


@hookimpl
def register_health_checks(context: Context[Settings]) -> list[HealthCheck]:
    """Each server, and what Prometheus scrapes."""
    return health_checks(Board(context), context.settings)
