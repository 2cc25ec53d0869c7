"""Where a plugin shows in the console: pages, slots, navigation. All of it is data; paths are made by core.

A page lives at `/x/<plugin id>/<path>`. It is either declared (`body`: blocks, no JavaScript) or drawn by the
plugin's own ES module (`export`: the name of the component in `definePlugin({pages: {...}})`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Literal, get_args

from openlakes_portal.spi.access import Access, Permission
from openlakes_portal.spi.blocks import Block

Section = Literal["Discover", "Ingest", "Model", "Lakehouse", "Serve", "Operate", "Govern", "Admin", "Apps"]
"""The closed list of navigation sections, in the order of the journey."""

SECTIONS: tuple[str, ...] = get_args(Section)

Slot = Literal["home.cards", "dataset.tabs", "run.tabs", "query.result"]
"""Places of other pages that a plugin may fill. `query.result` is beside the result of a query, whoever shows it: a
component of a module, small, that gets the query (`useSlotValue<QueryResult>()`) and takes it on to somewhere."""

PAGE_ID = re.compile(r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$")


def _check_drawn(what: str, body: Sequence[Block] | None, export: str | None) -> None:
    if (body is None) == (export is None):
        raise ValueError(f"{what} needs either body= (blocks) or export= (a component of the plugin's module)")


@dataclass(frozen=True)
class Page:
    """A page of the console.

    `id` names it within the plugin and is its path (`path` overrides it; `""` is the plugin's front page); `source`
    is the route whose answer the blocks read; `refresh` reloads it every so many seconds; `full_bleed` gives a
    module page the whole area without the page header.
    """

    id: str
    title: str
    access: Access
    source: str | None = None
    body: Sequence[Block] | None = None
    export: str | None = None
    subtitle: str | None = None
    path: str | None = None
    refresh: float | None = None
    full_bleed: bool = False

    def __post_init__(self) -> None:
        if not PAGE_ID.match(self.id):
            raise ValueError(f"page id {self.id!r} is not lower-case words joined by '-'")
        _check_drawn(f"page {self.id!r}", self.body, self.export)


@dataclass(frozen=True)
class SlotContent:
    """Something of this plugin in a slot of another page: blocks, or a component of its module."""

    slot: Slot
    id: str
    title: str
    access: Access
    source: str | None = None
    body: Sequence[Block] | None = None
    export: str | None = None
    order: int = 100
    roles: tuple[str, ...] = ()
    """Roles whose home shows it; empty: everybody who has access."""

    def __post_init__(self) -> None:
        if not PAGE_ID.match(self.id):
            raise ValueError(f"slot content id {self.id!r} is not lower-case words joined by '-'")
        _check_drawn(f"slot content {self.id!r}", self.body, self.export)
        if self.slot == "query.result" and self.export is None:
            raise ValueError(f"slot content {self.id!r}: query.result takes a component (export=), not blocks")


@dataclass(frozen=True)
class Module:
    """The plugin's own JavaScript: an ES module `entry` and its stylesheets within `files` (in the wheel).

    Core serves the folder under content-hashed addresses and puts each file's SHA-384 into the import map.
    Example: `Module(files=importlib.resources.files("acme_cost") / "static", entry="index.js")`.
    """

    files: Traversable
    entry: str = "index.js"
    styles: tuple[str, ...] = ()
    requires_ui: str = "^1"


@dataclass(frozen=True)
class NavEntry:
    """A line in the navigation: a section of the closed list, a label, and the page it opens (by its id).

    `icon` is a name of the shell's icon set (docs: icons); an unknown one is drawn as a plain dot. `order` sorts
    within the section.
    """

    section: Section
    label: str
    page: str
    access: Permission
    icon: str = "dot"
    order: int = 100

    def __post_init__(self) -> None:
        if self.section not in SECTIONS:
            raise ValueError(f"section {self.section!r} does not exist; sections are {', '.join(SECTIONS)}")
