"""Airflow as the stack starts it: on loopback alone, with a DAG that notices when a table is not what its source is."""

import json
import os
import stat
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from openlakes_portal_stack.components import airflow, seaweedfs

pytestmark = pytest.mark.server
DAG = "openlakes_flights_check"
RUNS = f"/api/v2/dags/{DAG}/dagRuns"
WITHIN = 120
DELETE = """
import json, os
from pyiceberg.catalog import load_catalog
table = load_catalog("lakehouse", **json.loads(os.environ["OPENLAKES_CATALOG"])).load_table(("nyc", "airlines"))
table.delete("carrier == 'AA'")
"""


def ended(server: Any, token: str, run: str | None = None) -> dict[str, Any]:
    """The newest run, or the one of this id, once it is over."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        runs = server.ask(f"{RUNS}?order_by=-run_after&limit=20", token).json().get("dag_runs", [])
        over = [one for one in runs if one["state"] in ("success", "failed") and run in (None, one["dag_run_id"])]
        if over:
            return dict(over[0])
        time.sleep(0.3)
    raise AssertionError(f"no run of {DAG} ended within {WITHIN} s")


def log_of(server: Any, token: str, run: str) -> str:
    path = f"{RUNS}/{run.replace('+', '%2B')}/taskInstances/compare/logs/1"
    return "\n".join(
        str(line) for line in server.ask(path, token, headers={"Accept": "application/json"}).json()["content"]
    )


def test_the_dag_runs_by_itself_and_finds_every_row_and_a_row_that_is_gone(airflow_server: Any) -> None:
    token = airflow_server.token("auditor", "platform-admin")
    first = ended(airflow_server, token)
    log = log_of(airflow_server, token, first["dag_run_id"])
    assert (first["state"], first["run_type"], first["triggering_user_name"]) == ("success", "scheduled", None), log[
        -1500:
    ]
    for found in ("flights: 336,776 rows, distance 350217607.00", "airlines: 16 rows", "planes: 3,322 rows"):
        assert found in log
    told = {"OPENLAKES_CATALOG": json.dumps(seaweedfs.catalog_properties(airflow_server.site.of("seaweedfs")))}
    subprocess.run([sys.executable, "-I", "-c", DELETE], env={**os.environ, **told}, check=True, timeout=120)
    started = airflow_server.ask(RUNS, token, {"logical_date": None}).json()
    second = ended(airflow_server, token, started["dag_run_id"])
    assert second["state"] == "failed"
    log = log_of(airflow_server, token, second["dag_run_id"])
    assert "airlines: the source has Figures(rows=16" in log
    assert "the catalog has Figures(rows=15" in log


def test_it_listens_on_loopback_alone_and_keeps_its_secrets(airflow_server: Any) -> None:
    folder = airflow_server.site.folder
    configuration = str(folder.parent.parent / "supervisor" / "supervisord.conf")
    (supervisor,) = (one for one in psutil.process_iter(["cmdline"]) if configuration in (one.info["cmdline"] or []))
    mine = [one for one in supervisor.children(recursive=True) if "airflow" in " ".join(one.cmdline())]
    listening = {
        connection.laddr.ip
        for process in supervisor.children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert len(mine) >= 4
    assert listening == {"127.0.0.1"}
    for name in ("airflow.cfg", "flights-check.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    given = airflow.environment(airflow_server.site)
    assert set(given) == {"PATH", "AIRFLOW_HOME", "PYTHONPATH", "OPENLAKES_FLIGHTS_CHECK"}


def test_only_the_upstream_part_of_the_plugin_is_there(airflow_server: Any) -> None:
    folder = airflow_server.site.folder / "upstream" / "openlakes_portal_airflow_dbt"
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == ["__init__.py", "upstream"]
