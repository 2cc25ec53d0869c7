"""A site's own web pages (`gateway.apps`) as apps of core: a permission each, so that they are granted, explained and
asked for like everything else."""

from openlakes_portal._gateway.pool import Pool, Timeouts
from openlakes_portal._gateway.targets import parse_target
from openlakes_portal._settings.model import Settings
from openlakes_portal._settings.site_apps import SiteApp
from openlakes_portal.spi import (
    AppIdentity,
    HealthCheck,
    HealthReport,
    Permission,
    PortalToken,
    UpstreamApp,
    UpstreamError,
)

CHECK_SECONDS = 5.0


def app_permission(app: SiteApp) -> Permission:
    """Who may open it."""
    return Permission(f"core:app-{app.id}:open", f"Open {app.title}", roles=app.roles)


def site_apps(settings: Settings) -> list[UpstreamApp]:
    """The apps."""
    return [
        UpstreamApp(
            app.id,
            app.title,
            app.target,
            app_permission(app),
            AppIdentity(app.identity.kind, header=app.identity.header, audience=app.identity.audience),
            websocket=app.websocket,
            request_headers=app.request_headers,
        )
        for app in settings.gateway.apps
    ]


def site_exchangers(settings: Settings) -> list[PortalToken]:
    """Tokens for those that take one."""
    audiences = {app.identity.audience for app in settings.gateway.apps if app.identity.audience is not None}
    return [PortalToken(audience=audience) for audience in sorted(audiences)]


def site_checks(settings: Settings) -> list[HealthCheck]:
    """Health of those that say where it is told."""
    return [_check(app, app.health) for app in settings.gateway.apps if app.health is not None]


def _check(app: SiteApp, path: str) -> HealthCheck:
    remedy = f"See whether {app.title} runs at {app.target} (gateway.apps)."

    async def check() -> HealthReport:
        # A pool of its own for each look: checks run in a loop of their own.
        pool = Pool(app.title, parse_target(app.target), limit=1, timeouts=Timeouts(head=CHECK_SECONDS))
        host = pool.target.origin.partition("://")[2].encode()
        headers = [(b"host", host), (b"user-agent", b"openlakes-portal")]
        try:
            async with pool.exchange("GET", path.encode(), headers, None) as received:
                status = received.status
                if status < 400:
                    return HealthReport("healthy")
                state = "down" if status >= 500 else "degraded"
                return HealthReport(state, f"{path} answers {status}.", remedy)  # type: ignore[arg-type]
        except UpstreamError as error:
            return HealthReport("down", error.detail, error.remedy or remedy)
        finally:
            pool.close()

    return HealthCheck(app.id, check, timeout=2 * CHECK_SECONDS, title=app.title)
