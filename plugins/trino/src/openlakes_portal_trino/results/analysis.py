"""Statistics of a stored result, computed in a worker process like any statement, with its limits."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from openlakes_portal.spi import InvalidInput, Unavailable
from openlakes_portal.spi.context import Context
from openlakes_portal_trino.access import Grants
from openlakes_portal_trino.embedded.job import Job, Limits
from openlakes_portal_trino.embedded.process import Workers
from openlakes_portal_trino.embedded.running import RunningInWorker, taken
from openlakes_portal_trino.queries.record import ColumnView
from openlakes_portal_trino.results.questions import statistics
from openlakes_portal_trino.settings import MIB, Settings

T = TypeVar("T")
SECONDS = 30.0
ANSWER_BYTES = 64 * MIB


class ColumnStatistics(BaseModel):
    """What a column holds; `distinct` is an estimate; least and greatest as text."""

    name: str
    type: str
    rows: int
    nulls: int
    distinct: int = Field(description="About how many different values")
    least: str | None
    greatest: str | None
    mean: float | None


AT_ONCE = 2
"""Questions answered at the same time; each may take as much memory as a statement. More wait for their turn."""


class ResultAnalyst:
    """Asks questions about result files."""

    def __init__(self, context: Context[Settings], workers: Workers) -> None:
        self._context = context
        self._workers = workers
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def statistics(self, path: Path, columns: list[ColumnView]) -> list[ColumnStatistics]:
        """Of each column, as far as there are not too many."""
        numeric = await self._context.in_thread(_numeric, path)
        rows = await self._ask(path, statistics(numeric), _json_rows)
        found: list[ColumnStatistics] = []
        for index, rows_, nulls, distinct, least, greatest, mean in sorted(rows, key=lambda row: int(row[0])):
            found.append(
                ColumnStatistics(
                    name=columns[int(index)].name,
                    type=columns[int(index)].type,
                    rows=int(rows_),
                    nulls=int(nulls),
                    distinct=int(distinct),
                    least=least,
                    greatest=greatest,
                    mean=mean if isinstance(mean, float) else None,
                )
            )
        return found

    async def _ask(self, path: Path, sql: str, read: Callable[[Path], T]) -> T:
        folder = self._context.data_dir
        scratch = Path(await self._context.in_thread(lambda: tempfile.mkdtemp(prefix="question-", dir=folder)))
        with tempfile.TemporaryDirectory(prefix="answer-", dir=folder) as answers:
            spool = Path(answers) / "answer.arrow"
            async with self._turns:
                return await self._in_worker(path, sql, read, spool, scratch)

    async def _in_worker(self, path: Path, sql: str, read: Callable[[Path], T], spool: Path, scratch: Path) -> T:
        worker = await taken(self._context, self._workers)
        running = RunningInWorker(worker, self._job(path, sql, spool, scratch), SECONDS, self._context.log)
        try:
            await self._finished(running)
            return await self._context.in_thread(read, spool)
        finally:
            await running.stop()

    async def _finished(self, running: RunningInWorker) -> None:
        status = running.status()
        while not status.done:
            status = await running.wait(status, SECONDS)
        if status.error is not None:
            if status.error.kind in ("resources", "timeout"):
                raise Unavailable(f"The result is too large for this: {status.error.message}", retry_after=None)
            raise InvalidInput(status.error.message)

    def _job(self, path: Path, sql: str, spool: Path, scratch: Path) -> Job:
        settings = self._context.settings
        limits = Limits(
            memory=settings.duckdb.memory_limit,
            threads=settings.duckdb.threads,
            temp=settings.duckdb.temp_limit,
            rows=None,
            spool=ANSWER_BYTES,
            cell=settings.queries.cell_limit,
        )
        return Job(
            sql=sql,
            spool=str(spool),
            scratch=str(scratch),
            limits=limits,
            catalogs={},
            grants=Grants().as_json(),
            user="",
            result=str(path),
        )


def _json_rows(path: Path) -> list[list[Any]]:
    import pyarrow as pa

    from openlakes_portal_trino.results.values import json_values

    rows: list[list[Any]] = []
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            rows += [list(row) for row in zip(*(json_values(column) for column in batch.columns), strict=True)]
    return rows


def _numeric(path: Path) -> list[bool]:
    import pyarrow as pa

    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        return [any(check(field.type) for check in checks) for field in reader.schema]
