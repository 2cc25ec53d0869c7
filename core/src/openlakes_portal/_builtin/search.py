"""Search across plugins: every provider in its plugin's lane, as the person who asks, within its own deadline."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlencode

import structlog

from openlakes_portal._builtin.views import PartialResult, SearchAnswer, SearchHit
from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.lanes import LaneBlocked, LaneTimeout
from openlakes_portal._host.portal import Portal
from openlakes_portal._host.registry import may
from openlakes_portal._http.bootstrap import navigation
from openlakes_portal.spi import PortalError, Principal, SearchProvider, SearchResult

log = structlog.get_logger("search")
MAX_TEXT = 300


async def search(portal: Portal, principal: Principal, text: str, limit: int) -> SearchAnswer:
    """Pages first, then what the providers found, in turn so that none pushes the others out."""
    text = text.strip()
    hits = _pages(portal, principal, text)
    if not text:
        return SearchAnswer(items=hits[:limit], partial=[])
    providers = [(c, p) for c, p in portal.registry.search if may(principal, p.access)]
    answers = await asyncio.gather(*(_ask(portal, c, p, principal, text, limit) for c, p in providers))
    found = [a for a in answers if isinstance(a, list)]
    partial = [a for a in answers if isinstance(a, PartialResult)]
    for rank in range(limit):
        hits += [results[rank] for results in found if rank < len(results)]
    return SearchAnswer(items=hits[:limit], partial=partial)


async def _ask(
    portal: Portal, contribution: Contribution, provider: SearchProvider, principal: Principal, text: str, limit: int
) -> list[SearchHit] | PartialResult:
    try:
        lane = portal.lanes[contribution.id]
        results = await lane.run(provider.search, principal, text, limit, seconds=provider.timeout)
        return _hits(contribution, provider, results, limit)
    except LaneTimeout:
        reason = f"{provider.name} did not answer within {provider.timeout:g} s"
    except LaneBlocked:
        reason = f"{provider.name} does not give control back"
    except PortalError as error:
        reason = error.detail
    except Exception as error:
        log.warning("search provider raised", plugin=contribution.id, provider=provider.name, error=repr(error))
        reason = f"{provider.name} failed: {type(error).__name__}"
    return PartialResult(plugin=contribution.id, reason=reason)


def _hits(
    contribution: Contribution, provider: SearchProvider, results: Sequence[SearchResult], limit: int
) -> list[SearchHit]:
    hits = []
    for result in list(results)[:limit]:
        if not isinstance(result, SearchResult):
            raise TypeError(f"{provider.name} returned {type(result).__name__}")
        path = contribution.page_path(result.page)
        if path is None:
            raise ValueError(f"{provider.name} leads to the page {result.page!r}, which does not exist")
        query = f"?{urlencode(result.query)}" if result.query else ""
        hits.append(
            SearchHit(
                id=f"{contribution.id}.{result.id}"[:MAX_TEXT],
                kind=result.kind[:40],
                title=result.title[:MAX_TEXT],
                subtitle=result.subtitle[:MAX_TEXT] if result.subtitle else None,
                path=path + query,
                icon=result.icon,
                plugin=contribution.id,
            )
        )
    return hits


def _pages(portal: Portal, principal: Principal, text: str) -> list[SearchHit]:
    words = text.lower().split()
    found = navigation(portal.registry.contributions, principal)
    found.append({"id": "core.account", "section": "", "label": "My account", "icon": "user", "path": "/account"})
    return [
        SearchHit(
            id=entry["id"],
            kind="page",
            title=entry["label"],
            subtitle=entry["section"] or None,
            path=entry["path"],
            icon=entry["icon"],
            plugin=entry["id"].split(".")[0],
        )
        for entry in found
        if all(word in f"{entry['label']} {entry['section']}".lower() for word in words)
    ]
