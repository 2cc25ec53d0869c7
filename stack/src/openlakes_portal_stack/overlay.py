"""What the demo tells the plugin `trino`: where the catalog is, who may read what, and queries worth a click.

Roles: engineers read everything. The analyst reads `nyc` too, but sees tail numbers masked in `planes` and only the
flights that truly flew (a row filter), so that a mask and a filter can be seen at work. Nobody else reads anything.
"""

from pathlib import Path
from typing import TypedDict

from openlakes_portal_stack import places

ENGINEERS = "platform-admin|data-engineer|analytics-engineer"
ANALYST = "bi-analyst"


class IcebergCatalog(TypedDict):
    """A pyiceberg catalog: its kind, its database, its files."""

    type: str
    uri: str
    warehouse: str


class Embedded(TypedDict):
    """The embedded engine's catalogs by name."""

    catalogs: dict[str, IcebergCatalog]


class ColumnRule(TypedDict):
    """A column and the SQL expression that is shown in its place."""

    name: str
    mask: str


class CatalogRule(TypedDict):
    """Who may see a catalog."""

    role: str
    catalog: str
    allow: str


class TableRule(TypedDict, total=False):
    """Who may read which tables, with which rows and columns."""

    role: str
    catalog: str
    schema: str
    table: str
    privileges: list[str]
    columns: list[ColumnRule]
    filter: str


class AccessRules(TypedDict):
    """Trino's file-based rules, with roles beside users."""

    catalogs: list[CatalogRule]
    tables: list[TableRule]


class SavedQuery(TypedDict, total=False):
    """A query that the site offers to everybody who may run SQL."""

    id: str
    name: str
    description: str
    sql: str
    catalog: str
    schema: str
    parameters: dict[str, str | int]


class SqlSettings(TypedDict):
    """The settings of the plugin `trino` that the demo fills."""

    duckdb: Embedded
    access: AccessRules
    saved_queries: list[SavedQuery]


class Plugins(TypedDict):
    """Settings by plugin."""

    trino: SqlSettings


class Overlay(TypedDict):
    """A settings overlay, shaped as the settings file is."""

    plugins: Plugins


def overlay(folder: Path) -> Overlay:
    """The overlay for a lakehouse in `folder`."""
    catalog: IcebergCatalog = {
        "type": "sql",
        "uri": places.catalog_uri(folder),
        "warehouse": places.warehouse(folder),
    }
    settings: SqlSettings = {
        "duckdb": {"catalogs": {places.CATALOG: catalog}},
        "access": {"catalogs": _catalog_rules(), "tables": _table_rules()},
        "saved_queries": SAVED_QUERIES,
    }
    return {"plugins": {"trino": settings}}


def _catalog_rules() -> list[CatalogRule]:
    return [{"role": f"{ENGINEERS}|{ANALYST}", "catalog": places.CATALOG, "allow": "read-only"}]


def _table_rules() -> list[TableRule]:
    of_nyc: TableRule = {"catalog": places.CATALOG, "schema": places.NAMESPACE, "privileges": ["SELECT"]}
    masked: ColumnRule = {"name": "tailnum", "mask": "substr(tailnum, 1, 2) || '****'"}
    return [
        {"role": ENGINEERS, **of_nyc, "table": ".*"},
        {"role": ANALYST, **of_nyc, "table": "planes", "columns": [masked]},
        {"role": ANALYST, **of_nyc, "table": "flights", "filter": "arr_time IS NOT NULL"},
        {"role": ANALYST, **of_nyc, "table": ".*"},
    ]


def _query(id: str, name: str, description: str, sql: str, **parameters: str | int) -> SavedQuery:
    saved: SavedQuery = {
        "id": id,
        "name": name,
        "description": description,
        "sql": sql,
        "catalog": places.CATALOG,
        "schema": places.NAMESPACE,
    }
    if parameters:
        saved["parameters"] = parameters
    return saved


SAVED_QUERIES = [
    _query(
        "delays-by-airline",
        "Which airline is late?",
        "Average and median arrival delay by airline, over flights that arrived",
        """\
SELECT a.name AS airline,
       count(*) AS flights,
       round(avg(f.arr_delay), 1) AS average_delay,
       round(100.0 * count_if(f.arr_delay > 15) / count(*), 1) AS late_percent
FROM flights AS f
JOIN airlines AS a ON a.carrier = f.carrier
WHERE f.arr_delay IS NOT NULL
GROUP BY a.name
ORDER BY average_delay DESC""",
    ),
    _query(
        "delay-by-hour",
        "Fly in the morning",
        "Departure delay by scheduled hour: the day's delays pile up (try it as a line chart)",
        """\
SELECT hour, count(*) AS flights, round(avg(dep_delay), 1) AS average_delay
FROM flights
WHERE dep_delay IS NOT NULL
GROUP BY hour
ORDER BY hour""",
    ),
    _query(
        "from-an-airport",
        "Where does one fly from here?",
        "Destinations from one airport; the airport is a parameter, bound by the driver",
        """\
SELECT f.dest, p.name AS airport, count(*) AS flights, avg(f.distance) AS miles
FROM flights AS f
LEFT JOIN airports AS p ON p.faa = f.dest
WHERE f.origin = :origin
GROUP BY f.dest, p.name
HAVING count(*) >= :at_least
ORDER BY flights DESC""",
        origin="JFK",
        at_least=100,
    ),
    _query(
        "weather-and-delay",
        "Does wind make flights late?",
        "Hourly weather joined with the flights that left in that hour",
        """\
SELECT CAST(floor(w.wind_speed / 5) * 5 AS integer) AS wind_from,
       count(*) AS flights,
       round(avg(f.dep_delay), 1) AS average_delay
FROM flights AS f
JOIN weather AS w ON w.origin = f.origin AND w.time_hour = f.time_hour
WHERE w.wind_speed < 60
GROUP BY 1
ORDER BY 1""",
    ),
    _query(
        "planes",
        "Oldest planes in the air",
        "Sign in as bi-analyst and the tail numbers are masked",
        """\
SELECT tailnum, manufacturer, model, year, seats
FROM planes
WHERE year IS NOT NULL
ORDER BY year, tailnum""",
    ),
    _query(
        "all-flights",
        "All flights",
        "336,776 rows: scroll them, sort them, export them",
        "SELECT * FROM flights",
    ),
]
