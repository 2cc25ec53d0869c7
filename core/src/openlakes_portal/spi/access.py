"""Who asks, and what they may do: principals, permissions, and the statement that each route must make."""

import re
from dataclasses import dataclass, field

PERMISSION_PATTERN = re.compile(r"^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*(?::[a-z][a-z0-9-]*){2}$")
"""`<plugin id>:<thing>:<verb>`, for example `cost:report:read`."""

ROLES = ("platform-admin", "data-engineer", "analytics-engineer", "bi-analyst", "viewer")
"""The five roles that exist from the start."""


@dataclass(frozen=True)
class Permission:
    """Something a person may be allowed to do.

    `name` is `<plugin id>:<thing>:<verb>`; `description` finishes the sentence "May ..." for the people who grant it;
    `roles` are those of the first five that hold it from the start (`platform-admin` always does); `implies` names
    permissions that come with it.

    `scoped` says that the plugin asks about each resource, by `Context.decide` or by `Route.resource`. Then whoever
    holds the permission for some resources only (a binding with a filter) passes the door of routes, pages and actions
    and is judged inside. Without it such a binding gives nothing, because nothing would honour its filter.
    """

    name: str
    description: str
    roles: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()
    scoped: bool = False

    def __post_init__(self) -> None:
        if not PERMISSION_PATTERN.match(self.name):
            raise ValueError(f"permission {self.name!r} is not '<plugin id>:<thing>:<verb>' in lower case")
        if not self.description.strip():
            raise ValueError(f"permission {self.name!r} has no description: say what it allows")
        unknown = set(self.roles) - set(ROLES)
        if unknown:
            raise ValueError(f"permission {self.name!r} names unknown roles {sorted(unknown)}; known: {list(ROLES)}")


@dataclass(frozen=True)
class Public:
    """Access for anybody, also without sign-in. `reason` says why that is right; it stands in the OpenAPI."""

    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("Public needs a reason: why may anybody call this?")


@dataclass(frozen=True)
class SignedIn:
    """Access for every person who is signed in, whatever their permissions. `reason` says why that is right."""

    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("SignedIn needs a reason: why may every signed-in person call this?")


Access = Permission | Public | SignedIn


@dataclass(frozen=True)
class ScopedGrant:
    """Permissions that hold only for resources that match `filter` (the grammar stands in docs/plugin-authors)."""

    filter: str
    permissions: frozenset[str]


@dataclass(frozen=True)
class Principal:
    """The person (or, later, the service account) on whose behalf something is done.

    Identity is `issuer` + `subject`; `username` is the one name by which every downstream knows the person; the rest
    are attributes for display. `permissions` holds every permission name that holds everywhere, implied ones included;
    `scoped` what holds for some resources only: ask `Context.decide` about one. `groups` are those that the identity
    provider stated last; `limit`, where it is set, is all that this sign-in may at most (an API token's permissions).
    """

    subject: str
    issuer: str
    username: str
    name: str
    email: str | None = None
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    session_id: str | None = field(default=None, repr=False)
    scoped: tuple[ScopedGrant, ...] = ()
    groups: tuple[str, ...] = field(default=(), repr=False)
    limit: frozenset[str] | None = field(default=None, repr=False)

    def may(self, permission: Permission | str) -> bool:
        """Whether this principal holds the permission everywhere."""
        name = permission.name if isinstance(permission, Permission) else permission
        return name in self.permissions

    @property
    def identity(self) -> str:
        """Issuer and subject as one stable key, for ownership."""
        return f"{self.issuer}#{self.subject}"
