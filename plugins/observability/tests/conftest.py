"""Fixtures: a portal with this plugin alone, in front of two fakes that answer as the real servers did when they were
asked (test_real_servers.py holds the fakes to it)."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from openlakes_portal.testing import FakeUpstream, candidate_for
from openlakes_portal_observability import plugin

Upstreams = Callable[[str], FakeUpstream]
API = "/api/plugins/observability"


def target(job: str, instance: str, health: str = "up", error: str = "") -> dict[str, Any]:
    """A target as Prometheus tells of it."""
    return {
        "discoveredLabels": {"__address__": instance},
        "labels": {"job": job, "instance": instance},
        "scrapePool": job,
        "scrapeUrl": f"http://{instance}/metrics",
        "globalUrl": f"http://machine:{instance}/metrics",
        "lastError": error,
        "lastScrape": "2026-11-26T03:00:09.186077081Z",
        "lastScrapeDuration": 0.003,
        "health": health,
    }


def rule_alert(name: str, state: str = "firing", **labels: str) -> dict[str, Any]:
    """An alert as Prometheus tells of it."""
    return {
        "labels": {"alertname": name, **labels},
        "annotations": {"summary": f"{name} is on"},
        "state": state,
        "activeAt": "2026-11-26T03:00:01.088506075Z",
        "value": "1e+00",
    }


def received_alert(
    name: str, silenced_by: Iterable[str] = (), inhibited_by: Iterable[str] = (), **labels: str
) -> dict[str, Any]:
    """An alert as Alertmanager tells of it."""
    silenced, inhibited = list(silenced_by), list(inhibited_by)
    return {
        "labels": {"alertname": name, **labels},
        "annotations": {"summary": f"{name} is on"},
        "startsAt": "2026-11-26T03:00:01.088Z",
        "endsAt": "2026-11-26T03:05:01.088Z",
        "updatedAt": "2026-11-26T03:00:09.089Z",
        "fingerprint": "57b54a286fea56fd",
        "receivers": [{"name": "none"}],
        "generatorURL": "http://machine:9090/graph",
        "status": {
            "state": "suppressed" if silenced or inhibited else "active",
            "silencedBy": silenced,
            "inhibitedBy": inhibited,
        },
    }


def silence(id: str, comment: str, state: str = "active") -> dict[str, Any]:
    """A silence as Alertmanager tells of it."""
    return {
        "id": id,
        "status": {"state": state},
        "comment": comment,
        "createdBy": "somebody",
        "matchers": [{"name": "alertname", "value": "Lag", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-11-26T03:00:10.060Z",
        "endsAt": "2026-11-27T00:00:00.000Z",
        "updatedAt": "2026-11-26T03:00:10.060Z",
    }


def answers(
    upstream: Upstreams,
    targets: list[dict[str, Any]] | None = None,
    rules: list[dict[str, Any]] | None = None,
    received: list[dict[str, Any]] | None = None,
    silences: list[dict[str, Any]] | None = None,
) -> None:
    """Have both fakes answer everything that is asked of them."""
    prometheus, alertmanager = upstream("prometheus"), upstream("alertmanager")
    for fake in (prometheus, alertmanager):
        fake.get("/-/ready").answers_raw(b"OK", "text/plain")

    def success(path: str, data: Any) -> None:
        prometheus.get(f"/api/v1/{path}").answers({"status": "success", "data": data})

    success("status/buildinfo", {"version": "2.42.0"})
    success("targets", {"activeTargets": targets or [], "droppedTargets": []})
    success("alerts", {"alerts": rules or []})
    success("alertmanagers", {"activeAlertmanagers": [{"url": "http://x/api/v2/alerts"}], "droppedAlertmanagers": []})
    alertmanager.get("/api/v2/status").answers({"versionInfo": {"version": "0.25.0"}, "config": {"original": "secret"}})
    alertmanager.get("/api/v2/alerts").answers(received or [])
    alertmanager.get("/api/v2/silences").answers(silences or [])


@pytest.fixture
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's answer is kept for no time: tests change it and look at once."""
    monkeypatch.setattr("openlakes_portal_observability.shared.SECONDS", 0.0)


@pytest.fixture
def portal_plugins() -> list[Any]:
    """This plugin and no other."""
    return [candidate_for("observability", plugin)]


@pytest.fixture
def portal_settings(upstream: Upstreams, asked_each_time: None) -> dict[str, Any]:
    """Both servers are the fakes."""
    servers = {name: {"address": upstream(name).address, "timeout": 2} for name in ("prometheus", "alertmanager")}
    return {"plugins": {"observability": servers}}
