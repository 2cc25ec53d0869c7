"""A result that is read while it may still be written: bytes as they become complete."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from openlakes_portal.spi import Conflict
from openlakes_portal.spi.sql import QueryState
from openlakes_portal_trino.queries.active import ActiveQuery

CHUNK = 1024 * 1024
PATIENCE = 30.0

InThread = Callable[..., Awaitable[Any]]


class ResultBroken(Exception):
    """The query did not end well after its result had begun to be sent: the connection is cut, not closed nicely."""


@dataclass(frozen=True)
class FollowedResult:
    """A result file, and the query that writes it (None: it is complete)."""

    path: Path
    writer: ActiveQuery | None

    async def size(self, more_than: int) -> int:
        """Complete bytes, once there are more than `more_than` or there will be no more. Raises `ResultBroken`."""
        if self.writer is None:
            return self.path.stat().st_size
        while True:
            self.writer.touch()
            status = self.writer.status
            if status.state in ("failed", "cancelled"):
                raise ResultBroken(status.error.message if status.error else status.state)
            if status.done or status.bytes > more_than:
                return status.bytes
            await self.writer.wait(status, PATIENCE / 3)

    async def ready(self) -> None:
        """Returns once the file begins to exist. Raises `Conflict` where the query ended without a result."""
        try:
            await self.size(0)
        except ResultBroken as error:
            raise no_result(self.writer.status.state if self.writer else "failed", str(error)) from error

    async def chunks(self, in_thread: InThread) -> AsyncIterator[bytes]:
        """The file's bytes, each as soon as the message that it belongs to is complete."""
        await self.ready()
        file: BinaryIO = await in_thread(open, self.path, "rb")
        try:
            sent = 0
            while (complete := await self.size(sent)) > sent:
                while sent < complete:
                    chunk = await in_thread(file.read, min(CHUNK, complete - sent))
                    sent += len(chunk)
                    yield chunk
        finally:
            await in_thread(file.close)


def no_result(state: QueryState, words: str) -> Conflict:
    """For a query that has no result, in its own words."""
    return Conflict(f"The query has no result: it is {state}. {words}".strip(), remedy="Run it again.")
