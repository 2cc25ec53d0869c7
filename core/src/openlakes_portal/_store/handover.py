"""What somebody owns of the plugins' records, and giving it to somebody else."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._store.tables import documents

Collections = Sequence[tuple[str, str]]
"""Pairs of plugin and collection."""


def _theirs(collections: Collections, owner: str) -> ColumnElement[bool]:
    return (documents.c.owner == owner) & tuple_(documents.c.plugin, documents.c.collection).in_(collections)


async def owned(
    connection: AsyncConnection, collections: Collections, owner: str, start: int, limit: int
) -> Sequence[Row[Any]]:
    """Records of an owner, newest first."""
    query = select(documents).where(_theirs(collections, owner)).order_by(documents.c.sequence.desc())
    return (await connection.execute(query.offset(start).limit(limit))).all()


async def hand_over(
    connection: AsyncConnection, collections: Collections, giver: str, taker: str, *, dry_run: bool = False
) -> int:
    """Make all of it somebody else's, as a change of each record; returns how many (or, dry, how many it would be)."""
    theirs = _theirs(collections, giver)
    if dry_run:
        return int((await connection.execute(select(func.count()).select_from(documents).where(theirs))).scalar() or 0)
    values = {"owner": taker, "version": documents.c.version + 1}
    return (await connection.execute(update(documents).where(theirs).values(values))).rowcount
