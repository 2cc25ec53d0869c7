"""A statement that runs in Trino: pages are read in a worker thread and written to the spool as Arrow."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from trino.client import TrinoStatus
from trino.exceptions import TrinoQueryError

from openlakes_portal.spi import PortalError, QueryError, QueryStatus
from openlakes_portal_trino.coordinator.connection import Connection
from openlakes_portal_trino.coordinator.errors import translated
from openlakes_portal_trino.coordinator.reading import PageReader
from openlakes_portal_trino.coordinator.writing import ResultWriter
from openlakes_portal_trino.live import LiveStatus
from openlakes_portal_trino.spool import SpoolLimits

PROOF_WITHIN = 20.0
PROOF_EVERY = 0.05
STOPPED = QueryError("Stopped.", "cancelled")

Connect = Callable[[], Connection]


class RunningInTrino:
    """Implements `RunningStatement`."""

    def __init__(self, connect: Connect, sql: str, spool: Path, limits: SpoolLimits, executor: Executor) -> None:
        self._connect = connect
        self._sql = sql
        self._spool = spool
        self._limits = limits
        self._executor = executor
        self._began = time.monotonic()
        self._live = LiveStatus(QueryStatus("running"))
        self._stopping = threading.Event()
        self._next: str | None = None
        self._loop = asyncio.get_running_loop()
        self._reading = self._loop.run_in_executor(executor, self._read)

    def status(self) -> QueryStatus:
        """The newest known status."""
        now = self._live.now
        return now if now.done else replace(now, elapsed=time.monotonic() - self._began)

    async def wait(self, seen: QueryStatus, at_most: float) -> QueryStatus:
        """The status once it differs from `seen`, or after `at_most` seconds the same one again."""
        await self._live.wait(replace(seen, elapsed=self._live.now.elapsed), at_most)
        return self.status()

    async def stop(self) -> QueryStatus:
        """Cancel, and wait until Trino itself says that the query has ended."""
        self._stopping.set()
        if not self._live.now.done:
            await self._loop.run_in_executor(None, self._cancel)
        await asyncio.wait([self._reading])
        return self.status()

    def _cancel(self) -> None:
        connection = self._connect()
        try:
            if self._next is not None:
                connection.cancel(self._next)
            self._prove_ended(connection)
        except PortalError:
            pass  # the reading thread meets the same and says so
        finally:
            connection.close()

    def _prove_ended(self, connection: Connection) -> None:
        deadline = time.monotonic() + PROOF_WITHIN
        while time.monotonic() < deadline and not self._live.now.done:
            query_id = self._live.now.engine_query_id
            if query_id is not None and connection.has_ended(query_id):
                return
            time.sleep(PROOF_EVERY)

    def _read(self) -> None:
        """The worker thread: from the first page to the last."""
        if self._stopping.is_set():  # before it was sent
            self._fail(STOPPED, None)
            return
        writer = ResultWriter(self._spool, self._limits)
        try:
            with (
                closing(self._connect()) as connection,
                closing(PageReader(writer, connection.store(), self._stopping.is_set)) as reader,
            ):
                self._follow(connection, connection.begin(self._sql), reader, writer)
        except TrinoQueryError as error:
            self._fail(translated(error), error.query_id)
        except PortalError as error:
            self._fail(QueryError(f"{error.detail} {error.remedy or ''}".strip(), "engine"), None)
        except Exception as error:  # whatever a server sends or a value is, the statement comes to an end
            told = str(error)[:300] or type(error).__name__
            self._fail(QueryError(f"Trino's answer could not be kept: {told}", "engine"), None)
        finally:
            writer.release()

    def _follow(self, connection: Connection, status: TrinoStatus, reader: PageReader, writer: ResultWriter) -> None:
        while True:
            self._next = status.next_uri
            full = False
            if status.columns:
                writer.open(status.columns)
            self._publish(status, writer)
            for batch in reader.batches(status):
                full = not writer.write(batch)
                self._publish(status, writer)
                if full:
                    break
            if full and status.next_uri:
                connection.cancel(status.next_uri)
            if full or status.next_uri is None:
                break
            if self._stopping.is_set():
                connection.cancel(status.next_uri)
                self._prove_ended(connection)
                self._fail(STOPPED, status.id)
                return
            status = connection.follow(status.next_uri)
        if self._stopping.is_set() and not full and writer.rows < reader.seen:
            self._fail(STOPPED, status.id)
            return
        size = writer.close()
        now = replace(self._live.now, elapsed=time.monotonic() - self._began, rows=writer.rows, bytes=size)
        total = reader.seen if status.next_uri is None else None  # Trino says of no result how many rows it has
        self._live.publish(replace(now, state="finished", progress=1.0, truncated=writer.truncated, total_rows=total))

    def _publish(self, status: TrinoStatus, writer: ResultWriter) -> None:
        stats: dict[str, Any] = dict(status.stats)
        percent = stats.get("progressPercentage")
        self._live.publish(
            replace(
                self._live.now,
                engine_query_id=status.id,
                progress=None if percent is None else percent / 100,
                rows=writer.rows,
                bytes=writer.size,
                columns=writer.columns,
                rows_read=stats.get("processedRows"),
                bytes_read=stats.get("processedBytes"),
                splits_done=stats.get("completedSplits"),
                splits_total=stats.get("totalSplits"),
            )
        )

    def _fail(self, error: QueryError, query_id: str | None) -> None:
        now = replace(self._live.now, elapsed=time.monotonic() - self._began)
        known = now.engine_query_id or query_id
        if self._stopping.is_set():
            self._live.publish(replace(now, state="cancelled", error=STOPPED, engine_query_id=known))
        else:
            self._live.publish(replace(now, state="failed", error=error, engine_query_id=known))
