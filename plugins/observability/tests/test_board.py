"""What the page and Home show, in front of fakes of the two servers."""

from typing import Any

from openlakes_portal.testing import PortalUnderTest, candidate_for, check_plugin, portal_for
from openlakes_portal_observability import plugin

from .conftest import API, Upstreams, answers, received_alert, rule_alert, silence, target


async def ask(portal: PortalUnderTest, path: str, persona: str = "data-engineer") -> Any:
    answer = await portal.signed_in(persona).get(f"{API}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_target_that_is_down_stands_first_with_its_last_error(
    portal: PortalUnderTest, upstream: Upstreams
) -> None:
    refused = 'Get "http://127.0.0.1:9/metrics": dial tcp 127.0.0.1:9: connect: connection refused'
    answers(upstream, targets=[target("a", "a:1"), target("z", "z:9", "down", refused), target("b", "b:1", "unknown")])
    found = await ask(portal, "targets")
    assert [(t["job"], t["state"]) for t in found["items"]] == [("z", "down"), ("b", "unknown"), ("a", "healthy")]
    assert found["items"][0]["error"] == refused
    assert (found["up"], found["down"], found["total"]) == (1, 1, 3)
    asked = [request.query for request in upstream("prometheus").requests if request.path == "/api/v1/targets"]
    assert asked
    assert all(query == {"state": "active"} for query in asked), "dropped ones may be thousands, and nobody reads them"


async def test_an_alert_is_one_whether_both_know_it_or_one_and_silences_are_told(
    portal: PortalUnderTest, upstream: Upstreams
) -> None:
    answers(
        upstream,
        rules=[
            rule_alert("Slow", "pending", severity="critical"),
            rule_alert("Lag", severity="warning", job="x"),
            rule_alert("Full", severity="critical"),
            rule_alert("Late", severity="info"),
        ],
        received=[
            received_alert("Lag", silenced_by=["s1"], severity="warning", job="x", site="added on the way"),
            received_alert("Full", severity="critical", site="added on the way"),
            received_alert("Late", inhibited_by=["f1"], severity="info"),
            received_alert("FromLogs", severity="critical"),
        ],
        silences=[silence("s1", "known, under repair"), silence("s0", "long over", "expired")],
    )
    found = await ask(portal, "alerts")
    assert [(a["name"], a["state"], a["silence"]) for a in found["items"]] == [
        ("FromLogs", "firing", ""),
        ("Full", "firing", ""),
        ("Slow", "pending", ""),
        ("Lag", "silenced", "known, under repair"),
        ("Late", "inhibited", ""),
    ]
    assert (found["firing"], found["pending"], found["silenced"], found["note"]) == (2, 1, 1, "")
    kept = await ask(portal, "silences")
    assert [(s["matchers"], s["comment"]) for s in kept["items"]] == [('alertname="Lag"', "known, under repair")]


async def test_two_alerts_of_one_name_are_told_apart_by_their_labels(
    portal: PortalUnderTest, upstream: Upstreams
) -> None:
    answers(
        upstream,
        rules=[rule_alert("Down", job="a"), rule_alert("Down", job="b")],
        received=[received_alert("Down", job="b", silenced_by=["s1"]), received_alert("Down", job="a")],
        silences=[silence("s1", "b is being moved")],
    )
    found = await ask(portal, "alerts")
    assert [(a["labels"], a["state"]) for a in found["items"]] == [("job=a", "firing"), ("job=b", "silenced")]


async def test_what_one_server_knows_is_shown_although_the_other_is_away(
    portal: PortalUnderTest, upstream: Upstreams
) -> None:
    answers(upstream, rules=[rule_alert("Slow", "pending")], received=[received_alert("FromLogs")])
    upstream("alertmanager").get("/api/v2/alerts").fails(500)
    found = await ask(portal, "alerts")
    assert [a["name"] for a in found["items"]] == ["Slow"]
    assert found["note"].startswith("It is not known which alerts are silenced: ")
    upstream("alertmanager").get("/api/v2/alerts").answers([received_alert("FromLogs")])
    upstream("prometheus").get("/api/v1/alerts").fails(500)
    found = await ask(portal, "alerts")
    assert [a["name"] for a in found["items"]] == ["FromLogs"]
    assert found["note"].startswith("It is not known which alerts are pending: ")
    upstream("alertmanager").get("/api/v2/alerts").fails(500)
    answer = await portal.signed_in("data-engineer").get(f"{API}/alerts")
    assert answer.status_code == 502, "where neither can say, it is an error and no empty list"
    home = await ask(portal, "summary")
    assert (home["firing"], home["targets"]) == (None, 0)
    assert "answered 500" in home["note"]


async def test_the_page_says_whether_the_portals_own_metrics_are_scraped(
    portal: PortalUnderTest, upstream: Upstreams
) -> None:
    answers(upstream, targets=[target("other", "a:1")])
    assert "server.metrics_addresses" in (await ask(portal, "targets"))["note"]
    answers(upstream, targets=[target("openlakes-portal", "a:1")])
    assert (await ask(portal, "targets"))["note"] == (
        "This portal's own metrics are scraped by the job openlakes-portal."
    )
    answers(upstream, targets=[target("openlakes-portal", "a:1", "down", "server returned HTTP status 401")])
    assert "cannot be read" in (await ask(portal, "targets"))["note"]


async def test_ten_thousand_targets_are_cut_and_said_to_be(portal: PortalUnderTest, upstream: Upstreams) -> None:
    answers(upstream, targets=[target("many", f"h{n}:1", "up" if n else "down") for n in range(10_000)])
    found = await ask(portal, "targets")
    assert (len(found["items"]), found["total"], found["items"][0]["state"]) == (2_000, 10_000, "down")
    assert "The first 2,000 of 10,000 targets" in found["note"]


async def test_who_may_not_is_refused_and_sees_no_page_and_no_app(portal: PortalUnderTest, upstream: Upstreams) -> None:
    answers(upstream)
    for persona in ("bi-analyst", "viewer"):
        refused = await portal.signed_in(persona).get(f"{API}/alerts")
        assert (refused.status_code, refused.json()["permission"]) == (403, "observability:status:read")

    async def places(persona: str) -> set[str]:
        start = (await portal.signed_in(persona).get("/api/bootstrap")).json()
        return {entry["path"] for entry in start["nav"]}

    assert "/x/observability/alerts" not in await places("viewer")
    engineer, admin = await places("data-engineer"), await places("platform-admin")
    assert {"/app/prometheus", "/app/alertmanager"} & engineer == set()
    assert {"/x/observability/alerts", "/app/prometheus", "/app/alertmanager"} <= admin


async def test_an_account_is_sent_with_each_call_and_stands_in_no_answer(tmp_path: Any, upstream: Upstreams) -> None:
    answers(upstream)
    settings = {
        "prometheus": {"address": upstream("prometheus").address, "username": "portal", "password": "pa:ss"},
        "alertmanager": {"address": upstream("alertmanager").address, "bearer_token": "opaque-token"},
    }
    plugins = [candidate_for("observability", plugin)]
    async with portal_for(tmp_path, {"plugins": {"observability": settings}}, plugins) as portal:
        assert (await portal.signed_in("data-engineer").get(f"{API}/alerts")).status_code == 200
        assert upstream("prometheus").last.headers["authorization"] == "Basic cG9ydGFsOnBhOnNz"
        assert upstream("alertmanager").last.headers["authorization"] == "Bearer opaque-token"
        apps = (await portal.signed_in("platform-admin").get("/api/bootstrap")).json()["apps"]
        assert {"prometheus", "alertmanager"} <= {app["id"] for app in apps}


async def test_without_servers_it_is_missing_in_words_and_has_no_page(tmp_path: Any) -> None:
    async with portal_for(tmp_path, {}, [candidate_for("observability", plugin)]) as portal:
        engineer = portal.signed_in("data-engineer")
        start = (await engineer.get("/api/bootstrap")).json()
        assert "/x/observability/alerts" not in {entry["path"] for entry in start["nav"]}
        refused = await engineer.get(f"{API}/alerts")
        assert refused.status_code == 422
        assert "plugins.observability.prometheus.address" in refused.json()["remedy"]


def test_settings_that_contradict_themselves_are_refused_in_words() -> None:
    candidate = candidate_for("observability", plugin)
    address = "http://127.0.0.1:9090"
    for server, words in (
        ({"username": "a"}, "both or neither"),
        ({"username": "a", "password": "b", "bearer_token": "c"}, "but not both"),
        ({"username": "a:b", "password": "c"}, "no colon"),
    ):
        found = check_plugin(candidate, {"prometheus": {"address": address, **server}})
        assert words in str(found[0]), found
    assert [f for f in check_plugin(candidate, {"prometheus": {"address": address}}) if f.level == "failure"] == []


async def test_home_names_each_alert_once_and_says_how_many_there_are(
    portal: PortalUnderTest, upstream: Upstreams
) -> None:
    answers(
        upstream,
        rules=[
            *(rule_alert("Unhealthy", severity="warning", component=str(number)) for number in range(7)),
            rule_alert("Down", severity="critical"),
            rule_alert("Later", "pending", severity="critical"),
        ],
        received=[],
        silences=[],
    )
    home = await ask(portal, "summary")
    assert [(u["name"], u["state"], u["alerts"]) for u in home["urgent"]] == [
        ("Down", "firing", 1),
        ("Unhealthy", "firing", 7),
        ("Later", "pending", 1),
    ]
