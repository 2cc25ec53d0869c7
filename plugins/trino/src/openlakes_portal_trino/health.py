"""Health of the SQL engines: can each be asked, and what is wrong where not."""

from collections.abc import Awaitable, Callable

from openlakes_portal.spi import HealthCheck, HealthReport
from openlakes_portal_trino.workspace import Workspace

Check = Callable[[], Awaitable[HealthReport]]


def health_checks(workspace: Workspace) -> list[HealthCheck]:
    """One a configured engine; none configured is said too."""
    if not workspace.engines:
        return [HealthCheck("engine", _none_configured, title="SQL engine", interval=60.0)]
    results: list[HealthCheck] = []
    trino = workspace.context.settings.trino.address
    if workspace.context.settings.results.s3 is not None:
        results = [
            HealthCheck("results", _results(workspace), timeout=30.0, interval=30.0, title="Store of SQL results")
        ]
    return [
        *results,
        *(
            HealthCheck(
                f"engine-{id}",
                _check(workspace, id),
                timeout=5.0,
                interval=10.0,
                title=engine.title,
                address=str(trino) if id == "trino" and trino else None,
            )
            for id, engine in workspace.engines.items()
        ),
    ]


async def _none_configured() -> HealthReport:
    return HealthReport.missing(
        "No SQL engine is configured.",
        "Set plugins.trino.trino.address, or plugins.trino.duckdb.catalogs.",
    )


def _results(workspace: Workspace) -> Check:
    async def check() -> HealthReport:
        await workspace.context.in_thread(workspace.results.check)
        return HealthReport.healthy()

    return check


def _check(workspace: Workspace, id: str) -> Check:
    if id == "duckdb":
        return workspace.embedded.health
    return workspace.coordinator.health
