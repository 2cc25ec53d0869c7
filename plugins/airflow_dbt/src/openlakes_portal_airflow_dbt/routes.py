"""The plugin's API: DAGs, runs, tasks and logs, each as the person who asks may see them in Airflow."""

from collections.abc import Awaitable, Callable

from pydantic import BaseModel, Field

from openlakes_portal.spi import Context, Request, Route
from openlakes_portal_airflow_dbt.access import READ
from openlakes_portal_airflow_dbt.client import Airflow
from openlakes_portal_airflow_dbt.settings import Settings
from openlakes_portal_airflow_dbt.views import (
    About,
    DagPage,
    DagView,
    LogPage,
    RunPage,
    RunView,
    dag_item,
    dag_view,
    run_item,
    run_view,
)

STRIP = 10
"""Runs of a DAG that its line in the list shows."""
MOST_TASKS = 500
CURSOR = r"^[0-9]{1,9}$"


class DagQuery(BaseModel, extra="forbid"):
    """Which DAGs: a part of the name, paused ones or others, a page."""

    search: str = Field("", max_length=200)
    paused: bool | None = None
    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = Field(None, pattern=CURSOR)


class Page(BaseModel, extra="forbid"):
    """A page of a list."""

    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = Field(None, pattern=CURSOR)


class LogQuery(BaseModel, extra="forbid"):
    """Which try's log, and from where on: `token` is that of the answer before."""

    attempt: int = Field(1, ge=0, le=10_000)
    map_index: int = Field(-1, ge=-1)
    token: str | None = Field(None, max_length=4000)


def routes(context: Context[Settings], airflow: Airflow) -> list[Route]:
    """All of them."""

    async def about(request: Request) -> About:
        return About(title=context.settings.title, app=context.settings.app)

    return [
        Route("GET", "about", about, access=READ, summary="What this Airflow is called"),
        Route("GET", "dags", _dags(airflow), access=READ, summary="DAGs that I may see, with their newest runs"),
        Route("GET", "dags/{dag}", _dag(airflow), access=READ, summary="A DAG"),
        Route("GET", "dags/{dag}/runs", _runs(airflow), access=READ, summary="Runs of a DAG"),
        Route("GET", "dags/{dag}/runs/{run}", _run(airflow), access=READ, summary="A run with its tasks"),
        Route(
            "GET",
            "dags/{dag}/runs/{run}/tasks/{task}/log",
            _log(airflow),
            access=READ,
            summary="The log of a task, from where one has read it on",
        ),
    ]


def _dags(airflow: Airflow) -> Callable[[Request, DagQuery], Awaitable[DagPage]]:
    async def dags(request: Request, query: DagQuery) -> DagPage:
        start = int(query.cursor or 0)
        found = await airflow.dags(
            request.principal, search=query.search.strip(), paused=query.paused, limit=query.limit, offset=start
        )
        runs = await airflow.latest_runs(request.principal, found.dags, STRIP)
        items = [dag_item(dag, runs[dag.dag_id]) for dag in found.dags]
        return DagPage(
            items=items, next_cursor=_next(start, len(items), found.total_entries), total=found.total_entries
        )

    return dags


def _dag(airflow: Airflow) -> Callable[[Request], Awaitable[DagView]]:
    async def dag(request: Request) -> DagView:
        found = await airflow.dag(request.principal, request.path("dag"))
        runs = await airflow.runs(request.principal, found.dag_id, limit=STRIP)
        return dag_view(found, runs.dag_runs)

    return dag


def _runs(airflow: Airflow) -> Callable[[Request, Page], Awaitable[RunPage]]:
    async def runs(request: Request, query: Page) -> RunPage:
        start = int(query.cursor or 0)
        found = await airflow.runs(request.principal, request.path("dag"), limit=query.limit, offset=start)
        total = found.total_entries or 0
        items = [run_item(run) for run in found.dag_runs]
        return RunPage(items=items, next_cursor=_next(start, len(items), total), total=total)

    return runs


def _run(airflow: Airflow) -> Callable[[Request], Awaitable[RunView]]:
    async def run(request: Request) -> RunView:
        dag_id, run_id = request.path("dag"), request.path("run")
        found = await airflow.run(request.principal, dag_id, run_id)
        tasks = await airflow.tasks(request.principal, dag_id, run_id, MOST_TASKS)
        total = max(tasks.total_entries or 0, len(tasks.task_instances))
        return run_view(found, tasks.task_instances, total)

    return run


def _log(airflow: Airflow) -> Callable[[Request, LogQuery], Awaitable[LogPage]]:
    async def log(request: Request, query: LogQuery) -> LogPage:
        return await airflow.log(
            request.principal,
            request.path("dag"),
            request.path("run"),
            request.path("task"),
            attempt=query.attempt,
            map_index=query.map_index,
            token=query.token,
        )

    return log


def _next(start: int, count: int, total: int) -> str | None:
    return str(start + count) if count and start + count < total else None
