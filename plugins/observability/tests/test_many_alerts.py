"""In an outage thousands of alerts bear one name: they are put together in a moment, and rightly."""

import time

from openlakes_portal_observability.answers import ReceivedAlert, RuleAlert, Silence
from openlakes_portal_observability.findings import alert_views

MANY = 8_000


def rule(**labels: str) -> RuleAlert:
    return RuleAlert(labels={"alertname": "TargetDown", **labels}, state="firing", activeAt="2026-01-01T00:00:00Z")


def received(silenced_by: tuple[str, ...] = (), **labels: str) -> ReceivedAlert:
    status = {"state": "suppressed" if silenced_by else "active", "silencedBy": list(silenced_by)}
    return ReceivedAlert.model_validate(
        {"labels": {"alertname": "TargetDown", **labels}, "startsAt": "2026-01-01T00:00:00Z", "status": status}
    )


def test_thousands_of_one_name_take_no_time_to_speak_of() -> None:
    rules = [rule(instance=f"host-{n}") for n in range(MANY)]
    others = [received(instance=f"host-{n}", cluster="a") for n in reversed(range(MANY))]
    began = time.perf_counter()
    views = alert_views(rules, others, [])
    assert time.perf_counter() - began < 2.0, "each was compared with each"
    assert len(views) == MANY


def test_an_alert_is_taken_by_one_rule_only_and_what_is_left_came_from_elsewhere() -> None:
    silence = Silence.model_validate(
        {"id": "s", "matchers": [], "startsAt": "x", "endsAt": "y", "comment": "known", "status": {"state": "active"}}
    )
    rules = [rule(instance="a"), rule(instance="a"), rule()]
    others = [received(("s",), instance="a", cluster="1"), received(instance="b"), received(instance="c")]
    views = alert_views(rules, others, [silence])
    assert [(view.state, view.silence, view.labels) for view in views] == [
        ("firing", "", ""),
        ("firing", "", "instance=a"),
        ("firing", "", "instance=c"),
        ("silenced", "known", "instance=a"),
    ]
