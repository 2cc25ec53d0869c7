"""Reads, counted: one record for each session or API token and interval says how often which route was read. Nothing is
written for a single read, and nothing waits for it."""

import asyncio
from collections import Counter

import structlog

from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.record import Entry
from openlakes_portal._http.request_id import new_request_id
from openlakes_portal.spi import Principal

MAX_READERS = 10_000
MAX_ROUTES = 200
ACTION = "core.read.counted"
log = structlog.get_logger("audit")


class ReadCounter:
    """Counts in memory, writes from time to time. What a killed process had counted is lost."""

    def __init__(self, written: AuditLog, seconds: float) -> None:
        self._log = written
        self._seconds = seconds
        self._counts: dict[tuple[str, str | None], tuple[Principal, Counter[str]]] = {}
        """By person and session: what a token reads is not put down to its owner's browser."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Write every so many seconds; 0 is never."""
        if self._seconds > 0:
            self._task = asyncio.create_task(self._write_on())

    async def stop(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self.write()

    def count(self, principal: Principal, route: str) -> None:
        """One read."""
        if self._seconds <= 0:
            return
        key = (principal.identity, principal.session_id)
        held = self._counts.get(key)
        if held is None:
            if len(self._counts) >= MAX_READERS:
                return
            held = self._counts[key] = (principal, Counter())
        if route in held[1] or len(held[1]) < MAX_ROUTES:
            held[1][route] += 1

    async def write(self) -> None:
        """A record for each session that read something since the last time."""
        counts, self._counts = self._counts, {}
        for principal, counter in counts.values():
            details = {route: str(number) for route, number in counter.most_common()}
            try:
                entry = Entry(ACTION, new_request_id(), principal, "", None, details)
                await self._log.write(entry, "event", f"{counter.total()} reads")
            except Exception as error:
                log.warning("reads could not be recorded", error=repr(error))
                return

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.write()
