"""A portal with this plugin alone, in front of a fake Airflow whose answers have the real one's shapes."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from openlakes_portal.testing import FakeUpstream, candidate_for
from openlakes_portal_airflow_dbt import plugin

RUN = {
    "dag_run_id": "manual__2026-11-26T03:04:26+00:00",
    "dag_id": "lines",
    "logical_date": None,
    "queued_at": "2026-11-26T03:04:26Z",
    "start_date": "2026-11-26T03:04:27Z",
    "end_date": None,
    "duration": None,
    "run_after": "2026-11-26T03:04:26Z",
    "run_type": "manual",
    "state": "running",
    "triggered_by": "rest_api",
    "triggering_user_name": "data-engineer",
    "conf": {"lines": 3},
    "note": None,
}
DAG = {
    "dag_id": "lines",
    "dag_display_name": "lines",
    "is_paused": False,
    "is_stale": False,
    "has_import_errors": False,
    "description": "Writes lines",
    "timetable_summary": "@daily",
    "timetable_description": "At 00:00",
    "next_dagrun_run_after": "2026-11-27T00:00:00Z",
    "owners": ["airflow"],
    "tags": [{"name": "openlakes", "dag_id": "lines", "dag_display_name": "lines"}],
}
DETAILS = {**DAG, "doc_md": None, "params": {"lines": {"value": 3, "schema": {"type": "integer"}, "description": None}}}
RUN_PATH = f"/api/v2/dags/lines/dagRuns/{quote(str(RUN['dag_run_id']), safe='')}"
WELL = {"status": "healthy"}
MONITOR = {
    "metadatabase": WELL,
    "scheduler": {**WELL, "latest_scheduler_heartbeat": "2026-11-26T03:04:26+00:00"},
    "triggerer": {**WELL, "latest_triggerer_heartbeat": "2026-11-26T03:04:26+00:00"},
    "dag_processor": {**WELL, "latest_dag_processor_heartbeat": "2026-11-26T03:04:26+00:00"},
}


@pytest.fixture
def airflow(upstream: Callable[[str], FakeUpstream]) -> FakeUpstream:
    """A fake Airflow that is well and has one DAG with one run."""
    fake = upstream("airflow")
    fake.get("/api/v2/version").answers({"version": "3.3.2", "git_version": None})
    fake.get("/api/v2/monitor/health").answers(MONITOR)
    fake.get("/api/v2/dags").answers({"dags": [DAG], "total_entries": 1})
    fake.post("/api/v2/dags/~/dagRuns/list").answers({"dag_runs": [RUN], "total_entries": 1})
    fake.get("/api/v2/dags/lines/details").answers(DETAILS)
    fake.get("/api/v2/dags/lines/dagRuns").answers({"dag_runs": [RUN], "total_entries": 1})
    fake.post("/api/v2/dags/lines/dagRuns").answers({**RUN, "state": "queued"})
    fake.on("PATCH", "/api/v2/dags/lines").answers({**DAG, "is_paused": True})
    fake.get(RUN_PATH).answers(RUN)
    return fake


@pytest.fixture
def portal_settings(airflow: FakeUpstream) -> dict[str, Any]:
    """The plugin knows the fake, and gives up after a second."""
    return {"plugins": {"airflow_dbt": {"address": airflow.address, "timeout": 1.0}}}


@pytest.fixture
def portal_plugins() -> list[Any]:
    """This plugin and no other."""
    return [candidate_for("airflow_dbt", plugin)]
