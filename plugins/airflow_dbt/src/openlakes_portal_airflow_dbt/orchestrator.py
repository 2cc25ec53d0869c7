"""Airflow as the portal's `Orchestrator`: jobs are DAGs, parameters a run's configuration."""

from collections.abc import Mapping

from openlakes_portal.spi import Principal, RunState
from openlakes_portal_airflow_dbt.answers import DagRun
from openlakes_portal_airflow_dbt.client import Airflow


class AirflowOrchestrator:
    """Starts and watches runs of DAGs as a person: Airflow decides what they may."""

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow

    async def trigger(self, principal: Principal, job: str, parameters: Mapping[str, str]) -> RunState:
        """Start a run of a DAG."""
        return _state(await self._airflow.trigger(principal, job, conf=parameters))

    async def run(self, principal: Principal, job: str, run_id: str) -> RunState:
        """One run's state: queued, running, success or failed."""
        return _state(await self._airflow.run(principal, job, run_id))


def _state(run: DagRun) -> RunState:
    return RunState(run.dag_run_id, run.dag_id, run.state, run.start_date, run.end_date)
