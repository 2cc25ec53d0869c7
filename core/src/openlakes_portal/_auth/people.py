"""People who signed in: issuer + subject is who they are, the user name is theirs for good, the rest may change."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._rbac.policy import SERVICE_PREFIX, Identity
from openlakes_portal._store.identity_tables import people
from openlakes_portal.spi import NotAllowed


@dataclass(frozen=True)
class Person:
    """A person as the portal knows them."""

    identity: Identity
    first_seen_at: datetime
    last_seen_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None


async def admit(connection: AsyncConnection, identity: Identity, moment: datetime) -> None:
    """Note who signs in. Raises `NotAllowed` for a disabled person, and for a user name that is another subject's:
    downstream systems know people by it, so it is never given away, however the provider's directory changes. The names
    of service accounts are nobody's in person, in whatever case."""
    if identity.is_service or identity.username.casefold().startswith(SERVICE_PREFIX):
        raise NotAllowed(
            f"The user name {identity.username[:100]!r} begins with {SERVICE_PREFIX!r}, which names service accounts.",
            remedy="An admin gives this account another user name at the identity provider.",
        )
    here = (people.c.issuer == identity.issuer) & (people.c.subject == identity.subject)
    row = (await connection.execute(select(people).where(here))).first()
    if row is not None and row.disabled_at is not None:
        raise NotAllowed(
            "This account is disabled in the portal.", remedy="Ask a platform admin, who can enable it again."
        )
    holder = (await connection.execute(select(people).where(people.c.username == identity.username))).first()
    if holder is not None and (holder.issuer, holder.subject) != (identity.issuer, identity.subject):
        raise _taken(identity)
    values = {
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "groups": list(identity.groups),
        "last_seen_at": moment,
    }
    if row is not None:
        await connection.execute(update(people).where(here).values(values))
        return
    new = {**values, "issuer": identity.issuer, "subject": identity.subject, "first_seen_at": moment}
    try:
        async with connection.begin_nested():
            await connection.execute(insert(people).values(new))
    except IntegrityError:  # somebody with that name, or the same person, was noted at this moment
        again = (await connection.execute(select(people).where(people.c.username == identity.username))).first()
        if again is None or (again.issuer, again.subject) != (identity.issuer, identity.subject):
            raise _taken(identity) from None


def _taken(identity: Identity) -> NotAllowed:
    return NotAllowed(
        f"The user name {identity.username[:100]!r} belongs to another account.",
        remedy="Ask a platform admin: the identity provider gave a name to a second person, or this account was made "
        "anew. The admin gives this account a name of its own at the provider, or removes the old one here.",
    )
