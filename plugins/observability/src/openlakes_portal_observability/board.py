"""The board: one place that asks both servers and says what is missing where one does not answer.

What one server knows is shown although the other is away; then `missing` says which, and why.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from pydantic import BaseModel, Field

from openlakes_portal.spi import Context, InvalidInput, PortalError
from openlakes_portal_observability.answers import ActiveTarget, ReceivedAlert, RuleAlert, Silence
from openlakes_portal_observability.client import Alertmanager, Prometheus
from openlakes_portal_observability.findings import (
    MOST_ROWS,
    AlertView,
    SilenceView,
    TargetView,
    UrgentView,
    alert_views,
    silence_views,
    target_views,
    urgent_views,
)
from openlakes_portal_observability.settings import Settings
from openlakes_portal_observability.shared import Shared

T = TypeVar("T")
NONE_CONFIGURED = "Neither Prometheus nor Alertmanager is configured."
REMEDY = "Set plugins.observability.prometheus.address, and plugins.observability.alertmanager.address."


class Targets(BaseModel):
    """What is scraped; `note` says in words what the rows do not."""

    items: list[TargetView]
    up: int
    down: int
    total: int
    note: str = ""


class Alerts(BaseModel):
    """Alerts; `note` says what is missing and why."""

    items: list[AlertView]
    firing: int
    pending: int
    silenced: int
    note: str = ""


class Silences(BaseModel):
    """Silences that hold or will hold."""

    items: list[SilenceView]


class Summary(BaseModel):
    """For Home: figures, and the most urgent alerts. A figure is None where nobody could say it."""

    firing: int | None
    silenced: int | None
    targets_down: int | None
    targets: int | None
    urgent: list[UrgentView] = Field(description="At most five names, firing ones first")
    note: str


class Board:
    """Targets, alerts and silences of one portal's two servers, as they were at most two seconds ago."""

    def __init__(self, context: Context[Settings]) -> None:
        self._settings = context.settings
        self.prometheus = Prometheus(context)
        self.alertmanager = Alertmanager(context)
        self._targets = Shared(self._ask_targets)
        self._alerts = Shared(self._ask_alerts)
        self._silences = Shared(self._ask_silences)

    async def targets(self) -> Targets:
        """What Prometheus scrapes. Raises what its client raises, and `InvalidInput` where there is none."""
        return await self._targets.get()

    async def alerts(self) -> Alerts:
        """What both know of alerts. Raises where neither can say."""
        return await self._alerts.get()

    async def silences(self) -> Silences:
        """Silences of Alertmanager; none where there is none."""
        return await self._silences.get()

    async def _ask_targets(self) -> Targets:
        if "prometheus" not in self._settings.servers:
            raise InvalidInput("No Prometheus is configured.", remedy=REMEDY)
        found = await self.prometheus.targets()
        views = target_views(found)
        notes = [self._own_metrics(found)]
        if len(views) > MOST_ROWS:
            notes.append(f"The first {MOST_ROWS:,} of {len(views):,} targets are shown, those that are down first.")
        return Targets(
            items=views[:MOST_ROWS],
            up=sum(view.state == "healthy" for view in views),
            down=sum(view.state == "down" for view in views),
            total=len(views),
            note=" ".join(notes),
        )

    async def _ask_alerts(self) -> Alerts:
        servers = self._settings.servers
        if not servers:
            raise InvalidInput(NONE_CONFIGURED, remedy=REMEDY)
        rules: list[RuleAlert] = []
        received: list[ReceivedAlert] = []
        silences: list[Silence] = []
        asked: list[tuple[str, Awaitable[object]]] = []

        async def ask_prometheus() -> None:
            rules.extend(await self.prometheus.alerts())

        async def ask_alertmanager() -> None:
            got, kept = await asyncio.gather(self.alertmanager.alerts(), self.alertmanager.silences())
            received.extend(got)
            silences.extend(kept)

        if "prometheus" in servers:
            asked.append(("which alerts are pending", ask_prometheus()))
        if "alertmanager" in servers:
            asked.append(("which alerts are silenced", ask_alertmanager()))
        outcomes = await asyncio.gather(*(call for _, call in asked), return_exceptions=True)
        missing: list[str] = []
        failures: list[PortalError] = []
        for (what, _), outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, PortalError):
                failures.append(outcome)
                missing.append(f"It is not known {what}: {outcome.detail}")
            elif isinstance(outcome, BaseException):
                raise outcome
        if len(failures) == len(asked):
            raise failures[0]
        if "alertmanager" not in servers:
            missing.append("No Alertmanager is configured, so nothing is known of silences.")
        views = alert_views(rules, received, silences)
        counts = {state: sum(view.state == state for view in views) for state in ("firing", "pending", "silenced")}
        if len(views) > MOST_ROWS:
            missing.append(f"The first {MOST_ROWS:,} of {len(views):,} alerts are shown, the most urgent first.")
        return Alerts(items=views[:MOST_ROWS], note=" ".join(missing), **counts)

    async def _ask_silences(self) -> Silences:
        if "alertmanager" not in self._settings.servers:
            return Silences(items=[])
        return Silences(items=silence_views(await self.alertmanager.silences())[:MOST_ROWS])

    async def summary(self) -> Summary:
        """For Home; never an error, because what cannot be said is said so."""
        alerts, targets = await asyncio.gather(_or_words(self.alerts()), _or_words(self.targets()))
        known = alerts if isinstance(alerts, Alerts) else None
        scraped = targets if isinstance(targets, Targets) else None
        notes = [alerts if isinstance(alerts, str) else alerts.note, targets if isinstance(targets, str) else ""]
        return Summary(
            firing=known.firing if known else None,
            silenced=known.silenced if known else None,
            targets_down=scraped.down if scraped else None,
            targets=scraped.total if scraped else None,
            urgent=urgent_views(known.items)[:5] if known else [],
            note=" ".join(dict.fromkeys(note for note in notes if note)),
        )

    def _own_metrics(self, targets: list[ActiveTarget]) -> str:
        job = self._settings.metrics_job
        own = [target for target in targets if target.labels.get("job") == job]
        if not own:
            return (
                f"This portal's own metrics are not scraped: no job is named {job}. Let Prometheus read /metrics of "
                "the portal, from an address of server.metrics_addresses or with an API token for core:metrics:read."
            )
        if any(target.health == "down" for target in own):
            return f"This portal's own metrics (job {job}) cannot be read: see the target below."
        return f"This portal's own metrics are scraped by the job {job}."


async def _or_words(call: Awaitable[T]) -> T | str:
    try:
        return await call
    except PortalError as error:
        return f"{error.detail} {error.remedy or ''}".strip()
