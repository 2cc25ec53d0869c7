"""What the palette finds: dashboards and charts of the person."""

from collections.abc import Sequence

from openlakes_portal.spi import Principal, SearchProvider, SearchResult
from openlakes_portal_superset.library import Kind, Library, Wanted
from openlakes_portal_superset.permissions import READ

WITHIN = 3.0
"""Seconds; Superset takes its time for the first call of a person."""


def search_providers(library: Library) -> list[SearchProvider]:
    """One a kind."""
    return [_provider(library, "dashboard"), _provider(library, "chart")]


def _provider(library: Library, kind: Kind) -> SearchProvider:
    async def search(principal: Principal, text: str, limit: int) -> Sequence[SearchResult]:
        found = await library.find(principal, kind, Wanted(search=text[:200], limit=min(limit, 100)))
        return [
            SearchResult(
                str(thing.id),
                thing.title,
                f"Superset {kind}",
                kind,
                (("id", str(thing.id)),),
                ", ".join(thing.owners) or thing.dataset,
                icon="chart",
            )
            for thing in found.items
        ]

    return SearchProvider(f"{kind}s", search, access=READ, timeout=WITHIN)
