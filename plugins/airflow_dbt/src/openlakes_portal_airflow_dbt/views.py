"""What the plugin's routes answer: Airflow's answers in the portal's words."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from openlakes_portal_airflow_dbt.answers import Dag, DagDetails, DagRun, TaskInstance


class About(BaseModel):
    """What the console calls this Airflow, and the app that its own pages are."""

    title: str
    app: str


class RunMark(BaseModel):
    """One run in a strip of them: queued, running, success or failed."""

    id: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None


class DagItem(BaseModel):
    """A DAG in a list, with its newest runs, newest first."""

    id: str
    name: str
    description: str | None
    paused: bool
    broken: bool
    schedule: str | None
    next_run: datetime | None
    owners: list[str]
    tags: list[str]
    runs: list[RunMark]


class DagPage(BaseModel):
    """One page of DAGs, and how many there are in all that match."""

    items: list[DagItem]
    next_cursor: str | None
    total: int


class DagView(DagItem):
    """A DAG: `conf` is what a run gets where nothing else is said."""

    schedule_words: str | None
    doc: str | None
    conf: dict[str, Any]


class RunItem(BaseModel):
    """A run; `by` started it by hand, None: the schedule, an asset or another system did."""

    id: str
    dag: str
    type: str
    state: str
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    logical_date: datetime | None
    by: str | None
    note: str | None


class RunPage(BaseModel):
    """One page of runs, newest first."""

    items: list[RunItem]
    next_cursor: str | None
    total: int


class TaskItem(BaseModel):
    """A task of a run; `map_index` is -1 where it is not mapped; `tries` counts from 1, 0: not tried yet."""

    id: str
    name: str
    map_index: int
    state: str | None
    tries: int
    max_tries: int
    operator: str | None
    started_at: datetime | None
    ended_at: datetime | None


class RunView(RunItem):
    """A run with its tasks; `tasks_total` says how many there are where not all are here."""

    conf: dict[str, Any]
    tasks: list[TaskItem]
    tasks_total: int


class LogLine(BaseModel):
    """A line of a log, without line breaks; its time and level where Airflow states them."""

    at: str | None
    level: str | None
    text: str


class LogPage(BaseModel):
    """Lines, and how to ask for what comes after them; None: the log has ended."""

    lines: list[LogLine]
    token: str | None
    dropped: int = Field(0, description="Entries before these that are left out, because the log is very long")


def dag_item(dag: Dag, runs: list[DagRun]) -> DagItem:
    """A DAG and its newest runs."""
    return DagItem(
        id=dag.dag_id,
        name=dag.dag_display_name,
        description=dag.description,
        paused=dag.is_paused,
        broken=dag.has_import_errors,
        schedule=dag.timetable_summary,
        next_run=None if dag.is_paused else dag.next_dagrun_run_after,
        owners=dag.owners,
        tags=[tag.name for tag in dag.tags],
        runs=[
            RunMark(id=run.dag_run_id, state=run.state, started_at=run.start_date, ended_at=run.end_date)
            for run in runs
        ],
    )


def dag_view(dag: DagDetails, runs: list[DagRun]) -> DagView:
    """A DAG with what its own page shows."""
    return DagView(
        **dag_item(dag, runs).model_dump(),
        schedule_words=dag.timetable_description,
        doc=dag.doc_md,
        conf={name: _value(param) for name, param in (dag.params or {}).items()},
    )


def run_item(run: DagRun) -> RunItem:
    """A run in a list."""
    return RunItem(
        id=run.dag_run_id,
        dag=run.dag_id,
        type=run.run_type,
        state=run.state,
        queued_at=run.queued_at,
        started_at=run.start_date,
        ended_at=run.end_date,
        logical_date=run.logical_date,
        by=run.triggering_user_name,
        note=run.note,
    )


def run_view(run: DagRun, tasks: list[TaskInstance], total: int) -> RunView:
    """A run with its tasks."""
    return RunView(
        **run_item(run).model_dump(), conf=run.conf or {}, tasks=[_task(task) for task in tasks], tasks_total=total
    )


def _task(task: TaskInstance) -> TaskItem:
    return TaskItem(
        id=task.task_id,
        name=task.task_display_name or task.task_id,
        map_index=task.map_index,
        state=task.state,
        tries=task.try_number,
        max_tries=task.max_tries,
        operator=task.operator_name,
        started_at=task.start_date,
        ended_at=task.end_date,
    )


def _value(param: Any) -> Any:
    """A parameter's default; Airflow states it with its schema."""
    return param.get("value") if isinstance(param, dict) else param
