"""What the two servers know, put together: targets, alerts with what became of them, silences, figures.

An alert is *pending* while its rule waits to be sure, *firing* once it is, *silenced* where a silence keeps it from
people, *inhibited* where another alert does. Prometheus knows the first two, Alertmanager the others; they are matched
by labels, to which Prometheus adds its external ones on the way. What only Alertmanager has came from elsewhere.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
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


class UrgentView(BaseModel):
    """All alerts of one name that are on, for Home: one cause rarely raises only one."""

    name: str
    state: AlertState
    summary: str = Field(description="Of the most urgent one")
    since: str | None = Field(description="When the first of them began")
    alerts: int


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
    comments = {silence.id: silence.comment for silence in silences}
    unmatched = _Unmatched(received)
    views = [
        _view(alert.labels, alert.annotations, alert.active_at, alert.state, unmatched.taken(alert), comments)
        for alert in rules
    ]
    views += [_view(one.labels, one.annotations, one.starts_at, "firing", one, comments) for one in unmatched.left()]
    return sorted(views, key=_urgency)


def urgent_views(alerts: Sequence[AlertView]) -> list[UrgentView]:
    """By name, of what fires or is pending; `alerts` come most urgent first, and so do the names."""
    by_name: dict[str, list[AlertView]] = {}
    for alert in alerts:
        if alert.state in ("firing", "pending"):
            by_name.setdefault(alert.name, []).append(alert)
    return [
        UrgentView(
            name=name,
            state=named[0].state,
            summary=named[0].summary,
            since=min((alert.since for alert in named if alert.since), default=None),
            alerts=len(named),
        )
        for name, named in by_name.items()
    ]


class _Unmatched:
    """Alerts of Alertmanager that no rule's alert was found for yet. Indexed by the labels that a rule's alerts have:
    in an outage thousands of alerts bear one name, and each compared with each would hold up the portal."""

    def __init__(self, received: Sequence[ReceivedAlert]) -> None:
        self._received = received
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(received):
            self._by_name[one.labels.get(NAME, "")].append(place)
        self._indexes: dict[tuple[str, tuple[str, ...]], defaultdict[tuple[str, ...], deque[int]]] = {}
        self._taken: set[int] = set()

    def taken(self, alert: RuleAlert) -> ReceivedAlert | None:
        """What became of a rule's alert: the first that has all of its labels, which is nobody else's then."""
        names = tuple(sorted(alert.labels))
        waiting = self._index(alert.labels.get(NAME, ""), names)[tuple(alert.labels[name] for name in names)]
        while waiting:
            place = waiting.popleft()
            if place not in self._taken:
                self._taken.add(place)
                return self._received[place]
        return None

    def left(self) -> list[ReceivedAlert]:
        """Those that came from elsewhere."""
        return [one for place, one in enumerate(self._received) if place not in self._taken]

    def _index(self, alertname: str, names: tuple[str, ...]) -> "defaultdict[tuple[str, ...], deque[int]]":
        known = self._indexes.get((alertname, names))
        if known is None:
            known = self._indexes[alertname, names] = defaultdict(deque)
            for place in self._by_name[alertname]:
                labels = self._received[place].labels
                if all(name in labels for name in names):
                    known[tuple(labels[name] for name in names)].append(place)
        return known


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
    comments: Mapping[str, str],
) -> AlertView:
    silenced_by = match.status.silenced_by if match is not None else []
    if silenced_by:
        state = "silenced"
    elif match is not None and match.status.inhibited_by:
        state = "inhibited"
    comment = next((comments[id] for id in silenced_by if id in comments), "")
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
