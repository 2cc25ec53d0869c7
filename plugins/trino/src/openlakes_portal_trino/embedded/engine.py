"""The engine `duckdb` behind the shared capability `SqlEngine`."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from openlakes_portal.spi import (
    HealthReport,
    Principal,
    QueryError,
    QueryStatus,
    RunningStatement,
    Statement,
    TableDetail,
    TableEntry,
)
from openlakes_portal.spi.context import Context
from openlakes_portal_trino.access import Grants
from openlakes_portal_trino.embedded.checkup import Checkup
from openlakes_portal_trino.embedded.job import Job, Limits
from openlakes_portal_trino.embedded.metadata import Metadata
from openlakes_portal_trino.embedded.process import Workers
from openlakes_portal_trino.embedded.running import RunningInWorker, taken
from openlakes_portal_trino.live import RefusedStatement
from openlakes_portal_trino.settings import Settings

COUNTING = 4
"""Results whose remaining rows are counted at the same time: their statements have ended and take nobody's turn."""


class EmbeddedEngine:
    """DuckDB over Iceberg tables, each statement in a process of its own, reading what the access rules allow."""

    id = "duckdb"
    title = "DuckDB"
    dialect = "duckdb"

    def __init__(self, context: Context[Settings], workers: Workers) -> None:
        self._context = context
        self._settings = context.settings.duckdb
        self._metadata = Metadata(self._settings.catalogs)
        self._checkup = Checkup(self._metadata)
        self._workers = workers
        self._running: set[RunningInWorker] = set()
        self._following: set[asyncio.Task[None]] = set()
        self._functions: Sequence[str] = ()

    async def catalogs(self, principal: Principal) -> Sequence[str]:
        """Catalogs that the principal may see. Whoever asks will soon run something: that is made ready."""
        await self._context.in_thread(self._workers.warm)
        return self._metadata.catalogs(self._grants(principal))

    async def schemas(self, principal: Principal, catalog: str) -> Sequence[str]:
        """Schemas of a catalog that the principal may see."""
        return await self._context.in_thread(self._metadata.schemas, self._grants(principal), catalog)

    async def tables(self, principal: Principal, catalog: str, schema: str) -> Sequence[TableEntry]:
        """Tables of a schema that the principal may see."""
        return await self._context.in_thread(self._metadata.tables, self._grants(principal), catalog, schema)

    async def table(self, principal: Principal, catalog: str, schema: str, table: str) -> TableDetail:
        """Columns and figures of one table."""
        return await self._context.in_thread(self._metadata.table, self._grants(principal), catalog, schema, table)

    async def functions(self) -> Sequence[str]:
        """Names of DuckDB's functions, read once from DuckDB itself."""
        if not self._functions:
            self._functions = await self._context.in_thread(_function_names)
        return self._functions

    async def start(self, principal: Principal, statement: Statement, spool: Path) -> RunningStatement:
        """Hand the statement to a process of its own."""
        if statement.session:
            words = f"DuckDB has no session properties here: {', '.join(sorted(statement.session))[:200]}."
            return RefusedStatement(QueryStatus("failed", error=QueryError(words, "input")))
        scratch = await self._context.in_thread(self._scratch)
        job = self._job(self._grants(principal), principal, statement, spool, scratch)
        worker = await taken(self._context, self._workers)
        running = RunningInWorker(worker, job, self._settings.time_limit, self._context.log, self._count_for)
        self._running.add(running)
        follow = asyncio.create_task(self._follow(running))
        self._following.add(follow)
        follow.add_done_callback(self._following.discard)
        return running

    async def health(self) -> HealthReport:
        """Whether each catalog can be read, and the tables' files are there."""
        return await self._context.in_thread(self._checkup.round)

    async def close(self) -> None:
        """End every statement, and wait until all are gone."""
        await asyncio.gather(*(running.stop() for running in self._running))

    async def cool(self) -> None:
        """Let go of what nobody needed for long; called now and then."""
        await self._context.in_thread(self._workers.cool)

    async def _follow(self, running: RunningInWorker) -> None:
        await running.gone.wait()
        self._running.discard(running)

    def _count_for(self) -> float:
        counting = sum(running.counting for running in self._running)
        return self._settings.count_limit if counting <= COUNTING else 0.0

    def _scratch(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="statement-", dir=self._context.data_dir))

    def _job(self, grants: Grants, principal: Principal, statement: Statement, spool: Path, scratch: Path) -> Job:
        settings, queries = self._settings, self._context.settings.queries
        return Job(
            sql=statement.sql,
            spool=str(spool),
            scratch=str(scratch),
            limits=Limits(
                memory=settings.memory_limit,
                threads=settings.threads,
                temp=settings.temp_limit,
                rows=statement.row_limit,
                spool=queries.result_limit,
                cell=queries.cell_limit,
            ),
            catalogs={name: catalog.as_properties() for name, catalog in settings.catalogs.items()},
            grants=grants.as_json(),
            user=principal.username,
            catalog=statement.catalog,
            schema=statement.schema,
            count=settings.count_limit > 0,
            parameters=dict(statement.parameters),
        )

    def _grants(self, principal: Principal) -> Grants:
        return self._context.settings.access.grants(principal)


def _function_names() -> Sequence[str]:
    import duckdb

    from openlakes_portal_trino.embedded.statement import REFUSED_FUNCTIONS, TABLE_FUNCTIONS

    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(
            "SELECT DISTINCT function_name, function_type FROM duckdb_functions() WHERE function_type <> 'pragma'"
        ).fetchall()
    callable_ = {name for name, kind in rows if not kind.startswith("table") or name in TABLE_FUNCTIONS}
    return tuple(sorted(name for name in callable_ - REFUSED_FUNCTIONS if name[0].isalpha()))
