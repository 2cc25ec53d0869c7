"""The plugin's routes, below `/api/plugins/superset/`."""

from collections.abc import AsyncIterator

from pydantic import BaseModel

from openlakes_portal.spi import Reply, Request, Route, Stream
from openlakes_portal_superset.library import Kind, Library, OpenedQuery, Wanted
from openlakes_portal_superset.permissions import READ, SQL_LAB
from openlakes_portal_superset.things import Database, Dataset, Found, Thing


class Data(BaseModel):
    """What Superset reads from."""

    datasets: list[Dataset]
    databases: list[Database]


class Opened(BaseModel):
    """Where the query is now, in Superset's own pages."""

    place: str


def superset_routes(library: Library) -> list[Route]:
    """All of them."""

    async def data(request: Request) -> Data:
        return Data(
            datasets=await library.datasets(request.principal), databases=await library.databases(request.principal)
        )

    async def open_query(request: Request, body: OpenedQuery) -> Reply[Opened]:
        return Reply(Opened(place=await library.open_query(request.principal, body)), status=201)

    return [
        *_routes_of(library, "dashboard"),
        *_routes_of(library, "chart"),
        Route("GET", "data", data, access=READ, summary="Datasets and databases of Superset that I may use"),
        Route(
            "POST",
            "sql-lab",
            open_query,
            access=SQL_LAB,
            summary="Take a query on to SQL Lab",
            status=201,
            audit_object="engine",
        ),
    ]


def _routes_of(library: Library, kind: Kind) -> list[Route]:
    async def listing(request: Request, query: Wanted) -> Found:
        return await library.find(request.principal, kind, query)

    async def one(request: Request) -> Thing:
        return await library.one(request.principal, kind, request.path("id"))

    async def picture(request: Request) -> Stream:
        image = await library.picture(request.principal, kind, request.path("id"))
        return Stream(_once(image), "image/png")

    return [
        Route("GET", f"{kind}s", listing, access=READ, summary=f"{kind.title()}s of Superset that I may see"),
        Route("GET", f"{kind}s/{{id}}", one, access=READ, summary=f"One {kind} of Superset"),
        Route(
            "GET",
            f"{kind}s/{{id}}/picture",
            picture,
            access=READ,
            summary=f"A picture of a {kind}",
            produces=("image/png",),
        ),
    ]


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
