"""The real Prometheus and Alertmanager, as the stack starts them: what the fakes of the other tests imitate holds."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import API

pytestmark = pytest.mark.server


_sessions: dict[str, dict[str, str]] = {}


def ask(watched: Any, path: str, persona: str = "data-engineer") -> Any:
    if persona not in _sessions:
        _sessions[persona] = watched.portal.sign_in(persona)
    answer = watched.portal.ask(path, headers=_sessions[persona])
    assert answer.status == 200, answer.body
    return answer.json()


def until(holds: Callable[[], Any], seconds: float = 40) -> Any:
    """What `holds` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.3)
    return found


def component(watched: Any, name: str) -> dict[str, Any]:
    items = ask(watched, "/api/components", "platform-admin")["items"]
    found: dict[str, Any] = next(item for item in items if item["id"] == f"observability.{name}")
    return found


def test_the_portal_is_scraped_and_both_servers_say_their_versions(watched_portal: Any) -> None:
    def all_up() -> Any:
        found = ask(watched_portal, f"{API}/targets")
        return found if found["up"] == found["total"] == 3 else None

    found = until(all_up)
    assert {item["job"] for item in found["items"]} == {"openlakes-portal", "prometheus", "alertmanager"}
    assert found["note"] == "This portal's own metrics are scraped by the job openlakes-portal."
    prometheus = until(lambda: (c := component(watched_portal, "prometheus"))["state"] == "healthy" and c)
    assert prometheus["details"]["version"][0].isdigit()
    alertmanager = until(lambda: (c := component(watched_portal, "alertmanager"))["state"] == "healthy" and c)
    assert alertmanager["details"]["version"][0].isdigit()


def test_a_target_that_is_down_is_named_in_health_with_its_cause(watched_portal: Any) -> None:
    until(lambda: component(watched_portal, "targets")["state"] == "healthy")
    with watched_portal.server.watching("gone", "127.0.0.1:9"):
        found = until(lambda: (t := ask(watched_portal, f"{API}/targets"))["down"] == 1 and t)
        first = found["items"][0]
        assert (first["job"], first["instance"], first["state"]) == ("gone", "127.0.0.1:9", "down")
        assert "connection refused" in first["error"]
        degraded = until(lambda: (c := component(watched_portal, "targets"))["state"] == "degraded" and c)
        assert degraded["cause"] == "1 of 4 targets is down. gone at 127.0.0.1:9."


def test_an_alert_fires_and_is_silenced_in_alertmanager(watched_portal: Any) -> None:
    def of_name(name: str) -> dict[str, Any] | None:
        items = ask(watched_portal, f"{API}/alerts")["items"]
        return next((item for item in items if item["name"] == name), None)

    with watched_portal.server.alerting("Always", "vector(1)"):
        fires = until(lambda: (a := of_name("Always")) and a["state"] == "firing" and a)
        assert (fires["severity"], fires["summary"]) == ("warning", "Always")
        watched_portal.server.silence("Always", "it is a test")
        silenced = until(lambda: (a := of_name("Always")) and a["state"] == "silenced" and a)
        assert silenced["silence"] == "it is a test"
        kept = ask(watched_portal, f"{API}/silences")["items"]
        assert [(s["matchers"], s["created_by"]) for s in kept] == [('alertname="Always"', "a test")]
        assert ask(watched_portal, f"{API}/summary")["silenced"] == 1


def test_an_admin_opens_prometheus_through_the_gateway_and_others_do_not(watched_portal: Any) -> None:
    start = ask(watched_portal, "/api/bootstrap", "platform-admin")
    assert {"prometheus", "alertmanager"} <= {app["id"] for app in start["apps"]}
    start = ask(watched_portal, "/api/bootstrap")
    assert {"prometheus", "alertmanager"} & {app["id"] for app in start["apps"]} == set()
