"""Watching components: each check in its plugin's lane, with deadline and jitter; changes go to who listens.

Every declared check is listed from the start as `unknown`. What a check does wrong stays on its own tile.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.lanes import Lane, LaneBlocked, LaneTimeout
from openlakes_portal._host.records import PluginRecord
from openlakes_portal._http import metrics
from openlakes_portal._store.clock import now
from openlakes_portal.spi import Deployment, Event, HealthCheck, HealthReport, PortalError

log = structlog.get_logger("health")
QUEUE = 256


@dataclass(frozen=True)
class Component:
    """A component as `/api/components` shows it."""

    id: str
    plugin: str
    title: str
    state: str
    cause: str | None
    remedy: str | None
    since: datetime
    checked_at: datetime | None
    details: Mapping[str, str]


class HealthMonitor:
    """All components of this portal, as this process sees them."""

    def __init__(
        self,
        contributions: Iterable[Contribution],
        records: Iterable[PluginRecord],
        lanes: Mapping[str, Lane],
        deployments: Sequence[Deployment] = (),
    ) -> None:
        self._lanes = lanes
        self._deployments = deployments
        self._checks = [(c, check) for c in contributions for check in c.checks]
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: set[asyncio.Queue[Event]] = set()
        moment = now()
        self._components: dict[str, Component] = {}
        for contribution, check in self._checks:
            key = f"{contribution.id}.{check.name}"
            title = check.title or f"{contribution.manifest.title} {check.name}"
            self._components[key] = Component(
                key, contribution.id, title, "unknown", "Not checked yet.", None, moment, None, {}
            )
        for record in records:
            if record.state == "quarantined":
                key = f"core.plugin-{record.id}"
                self._components[key] = Component(
                    key, "core", f"Plugin {record.title}", "down", record.reason, record.remedy, moment, moment, {}
                )

    @property
    def components(self) -> list[Component]:
        """All of them, in a fixed order."""
        return list(self._components.values())

    def start(self) -> None:
        """Begin to check; the first round is spread over a second at most."""
        self._tasks = [asyncio.create_task(self._watch(c, check)) for c, check in self._checks]

    async def stop(self) -> None:
        """Stop checking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self, contribution: Contribution, check: HealthCheck) -> None:
        await asyncio.sleep(random.uniform(0, min(0.3, check.interval)))  # noqa: S311 - jitter
        while True:
            report = self._seen_by_deployments(check, await self._ask(contribution, check))
            self._update(f"{contribution.id}.{check.name}", report)
            await asyncio.sleep(check.interval * random.uniform(0.85, 1.15))  # noqa: S311 - jitter

    async def _ask(self, contribution: Contribution, check: HealthCheck) -> HealthReport:
        try:
            if contribution.builtin:
                async with asyncio.timeout(check.timeout):
                    report = await check.check()
            else:
                report = await self._lanes[contribution.id].run(check.check, seconds=check.timeout)
        except (LaneTimeout, TimeoutError):
            return HealthReport.degraded(
                f"The check did not answer within {check.timeout:g} s.", "See whether the component is overloaded."
            )
        except LaneBlocked as error:
            return HealthReport.degraded(
                f"The check of the plugin {contribution.id} does not give control back: {error}.",
                "Its code must not block: `await`, or `context.in_thread`.",
            )
        except PortalError as error:
            return HealthReport.down(error.detail, error.remedy)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            log.warning("health check raised", component=f"{contribution.id}.{check.name}", error=repr(error))
            return HealthReport.degraded(
                f"The check itself failed: {type(error).__name__}: {str(error)[:200]}",
                f"Mend the check {check.name!r} of the plugin {contribution.id}.",
            )
        if not isinstance(report, HealthReport):
            return HealthReport.degraded(
                f"The check returned {type(report).__name__} instead of a HealthReport.",
                f"Mend the check {check.name!r} of the plugin {contribution.id}.",
            )
        return report

    def _seen_by_deployments(self, check: HealthCheck, report: HealthReport) -> HealthReport:
        """What whoever starts the system says of it, where the check found it not well."""
        if report.state == "healthy" or check.address is None:
            return report
        for deployment in self._deployments:
            try:
                known = deployment.report(check.address)
            except Exception as error:
                log.warning("a deployment cannot say how far a system is", address=check.address, error=repr(error))
                continue
            if known is not None:
                return known
        return report

    def _update(self, key: str, report: HealthReport) -> None:
        old = self._components[key]
        moment = now()
        changed = (report.state, report.cause, report.remedy) != (old.state, old.cause, old.remedy)
        new = replace(
            old,
            state=report.state,
            cause=report.cause,
            remedy=report.remedy,
            since=moment if report.state != old.state else old.since,
            checked_at=moment,
            details=dict(report.details),
        )
        self._components[key] = new
        metrics.components.labels(key).set(1.0 if report.state == "healthy" else 0.0)
        if changed:
            if old.state != new.state:
                log.info("component changed", component=key, state=new.state, before=old.state, cause=new.cause)
            self._tell(Event(new, "component"))

    def _tell(self, event: Event) -> None:
        for queue in list(self._listeners):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(self._snapshot())

    def _snapshot(self) -> Event:
        return Event({"items": self.components, "checked_at": now()}, "snapshot")

    async def follow(self) -> AsyncIterator[Event]:
        """All components, then each change; a slow reader gets a new snapshot instead of a backlog."""
        queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE)
        self._listeners.add(queue)
        try:
            yield self._snapshot()
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    def details(self) -> dict[str, Any]:
        """How many are in which state."""
        counts: dict[str, int] = {}
        for component in self._components.values():
            counts[component.state] = counts.get(component.state, 0) + 1
        return counts
