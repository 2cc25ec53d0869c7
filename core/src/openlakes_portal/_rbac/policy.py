"""The frozen policy of a running portal: every permission, every role with what it holds, every binding.

Default deny: a permission that no plugin registered exists for nobody, and a role that no binding gives is held by
nobody. `platform-admin` holds every permission, also of plugins installed later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from openlakes_portal._settings.model import RoleBinding
from openlakes_portal.spi import ROLES, Permission, Principal

ADMIN_ROLE = "platform-admin"


@dataclass(frozen=True)
class Identity:
    """A person as the sign-in states them: identity is issuer + subject, the rest are attributes."""

    issuer: str
    subject: str
    username: str
    name: str
    email: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Answers which roles a person has and what they hold."""

    permissions: Mapping[str, Permission]
    roles: Mapping[str, frozenset[str]]
    bindings: tuple[RoleBinding, ...]

    def roles_of(self, identity: Identity, at: datetime) -> frozenset[str]:
        """Roles that a binding in force gives to this person, by the exact group, user name or issuer#subject.

        A binding with a resource filter gives nothing here: it cannot be honoured for permissions that are not asked
        about a resource, and what cannot be honoured is not given.
        """
        held = set()
        for binding in self.bindings:
            if binding.expires_at is not None and binding.expires_at <= at:
                continue
            if binding.resource is not None or binding.role not in self.roles:
                continue
            by_group = binding.group is not None and binding.group in identity.groups
            names = (identity.username, f"{identity.issuer}#{identity.subject}")
            if by_group or (binding.subject is not None and binding.subject in names):
                held.add(binding.role)
        return frozenset(held)

    def permissions_of(self, roles: Iterable[str]) -> frozenset[str]:
        """Everything that these roles hold, implied permissions included."""
        return frozenset().union(*(self.roles.get(role, frozenset()) for role in roles))

    def principal(self, identity: Identity, at: datetime, session_id: str | None = None) -> Principal:
        """This person with the roles and permissions that they have at this time."""
        roles = self.roles_of(identity, at)
        return Principal(
            subject=identity.subject,
            issuer=identity.issuer,
            username=identity.username,
            name=identity.name,
            email=identity.email,
            roles=roles,
            permissions=self.permissions_of(roles),
            session_id=session_id,
        )


def build_policy(permissions: Iterable[Permission], bindings: tuple[RoleBinding, ...]) -> Policy:
    """The policy of the registered permissions. Names are unique by then; implications are followed to their end."""
    by_name = {permission.name: permission for permission in permissions}
    roles = {
        role: closure((p.name for p in by_name.values() if role == ADMIN_ROLE or role in p.roles), by_name)
        for role in ROLES
    }
    return Policy(by_name, roles, bindings)


def closure(names: Iterable[str], by_name: Mapping[str, Permission]) -> frozenset[str]:
    """These permissions with everything that they imply; names that no plugin registered are left out."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found or name not in by_name:
            continue
        found.add(name)
        todo += by_name[name].implies
    return frozenset(found)
