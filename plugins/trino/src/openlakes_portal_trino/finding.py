"""What the palette finds: saved queries, tables, earlier statements."""

from collections.abc import Sequence

from openlakes_portal.spi import PortalError, Principal, SearchProvider, SearchResult, SqlEngine
from openlakes_portal_trino.routes.access import RUN
from openlakes_portal_trino.workspace import Workspace

PAGE = "sql"


def search_providers(workspace: Workspace) -> list[SearchProvider]:
    """One a kind, so that a slow catalog holds up nothing else."""

    async def saved(principal: Principal, text: str, limit: int) -> Sequence[SearchResult]:
        found = [
            query
            for query in await workspace.saved.visible(principal)
            if text.lower() in f"{query.name} {query.description} {query.sql}".lower()
        ]
        return [
            SearchResult(query.id, query.name, "Saved query", PAGE, (("saved", query.id),), query.description or None)
            for query in found[:limit]
        ]

    async def tables(principal: Principal, text: str, limit: int) -> Sequence[SearchResult]:
        found: list[SearchResult] = []
        for engine in workspace.engines.values():
            found += await _tables(engine, principal, text.lower(), limit - len(found))
        return found

    async def history(principal: Principal, text: str, limit: int) -> Sequence[SearchResult]:
        page = await workspace.queries.history(principal, limit, None, text)
        return [
            SearchResult(
                query.id, " ".join(query.sql.split())[:120], "Earlier query", PAGE, (("query", query.id),), query.state
            )
            for query in page.items
        ]

    return [
        SearchProvider("saved-queries", saved, access=RUN),
        SearchProvider("tables", tables, access=RUN),
        SearchProvider("history", history, access=RUN),
    ]


async def _tables(engine: SqlEngine, principal: Principal, text: str, limit: int) -> list[SearchResult]:
    found: list[SearchResult] = []
    for catalog in await engine.catalogs(principal):
        for schema in await engine.schemas(principal, catalog):
            try:
                names = await engine.tables(principal, catalog, schema)
            except PortalError:
                continue  # one that has just gone
            for table in names:
                full = f"{catalog}.{schema}.{table.name}"
                if text in full.lower() and len(found) < limit:
                    query = (("engine", engine.id), ("table", full))
                    found.append(SearchResult(f"{engine.id}:{full}", full, "Table", PAGE, query, engine.title))
    return found
