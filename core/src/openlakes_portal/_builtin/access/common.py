"""What the routes of access share: versions, cursors, finding people."""

from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._store.identity_tables import people
from openlakes_portal.spi import BadRequest, NotFound, PortalError, PreconditionFailed, Request


class PreconditionRequired(PortalError):
    """A change of something that people edit must say which version it changes (RFC 6585, section 3)."""

    status = 428
    title = "Say which version"


def check_version(request: Request, version: int) -> None:
    """Raises unless `If-Match` names the current version."""
    sent = request.if_match
    if sent is None:
        raise PreconditionRequired("If-Match is missing.", remedy="Send the version that ETag named.")
    if sent != str(version):
        raise PreconditionFailed(
            f"It is at version {version}, not {sent[:20]}.", remedy="Load it again and repeat the change."
        )


def as_stored(row: Row[Any]) -> dict[str, Any]:
    """A row for the audit record of its change."""
    return dict(row._mapping)


def offset_of(cursor: str | None) -> int:
    """Where a page of a list in memory begins."""
    if cursor is None:
        return 0
    if not cursor.isdecimal() or not cursor.isascii() or len(cursor) > 9:
        raise BadRequest("The cursor is none of ours.")
    return int(cursor)


def is_person(name: str) -> ColumnElement[bool]:
    """The row of a user name, or of issuer#subject."""
    issuer, mark, subject = name.partition("#")
    if mark:
        return (people.c.issuer == issuer) & (people.c.subject == subject)
    return people.c.username == name


async def person(connection: AsyncConnection, name: str) -> Row[Any]:
    """Somebody who was seen. Raises `NotFound`."""
    row = (await connection.execute(select(people).where(is_person(name)))).first()
    if row is None:
        raise NotFound("Nobody of that name has signed in here.")
    return row
