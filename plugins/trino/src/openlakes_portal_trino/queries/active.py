"""A query that has not ended: waiting for its turn, or running in its engine."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from openlakes_portal.spi import (
    Document,
    Logger,
    PortalError,
    Principal,
    QueryError,
    QueryStatus,
    RunningStatement,
    SqlEngine,
)
from openlakes_portal_trino.queries.ending import StopCause
from openlakes_portal_trino.queries.record import QueryRecord
from openlakes_portal_trino.queries.turns import Turns

QUEUED = QueryStatus("queued")
STOPPED = QueryStatus("cancelled", error=QueryError("Stopped before it began.", "cancelled"))


class ActiveQuery:
    """Runs one query to its end. `seen` is when somebody last followed it (monotonic seconds), `asked` how often its
    owner asked for it; to read on in a result that is open already is not asking."""

    def __init__(
        self, document: Document, record: QueryRecord, principal: Principal, spool: Path, turns: Turns, log: Logger
    ) -> None:
        self.document = document
        self.record = record
        self.principal = principal
        self.spool = spool
        self._turns = turns
        self._log = log
        self.seen = time.monotonic()
        self.asked = 0
        self.cause: StopCause | None = None
        self.turn = asyncio.Event()
        self._running: RunningStatement | None = None
        self._stopping = False
        self._final: QueryStatus | None = None
        self._started = asyncio.Event()
        self.ended = asyncio.Event()

    @property
    def status(self) -> QueryStatus:
        """The newest known status."""
        if self._final is not None:
            return self._final
        return self._running.status() if self._running is not None else QUEUED

    @property
    def statement(self) -> RunningStatement | None:
        """What the engine runs or ran; None before it began."""
        return self._running

    def touch(self) -> None:
        """Somebody is interested."""
        self.seen = time.monotonic()

    async def run(self, engine: SqlEngine, began: Callable[[], Awaitable[None]]) -> QueryStatus:
        """Wait for the turn, run, and return the final status."""
        try:
            async with self._turns.turn(self.document.owner, self.turn):
                self._final = await self._in_engine(engine, began)
        finally:
            self._started.set()
            self.ended.set()
        return self._final

    async def _in_engine(self, engine: SqlEngine, began: Callable[[], Awaitable[None]]) -> QueryStatus:
        if self._stopping:
            return STOPPED
        try:
            await began()
            self._running = await engine.start(self.principal, self.record.statement(), self.spool)
        except PortalError as error:
            return QueryStatus("failed", error=QueryError(f"{error.detail} {error.remedy or ''}".strip(), "engine"))
        except Exception as error:  # whatever an engine raises, this query has failed and no other
            self._log.error("an SQL engine raised", engine=engine.id, error=repr(error))
            return QueryStatus("failed", error=QueryError("The engine failed to start the statement.", "engine"))
        self._started.set()
        if self._stopping:  # it was asked for while the engine started; whoever asked may be gone
            await self._running.stop()
        status = self._running.status()
        while not status.done:
            status = await self._running.wait(status, 30.0)
        return status

    async def wait(self, seen: QueryStatus, at_most: float) -> QueryStatus:
        """The status once it differs from `seen` in what is in the spool or in its state, or after `at_most`."""
        if self._running is None:
            try:
                async with asyncio.timeout(at_most):
                    await self._started.wait()
            except TimeoutError:
                pass
            return self.status
        if self._final is None:
            await self._running.wait(seen, at_most)
        return self.status

    async def stop(self, cause: StopCause = "request") -> QueryStatus:
        """Stop it, and return once it is over; the first `cause` is kept. What waits never begins; what is about to
        begin is stopped by `run` itself as soon as there is a handle, whether somebody still waits here or not."""
        self.cause = self.cause or cause
        self._stopping = True
        self._turns.withdraw(self.turn)
        if self._running is not None and not self.status.done:
            await self._running.stop()
        await self.ended.wait()
        return self.status
