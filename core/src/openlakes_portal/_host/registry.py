"""The frozen sum of what all plugins bring: routes, pages, actions, permissions. Requests only read it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.journal import label
from openlakes_portal._host.records import PluginRecord, StageFailed
from openlakes_portal._http.endpoint import compile_endpoint
from openlakes_portal._http.routing import BoundAsgi, BoundRoute, RouteTable
from openlakes_portal._rbac.policy import Policy, build_policy, holds_somewhere
from openlakes_portal._settings.model import RoleBinding
from openlakes_portal.spi import Action, Permission, Principal, Public, SearchProvider, SignedIn
from openlakes_portal.spi.access import Access

log = structlog.get_logger("decisions")


@dataclass(frozen=True)
class BoundAction:
    """An action of a plugin under its full id."""

    id: str
    contribution: Contribution
    action: Action


@dataclass(frozen=True)
class Registry:
    """Everything that is active."""

    contributions: tuple[Contribution, ...]
    records: tuple[PluginRecord, ...]
    policy: Policy
    routes: RouteTable
    asgi: Mapping[str, BoundAsgi]
    actions: Mapping[str, BoundAction]
    search: tuple[tuple[Contribution, SearchProvider], ...]

    def contribution(self, plugin_id: str) -> Contribution | None:
        """An active plugin."""
        return next((c for c in self.contributions if c.id == plugin_id), None)

    @property
    def permissions(self) -> Mapping[str, Permission]:
        """Every permission by name."""
        return self.policy.permissions


def may(principal: Principal | None, access: Access) -> bool:
    """The one decision of who may: for routes, pages, nav, actions, search and streams alike."""
    if isinstance(access, Public):
        return True
    if principal is None:
        return False
    if isinstance(access, SignedIn):
        return True
    try:
        return holds_somewhere(principal, access)
    except Exception as error:
        log.error("whether somebody may could not be decided: no", permission=access.name, error=repr(error))
        return False


def cross_check(contribution: Contribution, others: Iterable[Contribution]) -> None:
    """Raises `StageFailed` where a plugin takes a name that another holds already."""
    for other in others:
        for app in contribution.apps:
            if app.id in {a.id for a in other.apps}:
                raise StageFailed(
                    "register_apps", f"The app {app.id!r} is there already, from {other.id!r}.", "Give it another id."
                )
        for service in contribution.services:
            if (service.capability, service.id) in {(s.capability, s.id) for s in other.services}:
                name = service.capability.__name__
                raise StageFailed(
                    "register_services",
                    f"The {name} {service.id!r} is provided already, by {other.id!r}.",
                    "Give it another id.",
                )


def freeze(
    contributions: Iterable[Contribution], records: Iterable[PluginRecord], bindings: tuple[RoleBinding, ...]
) -> Registry:
    """The registry of these plugins."""
    kept = tuple(contributions)
    policy = build_policy((p for c in kept for p in c.permissions), bindings)
    bound = []
    asgi = {}
    for c in kept:
        name = label(c.id, c.record.version)
        for route in c.routes:
            template = f"{c.api_prefix}/{route.path}".rstrip("/")
            bound.append(BoundRoute(template, c.id, route, compile_endpoint(route), name))
        for raw in c.asgi_routes:
            template = f"{c.api_prefix}/{raw.path}"
            asgi[template] = BoundAsgi(template, c.id, raw, name)
    actions = {f"{c.id}.{a.id}": BoundAction(f"{c.id}.{a.id}", c, a) for c in kept for a in c.actions}
    search = tuple((c, provider) for c in kept for provider in c.search)
    return Registry(kept, tuple(records), policy, RouteTable(bound), asgi, actions, search)
