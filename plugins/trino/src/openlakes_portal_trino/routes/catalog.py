"""Engines and what is in them, as the asking person may see it."""

from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, Field

from openlakes_portal.spi import InvalidInput, Listing, Request, Route
from openlakes_portal_trino.routes.access import RUN
from openlakes_portal_trino.workspace import Workspace

TREE = "catalogs/{catalog}/schemas"


class Engine(BaseModel):
    """An SQL engine."""

    id: str
    title: str
    dialect: str
    default: bool
    unavailable: str | None = Field(None, description="Why it can take no statements now; then another is the default")


class PropertyItem(BaseModel):
    """A property of an engine's session: the value that holds, the default one, its type, what it does."""

    name: str
    value: str
    default: str
    type: str
    description: str


class Named(BaseModel):
    """A catalog or a schema."""

    name: str


class TableItem(BaseModel):
    """A table in a list; `rows` only where it costs nothing to know."""

    name: str
    kind: Literal["table", "view"]
    rows: int | None


class ColumnItem(BaseModel):
    """A column of a table."""

    name: str
    type: str
    nullable: bool
    comment: str | None


class TableView(BaseModel, serialize_by_alias=True):
    """A table as the asking person may see it."""

    catalog: str
    schema_: str = Field(alias="schema")
    name: str
    kind: Literal["table", "view"]
    columns: list[ColumnItem]
    rows: int | None
    bytes: int | None
    comment: str | None
    partitioned_by: list[str]


class EngineQuery(BaseModel, extra="ignore"):
    """Which engine is asked; none: the default one."""

    engine: str | None = None


class Text(BaseModel, extra="forbid"):
    """A statement to be laid out."""

    sql: str = Field(min_length=1, max_length=20_000)
    engine: str | None = None


class Formatted(BaseModel):
    """A statement, laid out."""

    sql: str


def catalog_routes(workspace: Workspace) -> list[Route]:
    """Routes below `engines`, `catalogs` and `format`."""

    async def engines(request: Request) -> Listing[Engine]:
        default = await workspace.default_engine()
        return Listing(
            [
                Engine(
                    id=engine.id,
                    title=engine.title,
                    dialect=engine.dialect,
                    default=engine.id == default,
                    unavailable=await workspace.unavailable(engine.id),
                )
                for engine in workspace.engines.values()
            ]
        )

    async def session_properties(request: Request) -> Listing[PropertyItem]:
        engine = workspace.engine(request.path("engine"))
        if engine is not workspace.coordinator:
            return Listing([])
        found = await workspace.coordinator.session_properties(request.principal)
        return Listing([PropertyItem.model_validate(asdict(each)) for each in found])

    async def functions(request: Request) -> Listing[str]:
        return Listing(await workspace.engine(request.path("engine")).functions())

    async def catalogs(request: Request, query: EngineQuery) -> Listing[Named]:
        names = await (await workspace.chosen(query.engine)).catalogs(request.principal)
        return Listing([Named(name=name) for name in names])

    async def schemas(request: Request, query: EngineQuery) -> Listing[Named]:
        names = await (await workspace.chosen(query.engine)).schemas(request.principal, request.path("catalog"))
        return Listing([Named(name=name) for name in names])

    async def tables(request: Request, query: EngineQuery) -> Listing[TableItem]:
        engine = await workspace.chosen(query.engine)
        found = await engine.tables(request.principal, request.path("catalog"), request.path("schema"))
        return Listing([TableItem(name=table.name, kind=table.kind, rows=table.rows) for table in found])

    async def table(request: Request, query: EngineQuery) -> TableView:
        engine = await workspace.chosen(query.engine)
        where = (request.path("catalog"), request.path("schema"), request.path("table"))
        found = await engine.table(request.principal, *where)
        columns = [
            ColumnItem(name=column.name, type=column.type, nullable=column.nullable, comment=column.comment)
            for column in found.columns
        ]
        return TableView(
            catalog=found.catalog,
            schema=found.schema,
            name=found.name,
            kind=found.kind,
            columns=columns,
            rows=found.rows,
            bytes=found.bytes,
            comment=found.comment,
            partitioned_by=list(found.partitioned_by),
        )

    async def format_sql(request: Request, body: Text) -> Formatted:
        dialect = (await workspace.chosen(body.engine)).dialect
        return await workspace.context.in_thread(_formatted, body.sql, dialect)

    return [
        Route("GET", "engines", engines, access=RUN, summary="SQL engines"),
        Route("GET", "engines/{engine}/functions", functions, access=RUN, summary="Functions of an engine"),
        Route(
            *("GET", "engines/{engine}/session-properties", session_properties),
            access=RUN,
            summary="Properties of an engine's session",
        ),
        Route("GET", "catalogs", catalogs, access=RUN, summary="Catalogs that I may see"),
        Route("GET", TREE, schemas, access=RUN, summary="Schemas that I may see"),
        Route("GET", TREE + "/{schema}/tables", tables, access=RUN, summary="Tables that I may see"),
        Route("GET", TREE + "/{schema}/tables/{table}", table, access=RUN, summary="A table's columns"),
        Route("POST", "format", format_sql, access=RUN, summary="Lay a statement out", quiet=True),
    ]


def _formatted(sql: str, dialect: str) -> Formatted:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        statements = sqlglot.transpile(sql, read=dialect, write=dialect, pretty=True)
    except SqlglotError as error:
        raise InvalidInput(f"The statement cannot be laid out: {str(error)[:300]}") from error
    except RecursionError:
        raise InvalidInput("The statement is nested too deeply to be laid out.") from None
    return Formatted(sql=";\n\n".join(statements))
