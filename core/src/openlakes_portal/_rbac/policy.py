"""The frozen policy of a running portal: every permission, every role with what it holds, every binding.

Default deny: a permission that no plugin registered exists for nobody, and a role that no binding gives is held by
nobody. `platform-admin` holds every permission, also of plugins installed later. A binding gives a role, or one
permission: each permission is a role of its own name, with what it implies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Literal

from openlakes_portal._rbac.resources import ResourceError, matches
from openlakes_portal._settings.model import RoleBinding
from openlakes_portal.spi import ROLES, Permission, Principal, ScopedGrant

ADMIN_ROLE = "platform-admin"
DEMO = "urn:openlakes:demo#"
SERVICE_ISSUER = "openlakes:service-account"
"""Issuer of every service account. It is no address, so it can be no identity provider's."""
SERVICE_PREFIX = "service:"
"""How the user name of a service account begins, and of nobody else."""
Origin = Literal["settings", "demo", "console", "request", "share"]


@dataclass(frozen=True)
class Identity:
    """A person as the sign-in states them, or a service account: identity is issuer + subject, the rest attributes."""

    issuer: str
    subject: str
    username: str
    name: str
    email: str | None = None
    groups: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Issuer and subject as one."""
        return f"{self.issuer}#{self.subject}"

    @property
    def is_service(self) -> bool:
        """Whether it is a service account, and nobody in person."""
        return self.issuer == SERVICE_ISSUER


@dataclass(frozen=True)
class Binding:
    """Gives a role (or one permission) to a group or a subject, everywhere or for what matches `resource`."""

    id: str
    role: str
    group: str | None = None
    subject: str | None = None
    resource: str | None = None
    expires_at: datetime | None = None
    origin: Origin = "console"
    reason: str = ""
    created_by: str = ""
    created_at: datetime | None = None
    version: int = 0

    def in_force(self, at: datetime) -> bool:
        """Whether it has not ended."""
        return self.expires_at is None or self.expires_at > at

    def covers(self, identity: Identity) -> bool:
        """Whether it is for this person: by the exact group, user name or issuer#subject. Nothing is folded, so a
        look-alike in other letters is somebody else."""
        return holder_of(self) in holders(identity)

    def concerns(self, resource: str | None) -> bool:
        """Whether it counts for a question about this resource. One with a filter that cannot be read counts never."""
        if self.resource is None:
            return True
        try:
            return resource is not None and matches(self.resource, resource)
        except ResourceError:
            return False


def holders(identity: Identity) -> set[tuple[str, str]]:
    """All that a binding may name this person by. A user name with `#` in it could be taken for somebody's issuer and
    subject, so it counts as no name; a `groups` that is no tuple (one string, say) counts as none."""
    found = {("subject", identity.key)}
    if "#" not in identity.username:
        found.add(("subject", identity.username))
    if isinstance(identity.groups, tuple):
        found |= {("group", group) for group in identity.groups}
    return found


def holder_of(binding: Binding) -> tuple[str, str]:
    """Whom a binding is for, as `holders` names people."""
    return ("group", binding.group) if binding.group is not None else ("subject", binding.subject or "")


@dataclass(frozen=True)
class Policy:
    """Answers which roles a person has and what they hold."""

    permissions: Mapping[str, Permission]
    roles: Mapping[str, frozenset[str]]
    bindings: tuple[Binding, ...]
    disabled: frozenset[str] = field(default=frozenset(), repr=False)
    """Keys of people who may nothing."""

    @cached_property
    def _by_holder(self) -> dict[tuple[str, str], list[Binding]]:
        found: dict[tuple[str, str], list[Binding]] = {}
        for binding in self.bindings:
            found.setdefault(holder_of(binding), []).append(binding)
        return found

    def all_of(self, identity: Identity) -> list[Binding]:
        """Bindings for this person, also those that have ended, those from the settings first."""
        found = [b for holder in holders(identity) for b in self._by_holder.get(holder, ())]
        return sorted(found, key=lambda b: (b.origin not in ("settings", "demo"), b.id))

    def bindings_of(self, identity: Identity, at: datetime) -> list[Binding]:
        """Bindings in force for this person whose role exists, as they stand in the policy."""
        if identity.key in self.disabled:
            return []
        return [b for b in self.all_of(identity) if b.in_force(at) and self.held_by(b.role)]

    def held_by(self, role: str) -> frozenset[str]:
        """What a role, or the permission of that name, holds; nothing for a name that is neither."""
        if role in self.roles:
            return self.roles[role]
        return closure((role,), self.permissions)

    def roles_of(self, identity: Identity, at: datetime) -> frozenset[str]:
        """Roles that a binding in force gives to this person everywhere."""
        return frozenset(b.role for b in self.bindings_of(identity, at) if b.resource is None and b.role in self.roles)

    def permissions_of(self, roles: Iterable[str]) -> frozenset[str]:
        """Everything that these roles hold, implied permissions included."""
        return frozenset().union(*(self.held_by(role) for role in roles))

    def principal(self, identity: Identity, at: datetime, session_id: str | None = None) -> Principal:
        """This person with the roles and permissions that they have at this time."""
        bindings = self.bindings_of(identity, at)
        by_filter: dict[str, frozenset[str]] = {}
        for binding in bindings:
            if binding.resource is not None:
                held = by_filter.get(binding.resource, frozenset())
                by_filter[binding.resource] = held | self.held_by(binding.role)
        return Principal(
            subject=identity.subject,
            issuer=identity.issuer,
            username=identity.username,
            name=identity.name,
            email=identity.email,
            roles=frozenset(b.role for b in bindings if b.resource is None and b.role in self.roles),
            permissions=self.permissions_of(b.role for b in bindings if b.resource is None),
            session_id=session_id,
            groups=identity.groups,
            scoped=tuple(ScopedGrant(filter, held) for filter, held in by_filter.items()),
        )

    def next_end(self, at: datetime) -> datetime | None:
        """When the next binding ends."""
        return min(
            (b.expires_at for b in self.bindings if b.expires_at is not None and b.expires_at > at), default=None
        )


def identity_of(principal: Principal) -> Identity:
    """The person behind a principal."""
    return Identity(
        principal.issuer, principal.subject, principal.username, principal.name, principal.email, principal.groups
    )


def restricted(principal: Principal, permissions: frozenset[str]) -> Principal:
    """The same person with no more than these permissions, also for resources: what an API token may."""
    limit = permissions if principal.limit is None else permissions & principal.limit
    scoped = tuple(ScopedGrant(g.filter, g.permissions & limit) for g in principal.scoped if g.permissions & limit)
    return replace(principal, permissions=principal.permissions & limit, scoped=scoped, limit=limit)


def holds(principal: Principal, permission: str, resource: str | None = None) -> bool:
    """Whether bindings give this permission: everywhere, or for a resource that is asked about."""
    if permission in principal.permissions:
        return True
    if resource is None:
        return False
    return any(permission in grant.permissions and matches(grant.filter, resource) for grant in principal.scoped)


def holds_somewhere(principal: Principal, permission: Permission) -> bool:
    """The door: everywhere, or, where the plugin asks about each resource, for some."""
    if permission.name in principal.permissions:
        return True
    return permission.scoped and any(permission.name in grant.permissions for grant in principal.scoped)


def build_policy(permissions: Iterable[Permission], bindings: tuple[RoleBinding, ...]) -> Policy:
    """The policy of the registered permissions. Names are unique by then; implications are followed to their end."""
    by_name = {permission.name: permission for permission in permissions}
    roles = {
        role: closure((p.name for p in by_name.values() if role == ADMIN_ROLE or role in p.roles), by_name)
        for role in ROLES
    }
    return Policy(by_name, roles, tuple(_of_settings(n, binding) for n, binding in enumerate(bindings)))


def _of_settings(number: int, binding: RoleBinding) -> Binding:
    demo = binding.subject is not None and binding.subject.startswith(DEMO)
    return Binding(
        id=f"demo.{binding.role}" if demo else f"settings.{number}",
        role=binding.role,
        group=binding.group,
        subject=binding.subject,
        resource=binding.resource,
        expires_at=binding.expires_at,
        origin="demo" if demo else "settings",
        reason="auth.mode is demo" if demo else f"rbac.role_bindings[{number}] of the settings",
    )


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
