"""Reads Superset as a person: lists, single things, pictures, and the way into SQL Lab."""

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from openlakes_portal.spi import InvalidInput, NotFound, Principal, UpstreamError
from openlakes_portal.spi.context import Context
from openlakes_portal_superset import things
from openlakes_portal_superset.client import Superset
from openlakes_portal_superset.errors import NAME
from openlakes_portal_superset.settings import Settings
from openlakes_portal_superset.things import Database, Dataset, Found, Thing

Kind = Literal["dashboard", "chart"]
MOST = 1000
"""Datasets and databases that are listed."""
TITLES = {"dashboard": "dashboard_title", "chart": "slice_name"}
SEARCHED_BY = {"dashboard": "title_or_slug", "chart": "chart_all_text"}
ORDERED_BY = {"changed": "changed_on_delta_humanized", "title": None}


class Wanted(BaseModel, extra="forbid"):
    """Which dashboards or charts, and in which order."""

    search: str = Field("", max_length=200, description="Words of the title")
    mine: bool = Field(False, description="Only those that I own")
    published: bool = Field(False, description="Only dashboards that are published")
    sort: Literal["changed", "title"] = Field("changed", description="Newest change first, or by title")
    page: int = Field(0, ge=0, le=10_000, description="Which page, from 0")
    limit: int = Field(24, ge=1, le=100, description="How many on a page")


class OpenedQuery(BaseModel, extra="forbid"):
    """A query to go on with in SQL Lab."""

    sql: str = Field(min_length=1, max_length=150_000, description="The statement")
    engine: str = Field(max_length=64, description="The portal's SQL engine that it was written for")
    catalog: str | None = Field(None, max_length=200)
    schema_: str | None = Field(None, max_length=200, alias="schema")
    title: str = Field("From the portal", max_length=200, description="What the tab is called")


class Library:
    """What a person has in Superset."""

    def __init__(self, context: Context[Settings]) -> None:
        self._context = context
        self._superset = Superset(context)

    async def find(self, principal: Principal, kind: Kind, wanted: Wanted) -> Found:
        """Dashboards or charts that the person may see."""
        title = TITLES[kind]
        filters: list[dict[str, Any]] = []
        if wanted.search.strip():
            filters.append({"col": title, "opr": SEARCHED_BY[kind], "value": wanted.search.strip()})
        if wanted.mine:
            filters.append({"col": "owners", "opr": "rel_m_m", "value": await self._my_id(principal)})
        if wanted.published and kind == "dashboard":
            filters.append({"col": "published", "opr": "eq", "value": True})
        by_title = wanted.sort == "title"
        answer = await self._superset.get(
            principal,
            f"{kind}/",
            {
                "filters": filters,
                "order_column": title if by_title else "changed_on_delta_humanized",
                "order_direction": "asc" if by_title else "desc",
                "page": wanted.page,
                "page_size": wanted.limit,
            },
        )
        total = answer.get("count")
        found = [self._thing(kind, raw) for raw in things.rows(answer)]
        return Found(items=found, total=total if isinstance(total, int) else len(found))

    async def one(self, principal: Principal, kind: Kind, id: str) -> Thing:
        """One dashboard or chart."""
        return self._thing(kind, things.row(await self._superset.get(principal, f"{kind}/{_id(id)}")))

    async def picture(self, principal: Principal, kind: Kind, id: str) -> bytes:
        """Its picture (PNG). `NotFound` where Superset makes none, or has not made it yet."""
        if self._context.settings.thumbnails:
            raw = things.row(await self._superset.get(principal, f"{kind}/{_id(id)}"))
            place = raw.get("thumbnail_url")
            if isinstance(place, str) and (path := urlsplit(place).path).startswith("/api/v1/"):
                image = await self._superset.image(principal, path)
                if image is not None:
                    return image
        raise NotFound("Superset has no picture of it.")

    async def datasets(self, principal: Principal) -> list[Dataset]:
        """Datasets that the person may use, by name."""
        answer = await self._superset.get(principal, "dataset/", _all("table_name"))
        return [things.dataset(raw) for raw in things.rows(answer)]

    async def databases(self, principal: Principal) -> list[Database]:
        """Databases that the person may use, by name."""
        answer = await self._superset.get(principal, "database/", _all("database_name"))
        return [things.database(raw) for raw in things.rows(answer)]

    async def open_query(self, principal: Principal, query: OpenedQuery) -> str:
        """Makes a permanent link to a tab of SQL Lab with this query in it; where it is in Superset's pages."""
        database = self._database(query.engine, await self.databases(principal))
        # Names of catalogs are an engine's own: another kind of database does not have them.
        catalog = query.catalog if database.kind == query.engine else None
        answer = await self._superset.send(
            principal,
            "POST",
            "sqllab/permalink",
            {
                "dbId": database.id,
                "name": query.title,
                "sql": query.sql,
                "autorun": False,
                **({"catalog": catalog} if catalog else {}),
                **({"schema": query.schema_} if query.schema_ else {}),
            },
        )
        key = answer.get("key")
        if not isinstance(key, str) or not key.replace("-", "").replace("_", "").isalnum():
            raise UpstreamError(f"{NAME} made a link without a key.", upstream=NAME)
        return f"/sqllab/p/{key}"

    def _database(self, engine: str, known: Sequence[Database]) -> Database:
        usable = [database for database in known if database.sql_lab]
        named = self._context.settings.databases.get(engine)
        if named is not None:
            found = [database for database in usable if database.name == named]
            remedy = f"Connect it in Superset for SQL Lab, or correct plugins.superset.databases.{engine}."
        else:
            found = [database for database in usable if database.kind == engine]
            remedy = f"Say which one it is: plugins.superset.databases.{engine}."
        if len(found) != 1:
            many = "more than one database" if found else "no database"
            called = f" called {named!r}" if named is not None else f" of the kind {engine!r}"
            raise InvalidInput(f"{NAME} has {many}{called} in which you may use SQL Lab.", remedy=remedy)
        return found[0]

    async def _my_id(self, principal: Principal) -> int:
        me = things.row(await self._superset.get(principal, "me/"))
        return me["id"] if isinstance(me.get("id"), int) else -1

    def _thing(self, kind: Kind, raw: dict[str, Any]) -> Thing:
        picture = None
        if self._context.settings.thumbnails and isinstance(raw.get("id"), int):
            picture = f"/api/plugins/{self._context.plugin_id}/{kind}s/{raw['id']}/picture"
        return things.dashboard(raw, picture) if kind == "dashboard" else things.chart(raw, picture)


def _all(order: str) -> dict[str, Any]:
    return {"order_column": order, "order_direction": "asc", "page": 0, "page_size": MOST}


def _id(text: str) -> str:
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise NotFound(f"{NAME} has no such thing, or none that you may see.")
    return text
