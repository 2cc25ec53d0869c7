"""Pages of the coordinator's queries, declared: they need no module of the plugin's own."""

from openlakes_portal.spi import (
    ActionButton,
    Code,
    Column,
    KeyValue,
    Markdown,
    NavEntry,
    Notice,
    Page,
    Stat,
    Tab,
    Table,
    Tabs,
)
from openlakes_portal_trino.routes.access import RUN

LIST = [
    Column("state", "State", kind="status"),
    Column("id", "Query", link="query"),
    Column("user", "Who"),
    Column("sql", "Statement", kind="code"),
    Column("elapsed", "Time", kind="duration"),
    Column("splits_done", "Splits done", kind="number"),
    Column("splits_total", "Splits", kind="number"),
    Column("rows_read", "Rows read", kind="number"),
    Column("memory", "Memory", kind="bytes"),
    Column("cpu", "CPU", kind="duration"),
    Column("source", "From"),
    Column("created_at", "Began", kind="time"),
]
STAGES = [
    Column("stage", "Stage", kind="number"),
    Column("state", "State"),
    Column("work", "What it does"),
    Column("splits_done", "Splits done", kind="number"),
    Column("splits_total", "Splits", kind="number"),
    Column("rows_in", "Rows in", kind="number"),
    Column("bytes_in", "Read", kind="bytes"),
    Column("rows_out", "Rows out", kind="number"),
    Column("cpu", "CPU", kind="duration"),
    Column("blocked", "Blocked", kind="duration"),
    Column("peak_memory", "Peak memory", kind="bytes"),
]
RESTRICTIONS = [
    Column("table", "Table"),
    Column("kind", "What is restricted"),
    Column("column", "Column"),
    Column("rule", "Rule of Trino", kind="code"),
]
FAULTS = [
    Column("code", "Error"),
    Column("line", "Line", kind="number"),
    Column("column", "Column", kind="number"),
    Column("message", "Message"),
]
FACTS = [
    Column("user", "Runs as"),
    Column("principal", "Signed in as"),
    Column("source", "From"),
    Column("query_type", "Kind"),
    Column("catalog", "Catalog"),
    Column("schema_name", "Schema"),
    Column("engine_state", "State in Trino"),
    Column("created_at", "Began", kind="time"),
    Column("ended_at", "Ended", kind="time"),
    Column("queued", "Waited", kind="duration"),
    Column("planning", "Planned", kind="duration"),
    Column("scheduled", "Scheduled", kind="duration"),
    Column("rows_out", "Rows of the result", kind="number"),
    Column("bytes_out", "Bytes of the result", kind="bytes"),
    Column("spilled", "Spilled to disk", kind="bytes"),
    Column("resource_group", "Resource group"),
    Column("session", "Session properties"),
    Column("console", "Trino's own page", kind="link"),
]


def coordinator_pages() -> list[Page]:
    """Running queries, and one query."""
    return [
        Page(
            "queries",
            "Queries in Trino",
            access=RUN,
            subtitle="Whoever began them, by whatever client",
            source="engine-queries",
            refresh=3.0,
            body=[
                Tabs(
                    [
                        Tab(
                            "Running",
                            [
                                Table(
                                    *("Running queries", "items", LIST),
                                    source="engine-queries",
                                    empty="No query of yours runs or waits.",
                                )
                            ],
                        ),
                        Tab(
                            "Recent",
                            [
                                Table(
                                    *("Recent queries", "items", LIST),
                                    source="engine-queries/recent",
                                    empty="Trino remembers no query of yours.",
                                )
                            ],
                        ),
                    ]
                ),
                Notice(
                    "You see your own queries; with the permission trino:query:read-all also those of others, as far "
                    "as Trino's rules let you see them. A query's page has the button that stops it."
                ),
            ],
        ),
        Page(
            "query",
            "Query in Trino",
            access=RUN,
            source="engine-query",
            refresh=2.0,
            body=[
                Stat("State", value="state", kind="status"),
                Stat("Time", value="elapsed", kind="duration"),
                Stat("Splits done", value="splits_done"),
                Stat("Splits", value="splits_total"),
                Stat("Rows read", value="rows_read"),
                Stat("Read", value="bytes_read", kind="bytes"),
                Stat("CPU", value="cpu", kind="duration"),
                Stat("Peak memory", value="peak_memory", kind="bytes"),
                ActionButton("stop-query", "Stop this query"),
                Markdown(value="note"),
                Tabs(
                    [
                        Tab(
                            "Stages",
                            [
                                Table(
                                    *("Stages", "stages", STAGES),
                                    empty="It has no stages (yet): it waits, is planned, or never ran.",
                                )
                            ],
                        ),
                        Tab("Statement", [Code("Statement", value="sql", language="sql")]),
                        Tab(
                            "Error",
                            [Table("Error", "faults", FAULTS, empty="It has not failed.")],
                        ),
                        Tab(
                            "Restrictions",
                            [
                                Table(
                                    *("What Trino's rules took away", "restrictions", RESTRICTIONS),
                                    empty="Trino tells of no row filter and no mask in this query.",
                                )
                            ],
                        ),
                        Tab("Facts", [KeyValue("Facts", value="facts", fields=FACTS)]),
                    ]
                ),
            ],
        ),
    ]


def coordinator_nav() -> list[NavEntry]:
    """Its line in the navigation."""
    return [NavEntry("Operate", "Queries", page="queries", access=RUN, icon="sql", order=40)]
