"""Plugins' own records (spi.documents) in the portal's database. The plugin's id is fixed here, not by the caller."""

import json
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError

from openlakes_portal._store.clock import now, sortable_id
from openlakes_portal._store.database import Database
from openlakes_portal._store.names import names_of
from openlakes_portal._store.tables import documents
from openlakes_portal.spi import BadRequest, Conflict, Document, InvalidInput, Listing, NotFound, PreconditionFailed

MAX_DOCUMENT = 1024 * 1024
MAX_PAGE = 500
ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
COLLECTION = re.compile(r"^[a-z][a-z0-9-]{0,63}$")


class StoredDocuments:
    """One collection of one plugin."""

    def __init__(self, database: Database, plugin: str, collection: str) -> None:
        if not COLLECTION.match(collection):
            raise ValueError(f"collection {collection!r} is not a lower-case name of at most 64 characters")
        self._database = database
        self._plugin = plugin
        self._collection = collection
        self._here = and_(documents.c.plugin == plugin, documents.c.collection == collection)

    async def get(self, id: str) -> Document | None:
        """The document, or None."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(documents).where(self._here, documents.c.id == id))).first()
            names = await names_of(connection, {row.owner}) if row else {}
        return _document(row, names) if row else None

    async def create(self, data: dict[str, Any], *, owner: str, id: str | None = None) -> Document:
        """A new document."""
        _check_size(data)
        sequence = sortable_id()
        id = sequence if id is None else id
        if not ID.match(id):
            raise InvalidInput(f"The id {id[:80]!r} is not 1 to 64 letters, digits, '.', '_' or '-'.")
        moment = now()
        values = {
            "plugin": self._plugin,
            "collection": self._collection,
            "id": id,
            "owner": owner,
            "version": 1,
            "created_at": moment,
            "updated_at": moment,
            "sequence": sequence,
            "data": data,
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(documents).values(values))
        except IntegrityError as error:
            raise Conflict(f"There is a document {id!r} already.") from error
        return Document(id, owner, 1, moment, moment, data)

    async def update(self, id: str, data: dict[str, Any], *, expected_version: int | None = None) -> Document:
        """Replace the data."""
        _check_size(data)
        async with self._database.write() as connection:
            row = (await connection.execute(select(documents).where(self._here, documents.c.id == id))).first()
            if row is None:
                raise NotFound(f"There is no document {id!r}.")
            _check_version(row, expected_version)
            moment = now()
            values = {"data": data, "version": row.version + 1, "updated_at": moment}
            changed = await connection.execute(
                update(documents)
                .where(self._here, documents.c.id == id, documents.c.version == row.version)
                .values(values)
            )
            if changed.rowcount != 1:
                raise PreconditionFailed("Somebody else changed it meanwhile.")
            names = await names_of(connection, {row.owner})
        name = names[row.owner][0] if row.owner in names else None
        return Document(id, row.owner, row.version + 1, row.created_at, moment, data, name)

    async def delete(self, id: str, *, expected_version: int | None = None) -> bool:
        """Remove it."""
        async with self._database.write() as connection:
            row = (await connection.execute(select(documents).where(self._here, documents.c.id == id))).first()
            if row is None:
                return False
            _check_version(row, expected_version)
            gone = await connection.execute(
                delete(documents).where(self._here, documents.c.id == id, documents.c.version == row.version)
            )
            return gone.rowcount == 1

    async def list(
        self, *, owner: str | None = None, limit: int = 50, cursor: str | None = None, newest_first: bool = True
    ) -> Listing[Document]:
        """One page, by time of creation."""
        limit = max(1, min(limit, MAX_PAGE))
        query = select(documents).where(self._here)
        if owner is not None:
            query = query.where(documents.c.owner == owner)
        if cursor is not None:
            if not ID.match(cursor):
                raise BadRequest("The cursor is none of ours.")
            after = documents.c.sequence < cursor if newest_first else documents.c.sequence > cursor
            query = query.where(after)
        order = documents.c.sequence.desc() if newest_first else documents.c.sequence
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(order).limit(limit + 1))).all()
            names = await names_of(connection, {row.owner for row in rows})
        following = rows[limit - 1].sequence if len(rows) > limit else None
        return Listing([_document(row, names) for row in rows[:limit]], following)

    async def prune(self, *, owner: str, keep: int) -> int:
        """Remove the oldest of an owner beyond `keep`."""
        async with self._database.write() as connection:
            oldest = (
                await connection.execute(
                    select(documents.c.sequence)
                    .where(self._here, documents.c.owner == owner)
                    .order_by(documents.c.sequence.desc())
                    .offset(keep)
                    .limit(1)
                )
            ).scalar()
            if oldest is None:
                return 0
            gone = await connection.execute(
                delete(documents).where(self._here, documents.c.owner == owner, documents.c.sequence <= oldest)
            )
            return gone.rowcount


def _document(row: Row[Any], names: Mapping[str, tuple[str, str]]) -> Document:
    name = names[row.owner][0] if row.owner in names else None
    return Document(row.id, row.owner, row.version, row.created_at, row.updated_at, row.data, name)


def _check_version(row: Row[Any], expected: int | None) -> None:
    if expected is not None and row.version != expected:
        raise PreconditionFailed(
            f"It is at version {row.version}, not {expected}.", remedy="Load it again and repeat the change."
        )


def _check_size(data: dict[str, Any]) -> None:
    try:
        size = len(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"The document cannot be stored as JSON: {error}") from error
    if size > MAX_DOCUMENT:
        raise InvalidInput(f"The document has {size} bytes as JSON; {MAX_DOCUMENT} are allowed.")
