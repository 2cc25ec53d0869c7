"""What the two servers know, put together: targets, alerts with what became of them, silences, figures.

An alert is *pending* while its rule waits to be sure, *firing* once it is, *silenced* where a silence keeps it from
people, *inhibited* where another alert does. Prometheus knows the first two, Alertmanager the others; they are matched
by labels, to which Prometheus adds its external ones on the way. What only Alertmanager has came from elsewhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, Field

from openlakes_portal_observability.answers import ActiveTarget, ReceivedAlert, RuleAlert, Silence

MOST_ROWS = 2_000
NAME = "alertname"
HIDDEN = (NAME, "severity")
SEVERITIES = ("critical", "error", "warning", "info")

AlertState = Literal["firing", "pending", "silenced", "inhibited"]


class TargetView(BaseModel):
    """A target as it is shown."""

    job: str
    instance: str
    state: Literal["healthy", "down", "unknown"]
    last_scrape: str | None
    seconds: float | None
    error: str = Field(description="Why it could not be read; empty where it could")
    url: str


class AlertView(BaseModel):
    """An alert as it is shown."""

    name: str
    state: AlertState
    severity: str
    summary: str
    since: str | None
    labels: str
    silence: str = Field(description="Comment of the silence that keeps it from people; empty where none does")


class SilenceView(BaseModel):
    """A silence as it is shown."""

    matchers: str
    state: str
    comment: str
    created_by: str
    ends_at: str


_STATES: dict[str, Literal["healthy", "down", "unknown"]] = {"up": "healthy", "down": "down"}


def target_views(targets: Iterable[ActiveTarget]) -> list[TargetView]:
    """What is down first, then by job and instance."""
    views = [
        TargetView(
            job=target.labels.get("job", ""),
            instance=target.labels.get("instance", target.url),
            state=_STATES.get(target.health, "unknown"),
            last_scrape=_time(target.last_scrape),
            seconds=target.seconds,
            error=target.last_error,
            url=target.url,
        )
        for target in targets
    ]
    order = ("down", "unknown", "healthy")
    return sorted(views, key=lambda view: (order.index(view.state), view.job, view.instance))


def alert_views(
    rules: Sequence[RuleAlert], received: Sequence[ReceivedAlert], silences: Sequence[Silence]
) -> list[AlertView]:
    """What people must know first; `received` is empty where there is no Alertmanager."""
    left: defaultdict[str, list[ReceivedAlert]] = defaultdict(list)
    for one in received:
        left[one.labels.get(NAME, "")].append(one)
    views: list[AlertView] = []
    for alert in rules:
        others = left[alert.labels.get(NAME, "")]
        match = next((one for one in others if alert.labels.items() <= one.labels.items()), None)
        if match is not None:
            others.remove(match)
        views.append(_view(alert.labels, alert.annotations, alert.active_at, alert.state, match, silences))
    elsewhere = [one for others in left.values() for one in others]
    views += [_view(one.labels, one.annotations, one.starts_at, "firing", one, silences) for one in elsewhere]
    return sorted(views, key=_urgency)


def silence_views(silences: Iterable[Silence]) -> list[SilenceView]:
    """Those that end soonest first."""
    views = [
        SilenceView(
            matchers=", ".join(str(matcher) for matcher in silence.matchers),
            state=silence.status.state,
            comment=silence.comment,
            created_by=silence.created_by,
            ends_at=silence.ends_at,
        )
        for silence in silences
    ]
    return sorted(views, key=lambda view: view.ends_at)


def _view(
    labels: dict[str, str],
    annotations: dict[str, str],
    since: str | None,
    state: AlertState,
    match: ReceivedAlert | None,
    silences: Sequence[Silence],
) -> AlertView:
    silenced_by = match.status.silenced_by if match is not None else []
    if silenced_by:
        state = "silenced"
    elif match is not None and match.status.inhibited_by:
        state = "inhibited"
    comment = next((silence.comment for silence in silences if silence.id in silenced_by), "")
    return AlertView(
        name=labels.get(NAME, "unnamed"),
        state=state,
        severity=labels.get("severity", ""),
        summary=annotations.get("summary") or annotations.get("description", ""),
        since=_time(since),
        labels=", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name not in HIDDEN),
        silence=comment,
    )


def _urgency(view: AlertView) -> tuple[int, int, str, str]:
    states = ("firing", "pending", "silenced", "inhibited")
    rank = SEVERITIES.index(view.severity) if view.severity in SEVERITIES else len(SEVERITIES)
    return states.index(view.state), rank, view.name, view.labels


def _time(text: str | None) -> str | None:
    """None for the beginning of time, which Go writes where nothing happened yet."""
    return None if text is None or text.startswith("0001-") else text
