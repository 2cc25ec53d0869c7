"""What Airflow's REST API v2 answers, as far as the portal reads it.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class Answer(BaseModel, extra="ignore"):
    """A part of an answer; fields that nobody reads here are left out, so that new ones break nothing."""


class Tag(Answer):
    """A tag of a DAG."""

    name: str


class Dag(Answer):
    """A DAG in a list."""

    dag_id: str
    dag_display_name: str
    description: str | None = None
    is_paused: bool
    is_stale: bool = False
    has_import_errors: bool = False
    timetable_summary: str | None = None
    timetable_description: str | None = None
    next_dagrun_run_after: datetime | None = None
    owners: list[str] = Field(default_factory=list)
    tags: list[Tag] = Field(default_factory=list)


class DagDetails(Dag):
    """A DAG with what only its own page tells; `params` by name, each with its `value`."""

    doc_md: str | None = None
    params: dict[str, Any] | None = None


class DagCollection(Answer):
    """A page of DAGs."""

    dags: list[Dag]
    total_entries: int


class DagRun(Answer):
    """A run: `state` is queued, running, success or failed; `triggering_user_name` who started it by hand."""

    dag_run_id: str
    dag_id: str
    run_type: str
    state: str
    queued_at: datetime | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    logical_date: datetime | None = None
    run_after: datetime | None = None
    triggering_user_name: str | None = None
    conf: dict[str, Any] | None = None
    note: str | None = None


class DagRunCollection(Answer):
    """A page of runs."""

    dag_runs: list[DagRun]
    total_entries: int | None = None


class TaskInstance(Answer):
    """A task of a run; `map_index` is -1 where it is not mapped; `try_number` counts from 1, 0 before the first."""

    task_id: str
    task_display_name: str | None = None
    map_index: int = -1
    state: str | None = None
    try_number: int = 0
    max_tries: int = 0
    operator_name: str | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None


class TaskInstanceCollection(Answer):
    """A page of task instances."""

    task_instances: list[TaskInstance]
    total_entries: int | None = None


class Log(Answer):
    """A piece of a log. Airflow writes structured lines, and plain ones where a log is no JSON; `continuation_token`
    asks for what comes next, and is None where nothing more will come."""

    content: list[dict[str, Any] | str]
    continuation_token: str | None


class Version(Answer):
    """Which Airflow it is."""

    version: str


class Component(Answer):
    """One of Airflow's processes, as it last reported; a status of None: it never did."""

    status: str | None = None
    latest_scheduler_heartbeat: datetime | None = None
    latest_triggerer_heartbeat: datetime | None = None
    latest_dag_processor_heartbeat: datetime | None = None

    @property
    def heartbeat(self) -> datetime | None:
        """When it last reported."""
        return self.latest_scheduler_heartbeat or self.latest_triggerer_heartbeat or self.latest_dag_processor_heartbeat


class Monitor(Answer):
    """The health of Airflow's processes."""

    metadatabase: Component
    scheduler: Component
    triggerer: Component
    dag_processor: Component | None = None
