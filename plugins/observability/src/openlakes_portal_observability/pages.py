"""What the console shows: a card on Home, and a page. Both are data."""

from openlakes_portal.spi import (
    Column,
    Markdown,
    NavEntry,
    Notice,
    Page,
    SlotContent,
    Stat,
    Tab,
    Table,
    Tabs,
)
from openlakes_portal_observability.access import READ

WHO = (
    "Prometheus and Alertmanager know no people. Everybody who may see this page sees the same: what the portal itself "
    "sees. Who may open the servers' own pages is decided by the portal's permissions alone, and whoever silences an "
    "alert there signs with a name that nobody checks."
)

ALERTS = [
    Column("state", "State", kind="status"),
    Column("severity", "Severity"),
    Column("name", "Alert"),
    Column("summary", "What it says"),
    Column("since", "Since", kind="time"),
    Column("labels", "Labels"),
    Column("silence", "Silenced because"),
]
TARGETS = [
    Column("state", "State", kind="status"),
    Column("job", "Job"),
    Column("instance", "Instance"),
    Column("error", "Last error"),
    Column("last_scrape", "Last scrape", kind="time"),
    Column("seconds", "Took", kind="duration"),
]
SILENCES = [
    Column("matchers", "Alerts with", kind="code"),
    Column("state", "State"),
    Column("comment", "Why"),
    Column("created_by", "By"),
    Column("ends_at", "Until", kind="time"),
]


def pages() -> list[Page | SlotContent]:
    """The page and the card."""
    return [
        Page(
            "alerts",
            "Alerts and targets",
            access=READ,
            source="summary",
            refresh=10.0,
            subtitle="What Prometheus scrapes, and what it has to say",
            body=[
                Stat("Firing", value="firing"),
                Stat("Silenced", value="silenced"),
                Stat("Targets down", value="targets_down"),
                Stat("Targets", value="targets"),
                Tabs(
                    [
                        Tab(
                            "Alerts",
                            [
                                Markdown(value="note", source="alerts"),
                                Table("Alerts", rows="items", columns=ALERTS, source="alerts", empty="No alert is on."),
                            ],
                        ),
                        Tab(
                            "Targets",
                            [
                                Markdown(value="note", source="targets"),
                                Table(
                                    *("Targets", "items", TARGETS),
                                    source="targets",
                                    empty="Prometheus scrapes nothing.",
                                ),
                            ],
                        ),
                        Tab(
                            "Silences",
                            [
                                Table(
                                    *("Silences", "items", SILENCES),
                                    source="silences",
                                    empty="No alert is silenced.",
                                )
                            ],
                        ),
                    ]
                ),
                Notice(WHO),
            ],
        ),
        SlotContent(
            *("home.cards", "alerts", "Alerts"),
            access=READ,
            source="summary",
            order=15,
            body=[
                Stat("Firing", value="firing"),
                Stat("Targets down", value="targets_down"),
                Markdown(value="note"),
                Table(
                    "Most urgent",
                    rows="urgent",
                    columns=[
                        Column("state", "State", kind="status"),
                        Column("name", "Alert", link="alerts"),
                        Column("alerts", "Alerts", kind="number"),
                        Column("since", "Since", kind="time"),
                    ],
                    empty="No alert is on.",
                ),
            ],
        ),
    ]


def nav() -> list[NavEntry]:
    """Its line in the navigation."""
    return [NavEntry("Operate", "Alerts", page="alerts", access=READ, icon="warn", order=20)]
