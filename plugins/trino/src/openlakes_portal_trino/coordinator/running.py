"""A statement that runs in Trino: pages are read in a worker thread and written to the spool as Arrow."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from trino.client import TrinoStatus
from trino.exceptions import TrinoQueryError

from openlakes_portal.spi import PortalError, QueryError, QueryStatus, ResultColumn
from openlakes_portal_trino.coordinator.connection import Connection, rows_of
from openlakes_portal_trino.coordinator.errors import translated
from openlakes_portal_trino.coordinator.values import Signature, arrow_type, column
from openlakes_portal_trino.live import LiveStatus
from openlakes_portal_trino.spool import SpoolLimits, SpoolWriter

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
        connection = self._connect()
        writer: _ResultWriter | None = None
        try:
            status = connection.begin(self._sql)
            writer = _ResultWriter(self._spool, self._limits)
            self._follow(connection, status, writer)
        except TrinoQueryError as error:
            self._fail(translated(error), error.query_id)
        except PortalError as error:
            self._fail(QueryError(f"{error.detail} {error.remedy or ''}".strip(), "engine"), None)
        except (pa.ArrowException, ValueError, TypeError, KeyError, OSError) as error:
            self._fail(QueryError(f"Trino's answer could not be kept: {str(error)[:300]}", "engine"), None)
        finally:
            if writer is not None:
                writer.close()
            connection.close()

    def _follow(self, connection: Connection, status: TrinoStatus, writer: "_ResultWriter") -> None:
        while True:
            self._next = status.next_uri
            full = not writer.write(status)
            self._publish(status, writer)
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
        size = writer.close()
        now = replace(self._live.now, elapsed=time.monotonic() - self._began, rows=writer.rows, bytes=size)
        total = writer.seen if status.next_uri is None else None  # Trino says of no result how many rows it has
        self._live.publish(replace(now, state="finished", progress=1.0, truncated=writer.truncated, total_rows=total))

    def _publish(self, status: TrinoStatus, writer: "_ResultWriter") -> None:
        stats: dict[str, Any] = dict(status.stats)
        percent = stats.get("progressPercentage")
        self._live.publish(
            replace(
                self._live.now,
                engine_query_id=status.id,
                progress=None if percent is None else percent / 100,
                rows=writer.rows,
                bytes=writer.bytes,
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


class _ResultWriter:
    """Pages into the spool; the file is opened once the columns are known."""

    def __init__(self, spool: Path, limits: SpoolLimits) -> None:
        self._spool = spool
        self._limits = limits
        self._writer: SpoolWriter | None = None
        self._signatures: list[Signature] = []
        self._schema: pa.Schema = pa.schema([])
        self._closed: int | None = None
        self.columns: tuple[ResultColumn, ...] = ()
        self.seen = 0
        """Rows of the pages so far, whether there was room for them or not."""

    @property
    def rows(self) -> int:
        """Rows in the spool."""
        return self._writer.rows if self._writer else 0

    @property
    def bytes(self) -> int:
        """Bytes of complete messages."""
        return self._writer.bytes if self._writer and self._closed is None else self._closed or 0

    @property
    def truncated(self) -> bool:
        """Whether something was left out."""
        return self._writer is not None and self._writer.truncated

    def write(self, status: TrinoStatus) -> bool:
        """One page; False once nothing more is wanted."""
        if self._writer is None and status.columns:
            self._open(status.columns)
        rows = rows_of(status)
        self.seen += len(rows)
        if self._writer is None or not rows:
            return True
        arrays = [
            column(values, signature)
            for values, signature in zip(zip(*rows, strict=True), self._signatures, strict=True)
        ]
        return self._writer.write(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def close(self) -> int:
        """End the stream; bytes of the whole file. A statement without columns leaves an empty result."""
        if self._closed is None:
            if self._writer is None:
                self._open([])
            assert self._writer is not None
            self._writer.close()
            self._closed = self._spool.stat().st_size
        return self._closed

    def _open(self, columns: list[dict[str, "Signature | str"]]) -> None:
        self._signatures = [_signature(one["typeSignature"]) for one in columns]
        self.columns = tuple(ResultColumn(str(one["name"]), str(one["type"])) for one in columns)
        fields = [(one.name, arrow_type(type_)) for one, type_ in zip(self.columns, self._signatures, strict=True)]
        self._schema = pa.schema(fields)
        self._writer = SpoolWriter(self._spool, self._schema, self._limits)


def _signature(raw: "Signature | str") -> Signature:
    if isinstance(raw, str):
        raise ValueError("Trino named a type without its signature")
    return raw
