"""Core's own permissions."""

from openlakes_portal.spi import ROLES, Permission

HEALTH = Permission("core:health:read", "See the state of every component", roles=ROLES)
PLUGINS = Permission("core:plugin:read", "See installed plugins and why one is quarantined")
SETTINGS = Permission("core:setting:read", "See the effective settings, secrets masked")
AUDIT = Permission("core:audit:read", "Read the audit log")
METRICS = Permission("core:metrics:read", "Read the portal's own metrics")

ACCESS_READ = Permission("core:access:read", "See people, groups, roles, bindings and who may do what")
ACCESS = Permission(
    "core:access:manage",
    "Change roles and bindings, decide requests for access, disable people and hand over what they own",
    implies=("core:access:read",),
)
SESSIONS = Permission("core:session:manage", "See everybody's sessions and end them")
TOKENS = Permission("core:token:manage", "See everybody's API tokens and revoke them")
SERVICE_ACCOUNTS = Permission(
    "core:service-account:manage",
    "Make, disable and delete service accounts, and make and revoke their tokens: and so act as any of them",
)

ALL = (HEALTH, PLUGINS, SETTINGS, AUDIT, METRICS, ACCESS_READ, ACCESS, SESSIONS, TOKENS, SERVICE_ACCOUNTS)
