"""Who can grant: holders of the permission to manage access, and the owner of the thing in question."""

from dataclasses import dataclass
from typing import Literal

from openlakes_portal._host.decisions import Decisions
from openlakes_portal._rbac.administration import MANAGE
from openlakes_portal._rbac.book import PolicyBook
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.names import names_of
from openlakes_portal.spi import Unavailable


@dataclass(frozen=True)
class Grantor:
    """Somebody who can grant: everybody of a group, or one person (`name` for people, `username` for machines)."""

    kind: Literal["owner", "person", "group"]
    name: str
    username: str | None = None


class Grantors:
    """Finds who can grant."""

    def __init__(self, database: Database, book: PolicyBook, decisions: Decisions) -> None:
        self._database = database
        self._book = book
        self._decisions = decisions

    async def of(self, permission: str, resource: str | None = None, *, names_owner: bool = False) -> list[Grantor]:
        """The owner first, then people, then groups; those who are disabled are left out. Where names cannot be looked
        up, the list goes without them. Unless `names_owner`, the owner is there without a name, and is there as well
        where the thing does not exist: who may not see a thing does not learn from this whether it is there."""
        policy, moment = self._book.current, now()
        owner = await self._decisions.owner(permission, resource) if names_owner else None
        groups, subjects = set(), set()
        for binding in policy.bindings:
            if binding.resource is None and binding.in_force(moment) and MANAGE in policy.held_by(binding.role):
                if binding.group is not None:
                    groups.add(binding.group)
                elif binding.subject is not None and binding.subject not in policy.disabled:
                    subjects.add(binding.subject)
        wanted = subjects | ({owner} if owner else set())
        try:
            async with self._database.read() as connection:
                names = await names_of(connection, wanted)
        except Unavailable:
            names = {}
        found = [_person("owner", owner, names)] if owner and owner not in policy.disabled else []
        if not names_owner and resource is not None and self._decisions.knows_owners(permission):
            found = [Grantor("owner", "its owner")]
        found += [_person("person", subject, names) for subject in sorted(subjects) if subject != owner]
        return found + [Grantor("group", group) for group in sorted(groups)]


def _person(kind: Literal["owner", "person"], key: str, names: dict[str, tuple[str, str]]) -> Grantor:
    username, name = names.get(key, (None, key.partition("#")[2] or key))
    return Grantor(kind, name, username)
