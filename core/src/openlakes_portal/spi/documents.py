"""A plugin's own small records: JSON documents in the portal's database, each with an owner and a version.

For things that people make (saved queries, drafts, settings of theirs) and pointers to long work. Not for bulk data.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from openlakes_portal.spi.http import Listing


@dataclass(frozen=True)
class Document:
    """A stored document: `owner` is `Principal.identity` of who made it or was given it, `owner_name` the user name of
    that person now (None: never seen here), `version` changes with each write."""

    id: str
    owner: str
    version: int
    created_at: datetime
    updated_at: datetime
    data: dict[str, Any]
    owner_name: str | None = None


class Documents(Protocol):
    """One collection of a plugin. Writes are atomic; a wrong `expected_version` raises `PreconditionFailed`."""

    async def get(self, id: str) -> Document | None:
        """The document, or None."""

    async def create(self, data: dict[str, Any], *, owner: str, id: str | None = None) -> Document:
        """A new document; an `id` that exists raises `Conflict`. At most 1 MiB as JSON (`InvalidInput`)."""

    async def update(self, id: str, data: dict[str, Any], *, expected_version: int | None = None) -> Document:
        """Replace the data; `NotFound` where it does not exist."""

    async def delete(self, id: str, *, expected_version: int | None = None) -> bool:
        """Remove it; False where it was not there."""

    async def list(
        self, *, owner: str | None = None, limit: int = 50, cursor: str | None = None, newest_first: bool = True
    ) -> Listing[Document]:
        """Documents by time of creation, of one owner or of all."""

    async def prune(self, *, owner: str, keep: int) -> int:
        """Remove the oldest of an owner beyond `keep`; returns how many went."""
