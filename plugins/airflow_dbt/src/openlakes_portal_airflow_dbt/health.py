"""Health of Airflow: its API server, and what this says of the processes behind it, each by its name."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from openlakes_portal.spi import HealthCheck, HealthReport, UpstreamUnavailable
from openlakes_portal_airflow_dbt.answers import Component, Monitor
from openlakes_portal_airflow_dbt.client import Airflow
from openlakes_portal_airflow_dbt.settings import Settings

INTERVAL = 5.0
KEPT = 2.0
"""Seconds for which one answer serves all the checks."""

Check = Callable[[], Awaitable[HealthReport]]
Part = Callable[[Monitor], Component | None]


class Observed:
    """What Airflow last said of its processes, asked once for all who want to know."""

    def __init__(self, airflow: Airflow) -> None:
        self._airflow = airflow
        self._asked = float("-inf")
        self._asking: asyncio.Task[Monitor] | None = None

    async def monitor(self) -> Monitor:
        """The answer of at most two seconds ago."""
        running = self._asking
        if (
            running is None
            or time.monotonic() - self._asked > KEPT
            or running.get_loop() is not asyncio.get_running_loop()
        ):
            self._asked = time.monotonic()
            running = self._asking = asyncio.create_task(self._airflow.monitor())
            running.add_done_callback(_seen)
        return await asyncio.shield(running)


def _seen(asked: asyncio.Task[Monitor]) -> None:
    """Take note of a failure also where nobody waits any more."""
    if not asked.cancelled():
        asked.exception()


def health_checks(airflow: Airflow, settings: Settings) -> list[HealthCheck]:
    """One a process; an Airflow that is not configured is said too."""
    if settings.address is None:
        return [HealthCheck("airflow", _not_configured, title="Airflow", interval=60.0)]
    timeout = min(settings.timeout + 1.0, 20.0)
    observed, address = Observed(airflow), str(settings.address)

    def one(name: str, title: str, check: Check) -> HealthCheck:
        return HealthCheck(
            name, check, timeout=timeout, interval=INTERVAL, title=f"{settings.title} {title}", address=address
        )

    checks = [
        one("api-server", "API server", _api_server(airflow, observed)),
        one("scheduler", "scheduler", _process(observed, "scheduler", "No DAG runs", lambda m: m.scheduler)),
        one(
            "dag-processor",
            "DAG processor",
            _process(observed, "dag-processor", "New and changed DAGs are not seen", lambda m: m.dag_processor),
        ),
    ]
    if settings.triggerer:
        effect = "Tasks that wait for an event wait for ever"
        checks.append(one("triggerer", "triggerer", _process(observed, "triggerer", effect, lambda m: m.triggerer)))
    return checks


async def _not_configured() -> HealthReport:
    return HealthReport.missing("No Airflow is configured.", "Set plugins.airflow_dbt.address.")


def _api_server(airflow: Airflow, observed: Observed) -> Check:
    async def check() -> HealthReport:
        version = await airflow.version()
        if (await observed.monitor()).metadatabase.status != "healthy":
            return HealthReport.down(
                "The API server cannot reach its metadata database.",
                "Start the database, or correct Airflow's [database] sql_alchemy_conn.",
                version=version,
            )
        return HealthReport.healthy(version=version)

    return check


def _process(observed: Observed, name: str, effect: str, part: Part) -> Check:
    start = f"Start it: `airflow {name}`."
    if name == "triggerer":
        start = "Start it: `airflow triggerer`; where none is wanted set plugins.airflow_dbt.triggerer to false."

    async def check() -> HealthReport:
        try:
            component = part(await observed.monitor())
        except UpstreamUnavailable as error:
            return HealthReport("unknown", f"Nobody can tell while the API server does not answer: {error.detail}")
        if component is None or component.status is None:
            return HealthReport.missing(f"No {name} has ever reported to Airflow. {effect}.", start)
        if component.status != "healthy":
            return HealthReport.down(f"The {name} has not reported {_since(component.heartbeat)}. {effect}.", start)
        return HealthReport.healthy()

    return check


def _since(heartbeat: datetime | None) -> str:
    if heartbeat is None:
        return "for long"
    return f"since {heartbeat.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
