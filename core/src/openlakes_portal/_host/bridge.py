"""Calls from a plugin's lane to what lives in the portal's own loop (the database's connections)."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from openlakes_portal._store.documents import StoredDocuments
from openlakes_portal.spi import Document, Listing

T = TypeVar("T")


async def on_loop(loop: asyncio.AbstractEventLoop, call: Coroutine[Any, Any, T]) -> T:
    """Await `call` in `loop`, from whatever loop is running."""
    if asyncio.get_running_loop() is loop:
        return await call
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, loop))


class BridgedDocuments:
    """Documents that can be used from any loop."""

    def __init__(self, stored: StoredDocuments, loop: asyncio.AbstractEventLoop) -> None:
        self._stored = stored
        self._loop = loop

    async def get(self, id: str) -> Document | None:
        """The document, or None."""
        return await on_loop(self._loop, self._stored.get(id))

    async def create(self, data: dict[str, Any], *, owner: str, id: str | None = None) -> Document:
        """A new document."""
        return await on_loop(self._loop, self._stored.create(data, owner=owner, id=id))

    async def update(self, id: str, data: dict[str, Any], *, expected_version: int | None = None) -> Document:
        """Replace the data."""
        return await on_loop(self._loop, self._stored.update(id, data, expected_version=expected_version))

    async def delete(self, id: str, *, expected_version: int | None = None) -> bool:
        """Remove it."""
        return await on_loop(self._loop, self._stored.delete(id, expected_version=expected_version))

    async def list(
        self, *, owner: str | None = None, limit: int = 50, cursor: str | None = None, newest_first: bool = True
    ) -> Listing[Document]:
        """One page."""
        call = self._stored.list(owner=owner, limit=limit, cursor=cursor, newest_first=newest_first)
        return await on_loop(self._loop, call)

    async def prune(self, *, owner: str, keep: int) -> int:
        """Remove the oldest beyond `keep`."""
        return await on_loop(self._loop, self._stored.prune(owner=owner, keep=keep))
