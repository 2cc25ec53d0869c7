"""A query that has not ended: waiting for its turn, or running in its engine."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
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

Keep = Callable[[], Coroutine[None, None, None]]
"""Puts the result where it stays. Raises `PortalError` where that cannot be done."""

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
        self._keeping: asyncio.Task[None] | None = None
        self._stopping = False
        self._final: QueryStatus | None = None
        self._started = asyncio.Event()
        self.ended = asyncio.Event()

    @property
    def status(self) -> QueryStatus:
        """The newest known status; it is finished once its result is kept, too."""
        if self._final is not None:
            return self._final
        status = self._running.status() if self._running is not None else QUEUED
        return replace(status, state="running") if status.state == "finished" else status

    @property
    def statement(self) -> RunningStatement | None:
        """What the engine runs or ran; None before it began."""
        return self._running

    def touch(self) -> None:
        """Somebody is interested."""
        self.seen = time.monotonic()

    async def run(self, engine: SqlEngine, began: Callable[[], Awaitable[None]], keep: Keep) -> QueryStatus:
        """Wait for the turn, run, keep the result, and return the final status."""
        try:
            async with self._turns.turn(self.document.owner, self.turn):
                status = await self._in_engine(engine, began)
                self._final = await self._kept(status, keep) if status.state == "finished" else status
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

    async def _kept(self, status: QueryStatus, keep: Keep) -> QueryStatus:
        self._keeping = asyncio.create_task(keep())
        try:
            await self._keeping
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return replace(status, state="cancelled", error=QueryError("Stopped.", "cancelled"))
        except PortalError as error:
            words = f"The statement has run, but its result could not be kept. {error.detail} {error.remedy or ''}"
            return replace(status, state="failed", error=QueryError(words.strip(), "engine"))
        return status

    async def wait(self, seen: QueryStatus, at_most: float) -> QueryStatus:
        """The status once it differs from `seen` in what is in the spool or in its state, or after `at_most`."""
        if self._running is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_most):
                    await self._started.wait()
            return self.status
        if self._running.status().done:  # what is left is its result's way to where it stays
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_most):
                    await self.ended.wait()
        else:
            await self._running.wait(seen, at_most)
        return self.status

    async def stop(self, cause: StopCause = "request") -> QueryStatus:
        """Stop it, and return once it is over; the first `cause` is kept. What waits never begins; what is about to
        begin is stopped by `run` itself as soon as there is a handle, whether somebody still waits here or not."""
        self.cause = self.cause or cause
        self._stopping = True
        self._turns.withdraw(self.turn)
        if self._keeping is not None:
            self._keeping.cancel()
        if self._running is not None and not self.status.done:
            await self._running.stop()
        await self.ended.wait()
        return self.status
