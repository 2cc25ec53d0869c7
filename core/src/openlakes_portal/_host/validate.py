"""Checks of what one plugin brings: everything that it names must exist, be its own, and be named once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.records import StageFailed
from openlakes_portal._http.endpoint import EndpointError, compile_endpoint
from openlakes_portal.spi import ActionButton, Block, Form, Grid, Log, Page, Permission, SlotContent, Table, Tabs
from openlakes_portal.spi.blocks import KeyValue


def validate(contribution: Contribution) -> None:
    """Raises `StageFailed` with the hook that returned the wrong thing."""
    _check_permissions(contribution)
    known = {p.name: p for p in contribution.permissions}
    _unique("register_deciders", "decider", (d.name for d in contribution.deciders))
    _unique("register_upstreams", "upstream", (u.name for u in contribution.upstreams))
    _unique("register_token_exchangers", "audience", (e.audience for e in contribution.exchangers))
    _unique("register_health_checks", "health check", (c.name for c in contribution.checks))
    _unique("register_search", "search provider", (s.name for s in contribution.search))
    _unique("register_apps", "app", (a.id for a in contribution.apps))
    _check_routes(contribution, known)
    _check_actions(contribution, known)
    _check_pages(contribution, known)
    for entry in contribution.nav:
        _known(entry.access, known, "register_nav", f"nav entry {entry.label!r}")
        if contribution.page_path(entry.page) is None:
            raise StageFailed(
                "register_nav",
                f"The nav entry {entry.label!r} opens the page {entry.page!r}, which does not exist.",
                _choices("pages", [p.id for p in contribution.pages]),
            )
    for provider in contribution.search:
        _known(provider.access, known, "register_search", f"search provider {provider.name!r}")
    for app in contribution.apps:
        _known(app.access, known, "register_apps", f"app {app.id!r}")
    for event in contribution.events:
        if not event.name.startswith(f"{contribution.id}."):
            raise StageFailed(
                "register_events",
                f"The audit event {event.name!r} is outside the plugin's prefix.",
                f"Name it '{contribution.id}.<what>'.",
            )


def _check_permissions(contribution: Contribution) -> None:
    hook = "register_permissions"
    names = [p.name for p in contribution.permissions]
    _unique(hook, "permission", names)
    for permission in contribution.permissions:
        if not permission.name.startswith(f"{contribution.id}:"):
            raise StageFailed(
                hook,
                f"The permission {permission.name!r} is outside the plugin's prefix.",
                f"Name it '{contribution.id}:<thing>:<verb>'.",
            )
        for implied in permission.implies:
            if implied not in names:
                raise StageFailed(
                    hook,
                    f"The permission {permission.name!r} implies {implied!r}, which this plugin does not register.",
                    _choices("permissions", names),
                )


def _check_routes(contribution: Contribution, known: dict[str, Permission]) -> None:
    hook = "register_routes"
    shapes: dict[tuple[str, str], str] = {}
    for route in contribution.routes:
        _known(route.access, known, hook, f"route {route.method} {route.path!r}")
        shape = (route.method, "/".join("{}" if part.startswith("{") else part for part in route.path.split("/")))
        if shape in shapes:
            raise StageFailed(
                hook,
                f"The routes {shapes[shape]!r} and {route.path!r} answer the same {route.method} requests.",
                "Remove one of them: a shadowed route would never be called.",
            )
        shapes[shape] = route.path
        try:
            compile_endpoint(route)
        except EndpointError as error:
            raise StageFailed(hook, f"route {route.method} {route.path!r}: {error}", error.remedy) from None
    for raw in contribution.asgi_routes:
        _known(raw.access, known, hook, f"ASGI route {raw.path!r}")
        covered = [path for _, path in shapes if path == raw.path or path.startswith(f"{raw.path}/")]
        if covered:
            raise StageFailed(
                hook, f"The ASGI route {raw.path!r} shadows the route {covered[0]!r}.", "Give it a path of its own."
            )
    _unique(hook, "ASGI route", (r.path for r in contribution.asgi_routes))


def _check_actions(contribution: Contribution, known: dict[str, Permission]) -> None:
    _unique("register_actions", "action", (a.id for a in contribution.actions))
    for action in contribution.actions:
        _known(action.access, known, "register_actions", f"action {action.id!r}")
        try:
            action.input.model_json_schema()
        except Exception as error:
            raise StageFailed(
                "register_actions",
                f"The input of action {action.id!r} has no JSON schema: {error}.",
                "Use types that JSON has.",
            ) from None


def _check_pages(contribution: Contribution, known: dict[str, Permission]) -> None:
    hook = "register_pages"
    _unique(hook, "page", (p.id for p in contribution.pages))
    _unique(hook, "page path", (str(contribution.page_path(p.id)) for p in contribution.pages))
    _unique(hook, "slot content", (s.id for s in contribution.slots))
    drawn: Sequence[Page | SlotContent] = (*contribution.pages, *contribution.slots)
    for page in drawn:
        what = f"page {page.id!r}" if isinstance(page, Page) else f"slot content {page.id!r}"
        _known(page.access, known, hook, what)
        if page.export is not None and contribution.module is None and not contribution.builtin:
            raise StageFailed(
                hook, f"The {what} is drawn by {page.export!r} of a module, and there is none.", "Return a Module too."
            )
        if page.body is not None:
            _check_source(contribution, page.source, what)
            for block in walk_blocks(page.body):
                _check_block(contribution, known, block, what)


def walk_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Every block, those inside grids and tabs too."""
    for block in blocks:
        yield block
        if isinstance(block, Grid):
            yield from walk_blocks(block.body)
        elif isinstance(block, Tabs):
            for tab in block.tabs:
                yield from walk_blocks(tab.body)


def _check_block(contribution: Contribution, known: dict[str, Permission], block: Any, what: str) -> None:
    hook, name = "register_pages", type(block).__name__
    if block.permission is not None:
        _known(block.permission, known, hook, f"{name} on {what}")
    _check_source(contribution, getattr(block, "source", None), f"{name} on {what}")
    if isinstance(block, Log):
        _check_source(contribution, block.stream, f"{name} on {what}")
    if isinstance(block, Form | ActionButton) and block.action not in {a.id for a in contribution.actions}:
        raise StageFailed(
            hook,
            f"{name} on {what} names the action {block.action!r}, which does not exist.",
            _choices("actions", [a.id for a in contribution.actions]),
        )
    columns = block.columns if isinstance(block, Table) else block.fields if isinstance(block, KeyValue) else ()
    for column in columns:
        if column.link is not None and not _links(contribution, column.link):
            raise StageFailed(
                hook,
                f"The column {column.field!r} on {what} links to the page {column.link!r}, which does not exist.",
                _choices("pages", [p.id for p in contribution.pages]) + " Or name a kind of object, like 'dataset'.",
            )


LINK_KINDS = frozenset({"dataset", "run", "query", "pipeline"})
"""Kinds of object that any plugin may link to; the console opens them where a plugin for them is installed."""


def _links(contribution: Contribution, link: str) -> bool:
    return link in LINK_KINDS or contribution.page_path(link) is not None


def _check_source(contribution: Contribution, source: str | None, what: str) -> None:
    if source is None:
        return
    gets = [r.path for r in contribution.routes if r.method == "GET"]
    if source not in gets:
        raise StageFailed(
            "register_pages",
            f"The {what} reads {source!r}, which is no GET route of this plugin.",
            _choices("GET routes", gets),
        )


def _known(access: object, known: dict[str, Permission], hook: str, what: str) -> None:
    if isinstance(access, Permission) and known.get(access.name) != access:
        raise StageFailed(
            hook,
            f"The {what} needs the permission {access.name!r}, which this plugin does not register.",
            "Return it from register_permissions.",
        )


def _unique(hook: str, what: str, names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise StageFailed(hook, f"The {what} {name!r} is there twice.", "Rename or remove one of them.")
        seen.add(name)


def _choices(what: str, names: Sequence[str]) -> str:
    return f"Its {what} are: {', '.join(sorted(names))}." if names else f"It has no {what}."
