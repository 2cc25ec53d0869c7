"""Work that one replica does for all: the leader's jobs, each from time to time.

The lease lasts 10 s and is renewed every 3; a replica that looks every 3 s follows a dead leader within 13 s. A leader
whose renewal fails leads no more: its jobs are cancelled before its lease can be another's.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

import structlog

from openlakes_portal._store.database import Database, in_background
from openlakes_portal._store.lease import Lease

LEASE = 10.0
RENEW = 3.0
TICK = 0.5
FIRST = 10.0
"""Longest wait before a job's first run; a start has no time for any."""
log = structlog.get_logger("leader")


@dataclass(frozen=True)
class Job:
    """Something to do every so many seconds. It must bear to be cancelled, and to be begun again elsewhere."""

    name: str
    every: float
    run: Callable[[], Awaitable[object]]


class Leader:
    """This process's candidacy, and the jobs it does while it leads."""

    def __init__(self, database: Database, jobs: list[Job]) -> None:
        self._lease = Lease(database, "leader", uuid4().hex, LEASE)
        self._jobs = jobs
        self._task: asyncio.Task[None] | None = None
        self.leading = False

    def start(self) -> None:
        """Stand for it from now on."""
        self._task = asyncio.create_task(self._stand())

    async def stop(self) -> None:
        """End the jobs and give the lease to whoever is there."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.leading:
            self.leading = False
            with contextlib.suppress(Exception):
                await self._lease.release()

    async def _stand(self) -> None:
        in_background.set(True)
        work: asyncio.Task[None] | None = None
        try:
            while True:
                self.leading = await self._take()
                if self.leading and work is None:
                    log.info("this process leads")
                    work = asyncio.create_task(self._work())
                elif not self.leading and work is not None:
                    log.warning("this process leads no more")
                    await _ended(work)
                    work = None
                await asyncio.sleep(RENEW)
        finally:
            if work is not None:
                await _ended(work)

    async def _take(self) -> bool:
        try:
            async with asyncio.timeout(LEASE - RENEW - 1):
                return await self._lease.take()
        except Exception as error:
            log.warning("the lease cannot be had", error=repr(error))
            return False

    async def _work(self) -> None:
        due = {job: time.monotonic() + min(job.every, FIRST) for job in self._jobs}
        while True:
            for job in self._jobs:
                if due[job] > time.monotonic():
                    continue
                try:
                    await job.run()
                except Exception as error:
                    log.error("a job of the leader failed", job=job.name, error=repr(error))
                due[job] = time.monotonic() + job.every
            await asyncio.sleep(TICK)


async def _ended(work: "asyncio.Task[None]") -> None:
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
