"""The engine `trino` behind the shared capability `SqlEngine`. The client is imported on first use."""

import asyncio
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openlakes_portal.spi import (
    HealthReport,
    InvalidInput,
    NotAllowed,
    NotFound,
    PortalError,
    Principal,
    QueryStatus,
    RunningStatement,
    Statement,
    TableColumn,
    TableDetail,
    TableEntry,
    UpstreamError,
)
from openlakes_portal.spi.context import Context
from openlakes_portal_trino.coordinator.credentials import Credentials, ExchangedToken, PlainName, held
from openlakes_portal_trino.live import RefusedStatement
from openlakes_portal_trino.settings import Settings

if TYPE_CHECKING:
    from openlakes_portal_trino.coordinator.connection import Connection

METADATA_SECONDS = 30.0
STANDING_SECONDS = 5.0
STANDING_WITHIN = 1.5


@dataclass(frozen=True)
class SessionProperty:
    """A property of Trino's session: its value for the person, what it is by default, its type, what it does."""

    name: str
    value: str
    default: str
    type: str
    description: str


class CoordinatorEngine:
    """A Trino coordinator, asked as the person: who may read what is Trino's own decision."""

    id = "trino"
    title = "Trino"
    dialect = "trino"

    def __init__(self, context: Context[Settings], credentials: Credentials | None = None) -> None:
        self._context = context
        self._settings = context.settings.trino
        audience = self._settings.audience
        usual = PlainName() if audience is None else ExchangedToken(context, audience)
        self.credentials: Credentials = credentials or usual
        self._standing: tuple[float, str | None] | None = None

    @functools.cached_property
    def _executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._settings.threads, thread_name_prefix="trino")

    async def catalogs(self, principal: Principal) -> Sequence[str]:
        """Catalogs that the principal may see."""
        return [row[0] for row in await self._rows(principal, "SHOW CATALOGS")]

    async def schemas(self, principal: Principal, catalog: str) -> Sequence[str]:
        """Schemas of a catalog that the principal may see."""
        await self._check_catalog(principal, catalog)
        sql = f"SELECT schema_name FROM {_quoted(catalog)}.information_schema.schemata ORDER BY 1"  # noqa: S608
        return [row[0] for row in await self._rows(principal, sql)]

    async def tables(self, principal: Principal, catalog: str, schema: str) -> Sequence[TableEntry]:
        """Tables of a schema that the principal may see."""
        if schema not in await self.schemas(principal, catalog):
            raise NotFound(f"There is no schema {catalog}.{schema}.")
        sql = (
            f"SELECT table_name, table_type FROM {_quoted(catalog)}.information_schema.tables "  # noqa: S608
            "WHERE table_schema = :schema ORDER BY 1"
        )
        rows = await self._rows(principal, sql, schema=schema)
        return [TableEntry(name, "view" if "VIEW" in kind else "table") for name, kind in rows]

    async def table(self, principal: Principal, catalog: str, schema: str, table: str) -> TableDetail:
        """Columns of one table."""
        await self._check_catalog(principal, catalog)
        sql = (
            "SELECT c.column_name, c.data_type, c.is_nullable, t.table_type "  # noqa: S608
            f"FROM {_quoted(catalog)}.information_schema.columns c "
            f"JOIN {_quoted(catalog)}.information_schema.tables t "
            "ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
            "WHERE c.table_schema = :schema AND c.table_name = :name ORDER BY c.ordinal_position"
        )
        rows = await self._rows(principal, sql, schema=schema, name=table)
        if not rows:
            raise NotFound(f"There is no table {catalog}.{schema}.{table}.")
        columns = tuple(TableColumn(name, type_, nullable == "YES") for name, type_, nullable, _ in rows)
        return TableDetail(catalog, schema, table, "view" if "VIEW" in rows[0][3] else "table", columns)

    async def functions(self) -> Sequence[str]:
        """Names of Trino's functions, as far as the dialect's parser knows them."""
        return await self._context.in_thread(_function_names)

    async def session_properties(self, principal: Principal) -> Sequence[SessionProperty]:
        """What `SET SESSION` may set, with the values that hold for the principal."""
        rows = await self._rows(principal, "SHOW SESSION")
        return [SessionProperty(name, value, default, type_, about) for name, value, default, type_, about in rows]

    async def start(self, principal: Principal, statement: Statement, spool: Path) -> RunningStatement:
        """Send the statement; its pages are read in a thread of this engine's own."""
        running = await self._context.in_thread(_running)
        prepared = await self._context.in_thread(_bound, statement)
        if isinstance(prepared, QueryStatus):
            return RefusedStatement(prepared)
        connect = await self._connector(
            principal, statement.catalog, statement.schema, statement.session, segments=self._settings.spooling
        )
        started: RunningStatement = running(connect, prepared, spool, self._limits(statement), self._executor)
        return started

    async def health(self) -> HealthReport:
        """`/v1/info` is open to everybody: it says whether the server has started, and its version."""
        info = await self._context.upstream("trino").get("/v1/info")
        if info.get("starting"):
            return HealthReport.starting("Trino is starting.")
        return HealthReport.healthy(version=str(info.get("nodeVersion", {}).get("version", "")))

    async def standing(self) -> str | None:
        """None where it can take statements now, else why not, in words. Asked at most every few seconds."""
        if self._standing is not None and time.monotonic() - self._standing[0] < STANDING_SECONDS:
            return self._standing[1]
        try:
            async with asyncio.timeout(STANDING_WITHIN):
                report = await self.health()
            why = report.cause
        except PortalError as error:
            why = error.detail
        except TimeoutError:
            why = f"Trino did not answer within {STANDING_WITHIN:g} s."
        self._standing = (time.monotonic(), why)
        return why

    def _limits(self, statement: Statement) -> Any:
        from openlakes_portal_trino.spool import SpoolLimits

        queries = self._context.settings.queries
        return SpoolLimits(statement.row_limit, queries.result_limit, queries.cell_limit)

    async def _connector(
        self,
        principal: Principal,
        catalog: str | None = None,
        schema: str | None = None,
        session: Mapping[str, str] | None = None,
        *,
        segments: bool = False,
    ) -> "Callable[[], Connection]":
        credential = await held(self.credentials, principal)

        def connect() -> "Connection":
            from openlakes_portal_trino.coordinator.connection import Connection, Server
            from openlakes_portal_trino.coordinator.segments import origins

            settings = self._settings
            server = Server(
                str(settings.address).rstrip("/"),
                settings.verify,
                settings.timeout,
                settings.source,
                segments,
                origins(map(str, settings.segment_addresses)),
            )
            return Connection(server, credential, catalog, schema, session or {})

        return connect

    async def _check_catalog(self, principal: Principal, catalog: str) -> None:
        if catalog not in await self.catalogs(principal):
            raise NotFound(f"There is no catalog {catalog}.")

    async def _rows(self, principal: Principal, sql: str, **parameters: str) -> list[list[str]]:
        connect = await self._connector(principal)
        async with asyncio.timeout(METADATA_SECONDS):
            return await self._context.in_thread(_all_rows, connect, sql, parameters)


def _running() -> "Callable[..., RunningStatement]":
    from openlakes_portal_trino.coordinator.running import RunningInTrino

    return RunningInTrino


def _bound(statement: Statement) -> str | QueryStatus:
    from openlakes_portal_trino.coordinator.statements import bound
    from openlakes_portal_trino.parameters import ParameterMismatch

    try:
        return bound(statement.sql, statement.parameters)
    except ParameterMismatch as mismatch:
        return QueryStatus("failed", error=mismatch.error)


def _all_rows(connect: "Callable[[], Connection]", sql: str, parameters: dict[str, str]) -> list[list[str]]:
    """Every row of a small answer."""
    from trino.exceptions import TrinoQueryError

    from openlakes_portal_trino.coordinator.connection import rows_of
    from openlakes_portal_trino.coordinator.statements import bound

    connection = connect()
    try:
        status = connection.begin(bound(sql, parameters))
        rows = rows_of(status)
        while status.next_uri:
            status = connection.follow(status.next_uri)
            rows += rows_of(status)
        return rows
    except TrinoQueryError as error:
        if error.error_name == "PERMISSION_DENIED":
            raise NotAllowed(f"Trino: {error.message}") from error
        if (error.error_name or "").endswith("_NOT_FOUND"):
            raise NotFound(error.message) from error
        if error.error_type == "USER_ERROR":
            raise InvalidInput(error.message) from error
        raise UpstreamError(f"Trino: {error.message}", upstream="trino") from error
    finally:
        connection.close()


def _function_names() -> Sequence[str]:
    from sqlglot.dialects.trino import Trino

    return tuple(sorted(name.lower() for name in Trino.Parser.FUNCTIONS if name.isidentifier()))


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
