"""Search across plugins: each provider answers as the person who asks; core merges, filters and bounds."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from openlakes_portal.spi.access import Permission, Principal


@dataclass(frozen=True)
class SearchResult:
    """One hit: where it leads is a page of the plugin (by id) with `query` in its URL."""

    id: str
    title: str
    kind: str
    page: str
    query: tuple[tuple[str, str], ...] = ()
    subtitle: str | None = None
    icon: str = "dot"


@dataclass(frozen=True)
class SearchProvider:
    """Finds things for the palette. `search(principal, text, limit)` answers as that principal, within `timeout`
    seconds; one that raises, hangs or spins is left out of the answer and named there."""

    name: str
    search: Callable[[Principal, str, int], Awaitable[Sequence[SearchResult]]]
    access: Permission
    timeout: float = 1.0
