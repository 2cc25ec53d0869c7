"""The plugin `stack`: real components beside the portal on one machine. It says nothing where no stack is set."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from weakref import WeakKeyDictionary

from openlakes_portal.spi import (
    Context,
    Deployment,
    HealthCheck,
    HealthReport,
    NavEntry,
    Page,
    Permission,
    PluginManifest,
    Route,
    Service,
    hookimpl,
)
from openlakes_portal_stack.portal.pages import PAGES, READ, routes
from openlakes_portal_stack.portal.settings import Settings
from openlakes_portal_stack.portal.watch import Watch

_watches: WeakKeyDictionary[Context[Settings], Watch] = WeakKeyDictionary()


def _watch(context: Context[Settings]) -> Watch:
    """The one watch of a context."""
    if context not in _watches:
        _watches[context] = Watch(context)
    return _watches[context]


@hookimpl
def plugin_manifest() -> PluginManifest:
    """Who this is."""
    return PluginManifest(
        id="stack",
        title="Stack",
        contract="1.0",
        owner="OpenLakes",
        description="Real components on this machine, without containers: for the demo and for development.",
    )


@hookimpl
def settings_model() -> type[Settings]:
    """Its settings."""
    return Settings


@hookimpl
def register_permissions(context: Context[Settings]) -> list[Permission]:
    """What one may be allowed to do."""
    return [READ]


@hookimpl
def register_services(context: Context[Settings]) -> list[Service]:
    """How far each component is, for the checks of other plugins."""
    return [Service(Deployment, _watch(context))] if context.settings.folder else []


@hookimpl
def register_routes(context: Context[Settings]) -> list[Route]:
    """What its pages read."""
    return routes(context, _watch(context)) if context.settings.folder else []


@hookimpl
def register_pages(context: Context[Settings]) -> list[Page]:
    """The page of the stack."""
    return PAGES if context.settings.folder else []


@hookimpl
def register_nav(context: Context[Settings]) -> list[NavEntry]:
    """Its line in the navigation."""
    if not context.settings.folder:
        return []
    return [NavEntry("Operate", "Stack", page="components", access=READ, icon="database", order=90)]


@hookimpl
def register_health_checks(context: Context[Settings]) -> list[HealthCheck]:
    """Those components that no other plugin looks after."""
    watch = _watch(context)

    def of(component: str) -> Callable[[], Awaitable[HealthReport]]:
        async def check() -> HealthReport:
            return watch.health(component)

        return check

    return [
        HealthCheck(id, of(id), title=component.title, interval=2.0)
        for id, component in context.settings.components.items()
        if component.checked_by is None
    ]


@hookimpl
def lifespan(context: Context[Settings]) -> AbstractAsyncContextManager[None] | None:
    """Looks at the stack; in the demo it comes and goes with the portal."""
    return _watch(context).life() if context.settings.folder else None
