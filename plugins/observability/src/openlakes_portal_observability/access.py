"""The plugin's permissions. The servers know no people: what is decided here is all that is decided."""

from openlakes_portal.spi import Permission

READ = Permission("observability:status:read", "See scrape targets, alerts and silences", roles=("data-engineer",))
OPEN_PROMETHEUS = Permission("observability:prometheus:open", "Open Prometheus, and so read every metric that it has")
OPEN_ALERTMANAGER = Permission(
    "observability:alertmanager:open", "Open Alertmanager, and so silence alerts of everybody"
)
PERMISSIONS = [READ, OPEN_PROMETHEUS, OPEN_ALERTMANAGER]
