"""Health of the two servers, and of what Prometheus scrapes."""

from collections.abc import Awaitable, Callable

from openlakes_portal.spi import HealthCheck, HealthReport
from openlakes_portal_observability.board import NONE_CONFIGURED, REMEDY, Board
from openlakes_portal_observability.findings import TargetView, target_views
from openlakes_portal_observability.settings import ServerSettings, Settings

NAMED = 5
"""Targets that are down and named one by one."""


def health_checks(board: Board, settings: Settings) -> list[HealthCheck]:
    """One a configured server, and one for the targets."""
    servers = settings.servers
    if not servers:
        return [HealthCheck("servers", _none_configured, title="Metrics and alerts", interval=60.0)]
    checks: list[HealthCheck] = []
    if "prometheus" in servers:
        server = servers["prometheus"]
        checks += [
            _check("prometheus", "Prometheus", _prometheus(board, settings), server),
            _check("targets", "Scrape targets", _targets(board), server),
        ]
    if "alertmanager" in servers:
        checks.append(_check("alertmanager", "Alertmanager", _alertmanager(board), servers["alertmanager"]))
    return checks


def _check(name: str, title: str, check: Callable[[], Awaitable[HealthReport]], server: ServerSettings) -> HealthCheck:
    """Each asks three times at most, and each time waits no longer than the settings say."""
    timeout = min(60.0, 3 * server.timeout + 1)
    return HealthCheck(name, check, timeout=timeout, interval=10.0, title=title, address=str(server.address))


async def _none_configured() -> HealthReport:
    return HealthReport.missing(NONE_CONFIGURED, REMEDY)


def _prometheus(board: Board, settings: Settings) -> Callable[[], Awaitable[HealthReport]]:
    async def check() -> HealthReport:
        if not await board.prometheus.ready():
            return HealthReport.starting("Prometheus reads what it had written before it serves.")
        version = await board.prometheus.version() or "unknown"
        if settings.alertmanager.address is not None and not await board.prometheus.alertmanagers():
            return HealthReport.degraded(
                "Prometheus sends its alerts to no Alertmanager, so nobody is told of them.",
                "Name it in Prometheus' configuration, under alerting.alertmanagers.",
                version=version,
            )
        return HealthReport.healthy(version=version)

    return check


def _alertmanager(board: Board) -> Callable[[], Awaitable[HealthReport]]:
    async def check() -> HealthReport:
        if not await board.alertmanager.ready():
            return HealthReport.starting("Alertmanager starts.")
        return HealthReport.healthy(version=await board.alertmanager.version() or "unknown")

    return check


def _targets(board: Board) -> Callable[[], Awaitable[HealthReport]]:
    async def check() -> HealthReport:
        views = target_views(await board.prometheus.targets())
        down = [view for view in views if view.state == "down"]
        figures = {"targets": str(len(views)), "down": str(len(down))}
        if not views:
            return HealthReport.degraded(
                "Prometheus scrapes nothing.", "Add scrape_configs to its configuration.", **figures
            )
        if not down:
            return HealthReport.healthy(**figures)
        more = f" And {len(down) - NAMED} more." if len(down) > NAMED else ""
        named = " ".join(_in_words(view) for view in down[:NAMED])
        return HealthReport.degraded(
            f"{len(down)} of {len(views)} targets {'is' if len(down) == 1 else 'are'} down. {named}{more}",
            "See that each of them runs, and that Prometheus may reach it and read its metrics.",
            **figures,
        )

    return check


def _in_words(view: TargetView) -> str:
    """Its last error is for the page, which asks for a permission; health is for everybody."""
    return f"{view.job} at {view.instance}."
