"""The plugin's permissions."""

from openlakes_portal.spi import Permission

RUN = Permission(
    "trino:query:run",
    "Run SQL, and see what one may read",
    roles=("data-engineer", "analytics-engineer", "bi-analyst"),
)
SHARE = Permission(
    "trino:query:share",
    "Share saved queries with everybody who may run SQL",
    roles=("data-engineer", "analytics-engineer", "bi-analyst"),
    implies=("trino:query:run",),
)
READ_ALL = Permission(
    "trino:query:read-all", "See who ran which statement (never the results)", implies=("trino:query:run",)
)
READ_SAVED = Permission(
    "trino:saved-query:read", "Read saved queries of others: all of them, or those that are shared", scoped=True
)
KILL_ALL = Permission(
    "trino:query:kill-all",
    "Stop anybody's queries in Trino, where Trino's own rules allow it",
    implies=("trino:query:run",),
)
OPEN = Permission(
    "trino:console:open",
    "Open Trino's own web page, as oneself; whoever may, can also ask it there, within Trino's own rules alone",
    roles=("data-engineer", "analytics-engineer"),
    implies=("trino:query:run",),
)
PERMISSIONS = [RUN, SHARE, READ_ALL, READ_SAVED, KILL_ALL, OPEN]
