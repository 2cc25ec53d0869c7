"""Counting on: rows that a finished query's result had no room for, where its engine can tell their number later.

A query whose rows are being counted has ended for everybody: it takes nobody's turn, its result can be read. The count
ends by itself within seconds, and is ended by whatever would have stopped the query.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

from openlakes_portal.spi import Principal, QueryStatus, RunningStatement


@runtime_checkable
class CountsOn(Protocol):
    """A `RunningStatement` that goes on to count after it has finished, until it is stopped."""

    async def total_rows(self) -> int | None:
        """Rows of the whole result, once it is known or nobody counts any more (None)."""

    async def stop(self) -> QueryStatus:
        """Count no more."""


def may_be_counted(statement: RunningStatement | None, status: QueryStatus) -> TypeGuard[CountsOn]:
    """Whether a query has ended and its engine may yet say how many rows there are."""
    return status.state == "finished" and status.total_rows is None and isinstance(statement, CountsOn)


@dataclass(frozen=True)
class _Count:
    principal: Principal
    statement: CountsOn
    task: asyncio.Task[None]


class Counts:
    """What is being counted, by the id of the query."""

    def __init__(self, store: Callable[[str, int], Awaitable[None]]) -> None:
        self._store = store
        self._counts: dict[str, _Count] = {}

    def __contains__(self, id: str) -> bool:
        """Whether the rows of this query are being counted."""
        return id in self._counts

    def begin(self, id: str, principal: Principal, statement: RunningStatement | None, status: QueryStatus) -> None:
        """Wait for the count of a query that has ended just now, where there is one, and store it."""
        if may_be_counted(statement, status):
            task = asyncio.create_task(self._follow(id, statement))
            self._counts[id] = _Count(principal, statement, task)

    async def end(self, unwanted: Callable[[str, Principal], bool]) -> None:
        """Count no more for the queries (id, whose) that are `unwanted`; returns once that is so."""
        ending = [count for id, count in self._counts.items() if unwanted(id, count.principal)]
        await asyncio.gather(*(count.statement.stop() for count in ending))
        if ending:
            await asyncio.wait([count.task for count in ending])

    async def _follow(self, id: str, statement: CountsOn) -> None:
        try:
            total = await statement.total_rows()
            if total is not None:
                await self._store(id, total)
        finally:
            del self._counts[id]
