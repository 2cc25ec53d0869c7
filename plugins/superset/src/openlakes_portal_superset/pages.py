"""Its pages in the console: the gallery and the framed dashboard by its own module, datasets and databases declared."""

import importlib.resources

from openlakes_portal.spi import Column, Module, NavEntry, Page, SlotContent, Tab, Table, Tabs
from openlakes_portal_superset.permissions import READ, SQL_LAB

DATASETS = Table(
    "Datasets",
    rows="datasets",
    columns=[
        Column("name", "Dataset"),
        Column("database", "Database"),
        Column("catalog", "Catalog"),
        Column("namespace", "Schema"),
        Column("kind", "Kind", kind="tag"),
        Column("owners", "Owners"),
        Column("changed_at", "Changed", kind="time"),
    ],
    empty="Superset has no dataset that you may use. Whoever may add one does so in Superset, under Datasets.",
)
DATABASES = Table(
    "Databases",
    rows="databases",
    columns=[
        Column("name", "Database"),
        Column("kind", "Kind", kind="tag"),
        Column("sql_lab", "In SQL Lab"),
        Column("changed_at", "Changed", kind="time"),
    ],
    empty="Superset is connected to no database that you may use. An admin connects one in Superset, under Settings.",
)


def pages() -> list[Page | SlotContent | Module]:
    """All of them; those of the module where it was built."""
    data = Page(
        "data",
        "Datasets of Superset",
        access=READ,
        source="data",
        body=[Tabs([Tab("Datasets", [DATASETS]), Tab("Databases", [DATABASES])])],
        subtitle="What dashboards and charts read from, as far as you may use it.",
    )
    files = importlib.resources.files("openlakes_portal_superset") / "static"
    if not (files / "index.js").is_file():
        return [data]
    return [
        Module(files=files, entry="index.js", styles=("index.css",)),
        Page(
            "dashboards",
            "Dashboards",
            access=READ,
            export="Gallery",
            subtitle="Dashboards and charts of Superset, as far as you may see them.",
        ),
        Page("dashboard", "Dashboard", access=READ, export="OneDashboard", full_bleed=True),
        Page("chart", "Chart", access=READ, export="OneChart", full_bleed=True),
        data,
        SlotContent("query.result", "sql-lab", "Open in Superset", access=SQL_LAB, export="OpenInSuperset"),
    ]


def navigation() -> list[NavEntry]:
    """Its lines in the navigation."""
    known = {page.id for page in pages() if isinstance(page, Page)}
    gallery = [NavEntry("Serve", "Dashboards", page="dashboards", access=READ, icon="chart", order=10)]
    return [
        *(gallery if "dashboards" in known else []),
        NavEntry("Serve", "Superset datasets", page="data", access=READ, icon="table", order=20),
    ]
