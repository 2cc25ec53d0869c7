"""Declared pages as the JSON that the shell draws: sources and links as addresses, forbidden blocks taken off."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.registry import may
from openlakes_portal.spi import Block, Grid, Page, Permission, Principal, SlotContent, Tab, Tabs

OBJECT_PAGES = {"dataset": "/x/catalog/dataset", "run": "/x/pipelines/run"}


SLOT_REFRESH = 15.0
"""Seconds between two looks of a declared card: Home is live."""


def page_view(contribution: Contribution, page: Page | SlotContent, principal: Principal) -> dict[str, Any]:
    """A page or slot content as this person may see it."""
    view: dict[str, Any] = {
        "id": page.id,
        "title": page.title,
        "source": _source(contribution, page.source),
        "body": blocks_view(contribution, page.body or [], principal),
    }
    if isinstance(page, Page):
        return view | {"subtitle": page.subtitle, "refresh": page.refresh}
    return view | {"refresh": SLOT_REFRESH}


def blocks_view(contribution: Contribution, blocks: Sequence[Block], principal: Principal) -> list[dict[str, Any]]:
    """Blocks that this person may see."""
    return [_block(contribution, b, principal) for b in blocks if b.permission is None or may(principal, b.permission)]


def _block(contribution: Contribution, block: Any, principal: Principal) -> dict[str, Any]:
    name = type(block).__name__
    view: dict[str, Any] = {"type": name[0].lower() + name[1:]}
    if isinstance(block, Grid):
        return view | {"body": blocks_view(contribution, block.body, principal)}
    if isinstance(block, Tabs):
        tabs = [t for t in block.tabs if t.permission is None or may(principal, t.permission)]
        return view | {"tabs": [_tab(contribution, tab, principal) for tab in tabs]}
    for field in fields(block):
        value = getattr(block, field.name)
        if value is None or isinstance(value, Permission):
            continue
        if field.name in ("source", "stream"):
            value = _source(contribution, value)
        elif field.name == "action":
            value = f"{contribution.id}.{value}"
        elif isinstance(value, list | tuple):
            value = [_column(contribution, item) for item in value]
        elif is_dataclass(value):
            value = {f.name: getattr(value, f.name) for f in fields(value)}
        view[field.name] = value
    return view


def _tab(contribution: Contribution, tab: Tab, principal: Principal) -> dict[str, Any]:
    return {"label": tab.label, "body": blocks_view(contribution, tab.body, principal)}


def _column(contribution: Contribution, column: Any) -> dict[str, Any]:
    view = {f.name: getattr(column, f.name) for f in fields(column) if getattr(column, f.name) is not None}
    if "link" in view:
        view["link"] = contribution.page_path(view["link"]) or OBJECT_PAGES.get(view["link"])
        if view["link"] is None:
            del view["link"]
    return view


def _source(contribution: Contribution, source: str | None) -> str | None:
    return None if source is None else f"{contribution.api_prefix}/{source}"
