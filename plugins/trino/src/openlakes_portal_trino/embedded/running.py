"""A statement that runs in a worker: its status, its time limit, its end, whatever that is."""

import asyncio
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from openlakes_portal.spi import Logger, QueryError, QueryStatus
from openlakes_portal.spi.context import Context
from openlakes_portal_trino.embedded.job import Job, Message
from openlakes_portal_trino.embedded.process import Worker, Workers
from openlakes_portal_trino.live import LiveStatus
from openlakes_portal_trino.settings import Settings


class RunningInWorker:
    """Implements `RunningStatement`. One worker, one statement; the worker's end is the proof of the statement's.

    A result that was cut is finished as soon as it is complete; the worker then counts the remaining rows for as many
    seconds as `count_for` says, which `total_rows` waits for and `stop` ends.
    """

    def __init__(
        self, worker: Worker, job: Job, time_limit: float, log: Logger, count_for: Callable[[], float] | None = None
    ) -> None:
        self._worker = worker
        self._job = job
        self._log = log
        self._began = time.monotonic()
        self._live = LiveStatus(QueryStatus("running", engine_query_id=f"worker-{worker.pid}"))
        self._gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._count_for = count_for
        self._said: Message | None = None
        self._total: int | None = None
        self._reason: QueryError | None = None
        self._timer = self._loop.call_later(time_limit, self._out_of_time, time_limit)
        worker.begin(job, self._on_message, self._on_end)

    @property
    def counting(self) -> bool:
        """Whether the result is complete, and the rows that it has no room for are being counted."""
        return self._said is not None and self._said.counting and not self._gone.is_set()

    async def total_rows(self) -> int | None:
        """Rows of the whole result, once it is known or nobody counts any more."""
        await self._gone.wait()
        return self._total

    @property
    def gone(self) -> asyncio.Event:
        """Set once the process has ended."""
        return self._gone

    def status(self) -> QueryStatus:
        """The newest known status."""
        return replace(self._live.now, elapsed=self._elapsed())

    async def wait(self, seen: QueryStatus, at_most: float) -> QueryStatus:
        """The status once it differs from `seen`, or after `at_most` seconds the same one again."""
        await self._live.wait(replace(seen, elapsed=self._live.now.elapsed), at_most)
        return self.status()

    async def stop(self) -> QueryStatus:
        """Kill the worker and wait until the kernel says that it is gone."""
        self._end(QueryError("Stopped.", "cancelled"))
        await self._gone.wait()
        return self.status()

    def _elapsed(self) -> float:
        status = self._live.now
        return status.elapsed if status.done else time.monotonic() - self._began

    def _bound_the_counting(self) -> None:
        self._timer.cancel()
        seconds = self._count_for() if self._count_for is not None else 0.0
        self._timer = self._loop.call_later(seconds, self._worker.kill)

    def _out_of_time(self, limit: float) -> None:
        self._end(QueryError(f"The statement was ended after {limit:g} seconds, the most it may take.", "timeout"))

    def _end(self, reason: QueryError) -> None:
        if self._reason is None:
            self._reason = reason
        self._worker.kill()

    def _on_message(self, message: Message) -> None:
        """From the worker's thread."""
        now = self._live.now
        if message.kind == "counted":
            self._total = message.rows
        elif self._said is not None:
            return  # whatever happens while it counts, the result is complete
        elif message.kind in ("finished", "failed"):
            self._said = message
            self._total = message.total
            if message.counting:
                self._live.publish(self._finished(message))
                self._loop.call_soon_threadsafe(self._bound_the_counting)
            elif message.kind == "finished":  # whoever follows reads the rest while the process ends
                self._live.publish(replace(now, rows=message.rows, bytes=message.bytes))
        elif message.kind == "columns":
            self._live.publish(replace(now, columns=message.columns, bytes=message.bytes))
        elif message.kind == "progress":
            progress = now.progress if message.progress is None else message.progress
            self._live.publish(replace(now, rows=message.rows, bytes=message.bytes, progress=progress))

    def _on_end(self, exit_status: int, words: str) -> None:
        """From the worker's thread, once the process is gone."""
        shutil.rmtree(Path(self._job.scratch), ignore_errors=True)
        self._live.publish(self._final(exit_status, words))
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._timer.cancel)
            self._loop.call_soon_threadsafe(self._gone.set)

    def _final(self, exit_status: int, words: str) -> QueryStatus:
        said = self._said
        if said is not None and said.kind == "finished":
            return self._finished(said)
        now = replace(self._live.now, elapsed=time.monotonic() - self._began)
        if self._reason is not None:
            if self._reason.kind == "cancelled":
                return replace(now, state="cancelled", error=self._reason)
            return replace(now, state="failed", error=self._reason)
        if said is not None:
            return replace(now, state="failed", error=said.error)
        self._log.error("a SQL worker died", exit_status=exit_status, words=words[-1000:])
        return replace(now, state="failed", error=_died(exit_status))

    def _finished(self, said: Message) -> QueryStatus:
        now = replace(self._live.now, elapsed=time.monotonic() - self._began)
        kept = replace(now, rows=said.rows, bytes=said.bytes, truncated=said.truncated, total_rows=said.total)
        return replace(kept, state="finished", progress=1.0)


async def taken(context: Context[Settings], workers: Workers) -> Worker:
    """A fresh worker; where nobody waits for it any more, it is ended again."""
    taking = asyncio.ensure_future(context.in_thread(workers.take))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        taking.add_done_callback(_discard)
        raise


def _discard(taking: "asyncio.Future[Worker]") -> None:
    if not taking.cancelled() and taking.exception() is None:
        taking.result().kill()


def _died(exit_status: int) -> QueryError:
    if exit_status == -signal.SIGKILL:
        how = "was killed by the machine, most likely because memory ran out"
    elif exit_status < 0:
        how = f"crashed ({signal.Signals(-exit_status).name})"
    else:
        how = f"ended by itself (status {exit_status})"
    return QueryError(f"The process that ran the statement {how}. Nothing else is affected; run it again.", "engine")
