"""The plugin's permissions. What Superset itself lets a person do is decided there, by the roles that theirs map to."""

from openlakes_portal.spi import Permission

OPEN = Permission("superset:app:open", "Open Superset", roles=("data-engineer", "analytics-engineer", "bi-analyst"))
READ = Permission(
    "superset:dashboard:read",
    "See which dashboards, charts and datasets of Superset one has",
    roles=("data-engineer", "analytics-engineer", "bi-analyst"),
    implies=("superset:app:open",),
)
SQL_LAB = Permission(
    "superset:sql-lab:use",
    "Take a query on to Superset's SQL Lab",
    roles=("data-engineer", "analytics-engineer"),
    implies=("superset:app:open",),
)
PERMISSIONS = [OPEN, READ, SQL_LAB]
