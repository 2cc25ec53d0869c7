"""Core's own permissions."""

from openlakes_portal.spi import ROLES, Permission

HEALTH = Permission("core:health:read", "See the state of every component", roles=ROLES)
PLUGINS = Permission("core:plugin:read", "See installed plugins and why one is quarantined")
SETTINGS = Permission("core:setting:read", "See the effective settings, secrets masked")
AUDIT = Permission("core:audit:read", "Read the audit log")
METRICS = Permission("core:metrics:read", "Read the portal's own metrics")

ALL = (HEALTH, PLUGINS, SETTINGS, AUDIT, METRICS)
