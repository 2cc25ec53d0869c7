"""Makes the dashboard "Flights of 2013" in Superset, or makes it as it should be again: `python superset_flights.py`.

A program of Superset's own environment, which knows nothing of ours. `OPENLAKES_FLIGHTS` holds, as JSON: `uri` of the
database, `name` and `kind` of it, `catalog`, `extra`, `impersonate`, `owner` (user name, first and last name), and
`readers`: the role that may read it.
"""

import json
import os
import sys
import uuid
from typing import Any

SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
SCHEMA, TABLE = "nyc", "flights"
COLUMNS = (
    "year:INTEGER month:INTEGER day:INTEGER dep_time:INTEGER sched_dep_time:INTEGER dep_delay:INTEGER arr_time:INTEGER"
    " sched_arr_time:INTEGER arr_delay:INTEGER carrier:VARCHAR flight:INTEGER tailnum:VARCHAR origin:VARCHAR"
    " dest:VARCHAR air_time:INTEGER distance:INTEGER hour:INTEGER minute:INTEGER time_hour:TIMESTAMP"
)
WIDTH = 12
"""Columns of a dashboard's grid."""

Told = dict[str, Any]
Config = dict[str, Any]


def fixed(*words: str) -> str:
    """The same id each time, so that a second run changes what the first one made."""
    return str(uuid.uuid5(SPACE, "/".join(("openlakes", "flights-of-2013", *words))))


def count() -> Config:
    """How many flights."""
    return {"expressionType": "SQL", "sqlExpression": "COUNT(*)", "label": "Flights"}


def late() -> Config:
    """How late they were, in minutes."""
    return {"expressionType": "SQL", "sqlExpression": "AVG(arr_delay)", "label": "Minutes late"}


CHARTS: tuple[tuple[str, str, int, Config, list[str], list[Config]], ...] = (
    ("total", "Flights of the year", 3, {"viz_type": "big_number_total", "metric": count()}, [], [count()]),
    (
        "months",
        "Flights a month",
        9,
        {"viz_type": "echarts_timeseries_bar", "x_axis": "month", "metrics": [count()], "xAxisForceCategorical": True},
        ["month"],
        [count()],
    ),
    (
        "carriers",
        "Minutes late by airline",
        6,
        {"viz_type": "echarts_timeseries_bar", "x_axis": "carrier", "metrics": [late()], "xAxisForceCategorical": True},
        ["carrier"],
        [late()],
    ),
    (
        "origins",
        "Flights by airport",
        6,
        {"viz_type": "pie", "groupby": ["origin"], "metric": count()},
        ["origin"],
        [count()],
    ),
    (
        "destinations",
        "Where they went",
        12,
        {"viz_type": "table", "query_mode": "aggregate", "groupby": ["dest"], "metrics": [count(), late()]},
        ["dest"],
        [count(), late()],
    ),
)
"""Key, title, width, how it is drawn, what it groups by, what it measures."""
ROWS = (("total", "months"), ("carriers", "origins"), ("destinations",))


def assets(told: Told) -> dict[str, Config]:
    """Files of an export of Superset's, by name."""
    database, dataset = fixed("database", told["kind"]), fixed("dataset", told["kind"])
    return {
        "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2013-01-01T00:00:00+00:00"},
        "databases/lakehouse.yaml": {
            "database_name": told["name"],
            "sqlalchemy_uri": told["uri"],
            "expose_in_sqllab": True,
            "allow_dml": False,
            "allow_ctas": False,
            "allow_cvas": False,
            "allow_run_async": False,
            "allow_file_upload": False,
            "impersonate_user": told["impersonate"],
            "extra": told["extra"],
            "uuid": database,
            "version": "1.0.0",
        },
        "datasets/lakehouse/flights.yaml": _dataset(told, database, dataset),
        **{f"charts/{chart[0]}.yaml": _chart(chart, dataset) for chart in CHARTS},
        "dashboards/flights.yaml": _dashboard(),
    }


def _dataset(told: Told, database: str, dataset: str) -> Config:
    columns = [column.split(":") for column in COLUMNS.split()]
    return {
        "table_name": TABLE,
        "schema": SCHEMA,
        "catalog": told["catalog"],
        "main_dttm_col": "time_hour",
        "description": "Every departure from EWR, JFK and LGA in 2013; delays in minutes, distances in miles",
        "cache_timeout": 0,
        "sql": None,
        "metrics": [
            {"metric_name": "count", "expression": "COUNT(*)", "metric_type": "count", "verbose_name": "Flights"}
        ],
        "columns": [
            {"column_name": name, "type": kind, "is_dttm": kind == "TIMESTAMP", "groupby": True, "filterable": True}
            for name, kind in columns
        ],
        "uuid": dataset,
        "database_uuid": database,
        "version": "1.0.0",
    }


def _chart(chart: tuple[str, str, int, Config, list[str], list[Config]], dataset: str) -> Config:
    key, title, _, drawn, groups, metrics = chart
    query = {"columns": groups, "metrics": metrics, "orderby": [[metrics[0], False]], "row_limit": 1000, "filters": []}
    context = {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [query],
        "form_data": {},
        "result_format": "json",
        "result_type": "full",
    }
    return {
        "slice_name": title,
        "viz_type": drawn["viz_type"],
        "params": {"row_limit": 1000, "adhoc_filters": [], "order_desc": True, **drawn},
        "query_context": json.dumps(context),
        "cache_timeout": 0,
        "uuid": fixed("chart", key),
        "dataset_uuid": dataset,
        "version": "1.0.0",
    }


def _dashboard() -> Config:
    charts = {key: (title, width) for key, title, width, *_ in CHARTS}
    position: Config = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": "Flights of 2013"}},
    }
    for number, row in enumerate(ROWS, 1):
        name = f"ROW-{number}"
        position["GRID_ID"]["children"].append(name)
        position[name] = {
            "type": "ROW",
            "id": name,
            "children": [f"CHART-{key}" for key in row],
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        for key in row:
            title, width = charts[key]
            meta = {"width": width, "height": 40, "chartId": 0, "uuid": fixed("chart", key), "sliceName": title}
            parents = ["ROOT_ID", "GRID_ID", name]
            chart = f"CHART-{key}"
            position[chart] = {"type": "CHART", "id": chart, "children": [], "parents": parents, "meta": meta}
    return {
        "dashboard_title": "Flights of 2013",
        "description": "The demo's dashboard over lakehouse.nyc.flights",
        "slug": "flights-of-2013",
        "published": True,
        "uuid": fixed("dashboard"),
        "metadata": {"refresh_frequency": 0},
        "position": position,
        "version": "1.0.0",
    }


def main() -> int:
    """Exit status 0: it is there, and its readers may see it."""
    from superset.app import create_app

    told: Told = json.loads(os.environ["OPENLAKES_FLIGHTS"])
    app = create_app()
    with app.app_context():
        import yaml
        from superset.commands.importers.v1.assets import ImportAssetsCommand
        from superset.utils.core import override_user

        with override_user(_owner(told)):
            contents = {name: yaml.safe_dump(config, sort_keys=False) for name, config in assets(told).items()}
            ImportAssetsCommand(contents).run()
            _let_read(told)
    return 0


def _owner(told: Told) -> Any:
    """Whose it is: an administrator, whom the portal names by the same name."""
    from superset.extensions import security_manager

    name, first, last = told["owner"]
    found = security_manager.find_user(username=name)
    if found is None:
        role = security_manager.find_role("Admin")
        found = security_manager.add_user(name, first, last, f"{name}@portal.invalid", role=[role])
    if not found:
        raise SystemExit(f"The user {name} could not be made in Superset.")
    return found


def _let_read(told: Told) -> None:
    """The role of those who read the lakehouse: this dataset, this dashboard."""
    from superset import db
    from superset.connectors.sqla.models import SqlaTable
    from superset.extensions import security_manager
    from superset.models.dashboard import Dashboard

    readers = security_manager.add_role(told["readers"])
    dataset = db.session.query(SqlaTable).filter_by(uuid=uuid.UUID(fixed("dataset", told["kind"]))).one()
    board = db.session.query(Dashboard).filter_by(uuid=uuid.UUID(fixed("dashboard"))).one()
    granted = security_manager.add_permission_view_menu("datasource_access", dataset.perm)
    security_manager.add_permission_role(readers, granted)
    known = {role.id for role in board.roles}
    board.roles += [role for role in (readers, security_manager.find_role("Alpha")) if role and role.id not in known]
    db.session.commit()


if __name__ == "__main__":
    sys.exit(main())
