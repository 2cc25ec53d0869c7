"""Airflow over HTTP (REST API v2), as the person who asks."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from openlakes_portal.spi import (
    Context,
    NotFound,
    Principal,
    UpstreamAnswerTooLarge,
    UpstreamResponse,
    UpstreamUnavailable,
)
from openlakes_portal_airflow_dbt import errors
from openlakes_portal_airflow_dbt.answers import (
    Dag,
    DagCollection,
    DagDetails,
    DagRun,
    DagRunCollection,
    Log,
    Monitor,
    TaskInstanceCollection,
    Version,
)
from openlakes_portal_airflow_dbt.logs import Tail, lines_of, lines_of_ndjson
from openlakes_portal_airflow_dbt.settings import Settings
from openlakes_portal_airflow_dbt.views import LogPage

A = TypeVar("A", bound=BaseModel)
API = "/api/v2"
LATEST = 100
"""Runs that are read at once to find the newest of each DAG."""
WHOLE_LOG = END_OF_LOG = 2 * 1024 * 1024
"""Bytes of a log that is shown whole, and of the end of one that is longer: more lines than a page keeps."""
LONGEST = 60.0
"""Seconds that the end of a log may take to come, which is behind all the rest of it."""
IN_AIRFLOW = "Open the log in Airflow."


class Airflow:
    """One Airflow. Every call but those of `version` and `monitor`, which are public there, is made as a person."""

    def __init__(self, context: Context[Settings]) -> None:
        self._context = context

    async def version(self) -> str:
        """Its version. Raises `UpstreamError` for an Airflow 2, and for what is no Airflow."""
        answer = await self._ask("GET", f"{API}/version")
        if answer.status < 300:
            return _read(Version, answer).version
        if answer.status != 404:
            errors.refuse(answer, "say its version")
        older = await self._ask("GET", "/api/v1/version")
        raise errors.too_old(_read(Version, older).version) if older.status < 300 else errors.unreadable(answer)

    async def monitor(self) -> Monitor:
        """How its processes are."""
        return _read(Monitor, await self._ask("GET", f"{API}/monitor/health"), "say how it is")

    async def dags(
        self, person: Principal, *, search: str = "", paused: bool | None = None, limit: int = 50, offset: int = 0
    ) -> DagCollection:
        """DAGs by name; `search` is a part of it. Stale ones, whose file is gone, are left out."""
        wanted = {"limit": str(limit), "offset": str(offset), "order_by": "dag_id", "exclude_stale": "true"}
        if search:
            wanted["dag_id_pattern"] = search
        if paused is not None:
            wanted["paused"] = str(paused).lower()
        answer = await self._ask("GET", f"{API}/dags", wanted, person=person)
        if answer.status == 404:
            await self.version()  # an Airflow 2 has no such address, and says so here
        return _read(DagCollection, answer, "list DAGs")

    async def latest_runs(self, person: Principal, dags: Sequence[Dag], each: int) -> dict[str, list[DagRun]]:
        """The newest runs of these DAGs, at most `each`, newest first: one call, and one more for each DAG whose runs
        are all older than the newest hundred of them together."""
        ids = [dag.dag_id for dag in dags]
        if not ids:
            return {}
        asked = {"dag_ids": ids, "order_by": "-run_after", "page_limit": LATEST}
        answer = await self._ask("POST", f"{API}/dags/~/dagRuns/list", body=asked, person=person)
        together = _read(DagRunCollection, answer, "list runs")
        found: dict[str, list[DagRun]] = {dag_id: [] for dag_id in ids}
        for run in together.dag_runs:
            found.setdefault(run.dag_id, []).append(run)
        if (together.total_entries or 0) > LATEST:
            for dag_id in (dag_id for dag_id in ids if not found[dag_id]):
                found[dag_id] = (await self.runs(person, dag_id, limit=each)).dag_runs
        return {dag_id: runs[:each] for dag_id, runs in found.items()}

    async def dag(self, person: Principal, dag_id: str) -> DagDetails:
        """One DAG."""
        answer = await self._ask("GET", f"{API}/dags/{_segment(dag_id)}/details", person=person)
        return _read(DagDetails, answer, f"see the DAG {dag_id}")

    async def runs(self, person: Principal, dag_id: str, *, limit: int, offset: int = 0) -> DagRunCollection:
        """Runs of a DAG, newest first."""
        wanted = {"limit": str(limit), "offset": str(offset), "order_by": "-run_after"}
        answer = await self._ask("GET", f"{API}/dags/{_segment(dag_id)}/dagRuns", wanted, person=person)
        return _read(DagRunCollection, answer, f"list runs of {dag_id}")

    async def run(self, person: Principal, dag_id: str, run_id: str) -> DagRun:
        """One run."""
        answer = await self._ask("GET", _run(dag_id, run_id), person=person)
        return _read(DagRun, answer, f"see the run {run_id} of {dag_id}")

    async def tasks(self, person: Principal, dag_id: str, run_id: str, limit: int) -> TaskInstanceCollection:
        """Task instances of a run, in the order in which they began."""
        wanted = {"limit": str(limit), "order_by": "start_date"}
        answer = await self._ask("GET", f"{_run(dag_id, run_id)}/taskInstances", wanted, person=person)
        return _read(TaskInstanceCollection, answer, f"list tasks of {run_id}")

    async def log(
        self,
        person: Principal,
        dag_id: str,
        run_id: str,
        task_id: str,
        *,
        attempt: int,
        map_index: int,
        token: str | None,
    ) -> LogPage:
        """A log from its beginning, or from where `token` ended. Of one that is too long for that the last lines; how
        many entries come before them is counted, and nothing is told of what may come after.

        A log is read in a thread: millions of characters would hold everybody else up.
        """
        wanted = {"map_index": str(map_index), **({"token": token} if token else {})}
        path = f"{_run(dag_id, run_id)}/taskInstances/{_segment(task_id)}/logs/{attempt}"
        try:
            answer = await self._ask("GET", path, wanted, person=person, max_body=WHOLE_LOG)
        except UpstreamAnswerTooLarge:
            skipped, lines = await self._end_of_log(path, wanted, person)
            return LogPage(lines=await asyncio.to_thread(lines_of_ndjson, lines), token=None, dropped=skipped)
        return await asyncio.to_thread(_log_page, answer, f"read the log of {task_id}")

    async def _end_of_log(self, path: str, wanted: Mapping[str, str], person: Principal) -> tuple[int, list[bytes]]:
        ndjson = {"accept": "application/x-ndjson"}
        call = self._context.upstream(errors.NAME).stream(
            "GET", path, params=wanted, headers=ndjson, on_behalf_of=person
        )
        tail = Tail(END_OF_LOG)
        try:
            async with asyncio.timeout(LONGEST), call as pieces:
                async for piece in pieces:
                    tail.add(piece)
        except TimeoutError as error:
            raise UpstreamUnavailable(
                f"{errors.NAME} did not send the log within {LONGEST:g} s.", upstream=errors.NAME, remedy=IN_AIRFLOW
            ) from error
        return tail.dropped, tail.lines()

    async def trigger(
        self,
        person: Principal,
        dag_id: str,
        *,
        conf: Mapping[str, Any],
        note: str | None = None,
        run_id: str | None = None,
    ) -> DagRun:
        """Start a run. A paused DAG's stays queued until the DAG goes on."""
        body = {"logical_date": None, "conf": dict(conf), "note": note, "dag_run_id": run_id}
        answer = await self._ask("POST", f"{API}/dags/{_segment(dag_id)}/dagRuns", body=body, person=person)
        return _read(DagRun, answer, f"start {dag_id}")

    async def set_paused(self, person: Principal, dag_id: str, is_paused: bool) -> Dag:
        """Pause a DAG, or let it go on."""
        body, what = {"is_paused": is_paused}, f"{'pause' if is_paused else 'resume'} {dag_id}"
        return _read(Dag, await self._ask("PATCH", f"{API}/dags/{_segment(dag_id)}", body=body, person=person), what)

    async def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        person: Principal | None = None,
        max_body: int | None = None,
    ) -> UpstreamResponse:
        if self._context.settings.address is None:
            raise NotFound("No Airflow is configured.", remedy="Set plugins.airflow_dbt.address.")
        return await self._context.upstream(errors.NAME).request(
            method, path, params=params, json=body, on_behalf_of=person, raise_for_status=False, max_body=max_body
        )


def _run(dag_id: str, run_id: str) -> str:
    return f"{API}/dags/{_segment(dag_id)}/dagRuns/{_segment(run_id)}"


def _segment(name: str) -> str:
    """A name as one segment of a path. Raises `NotFound` for what cannot be one: nothing in Airflow is called so.
    Servers decode `%2F` before they route, so a name with a slash would be another address."""
    if not name or name in (".", "..", "~") or "/" in name or "\\" in name:
        raise NotFound(f"Airflow has nothing that is called {name!r}.")
    return quote(name, safe="")


def _log_page(answer: UpstreamResponse, what: str) -> LogPage:
    found = _read(Log, answer, what)
    return LogPage(lines=lines_of(found.content), token=found.continuation_token)


def _read(kind: type[A], answer: UpstreamResponse, what: str = "") -> A:
    if not 200 <= answer.status < 300:
        errors.refuse(answer, what)
    try:
        return kind.model_validate(json.loads(answer.content))
    except (ValueError, ValidationError) as error:
        raise errors.unreadable(answer) from error
