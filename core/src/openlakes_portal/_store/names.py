"""Names of people by what bindings and owners call them."""

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._store.identity_tables import people


async def names_of(connection: AsyncConnection, keys: set[str]) -> dict[str, tuple[str, str]]:
    """User name and name of people by `issuer#subject` or by user name; those who were never seen are left out."""
    pairs = [tuple(key.split("#", 1)) for key in keys if "#" in key]
    plain = [key for key in keys if "#" not in key]
    found: dict[str, tuple[str, str]] = {}
    columns = (people.c.issuer, people.c.subject, people.c.username, people.c.name)
    if pairs:
        query = select(*columns).where(tuple_(people.c.issuer, people.c.subject).in_(pairs))
        for row in await connection.execute(query):
            found[f"{row.issuer}#{row.subject}"] = (row.username, row.name)
    if plain:
        for row in await connection.execute(select(*columns).where(people.c.username.in_(plain))):
            found[row.username] = (row.username, row.name)
    return found
