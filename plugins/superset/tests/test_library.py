"""What the plugin asks of Superset, and what it makes of the answers."""

import json
from typing import Any

import prison
import pytest

from openlakes_portal.testing import FakeUpstream, PortalUnderTest
from openlakes_portal.testing.upstream import ReceivedRequest

from .conftest import OpenPortal
from .test_faults import settled

BASE = "/api/plugins/superset"
BOARD: dict[str, Any] = {
    "id": 7,
    "dashboard_title": "Flights of 2013",
    "published": True,
    "changed_on_utc": "2026-11-25T23:00:00.123456+0000",
    "changed_by_name": "Ada Engineer",
    "owners": [{"first_name": "Ada", "last_name": "Engineer", "id": 3}, {"first_name": "Cy", "last_name": "-"}],
    "certified_by": None,
    "thumbnail_url": "/api/v1/dashboard/7/thumbnail/abc123/",
}
CHART: dict[str, Any] = {
    "id": 9,
    "slice_name": "Flights a month",
    "viz_type": "echarts_timeseries_bar",
    "datasource_name_text": "nyc.flights",
    "changed_on_utc": "2026-11-25T22:00:00",
    "owners": [],
    "dashboards": [{"id": 7, "dashboard_title": "Flights of 2013"}],
}
DATABASES = {
    "result": [
        {"id": 1, "database_name": "Lakehouse", "backend": "trino", "expose_in_sqllab": True},
        {"id": 2, "database_name": "Notes", "backend": "postgresql", "expose_in_sqllab": True},
        {"id": 3, "database_name": "Hidden", "backend": "trino", "expose_in_sqllab": False},
    ],
    "count": 3,
}


def newest(superset: FakeUpstream, path: str) -> ReceivedRequest:
    """The newest request to a path: health looks at others meanwhile."""
    return next(r for r in reversed(superset.requests) if r.path == path)


def asked(superset: FakeUpstream, path: str) -> dict[str, Any]:
    """The query of the newest request to a path, as Superset reads it."""
    read: dict[str, Any] = prison.loads(newest(superset, path).query["q"])
    return read


async def test_dashboards_are_listed_as_the_person(portal: PortalUnderTest, superset: FakeUpstream) -> None:
    superset.get("/api/v1/dashboard/").answers({"result": [BOARD], "count": 31})
    answer = (await portal.signed_in("bi-analyst").get(f"{BASE}/dashboards?published=true&page=2&limit=10")).json()
    token = newest(superset, "/api/v1/dashboard/").token
    assert (token.subject, token.audience, token.claims["roles"]) == ("bi-analyst", "superset", ["bi-analyst"])
    assert token.claims["name"]
    assert answer["total"] == 31
    (thing,) = answer["items"]
    assert (thing["title"], thing["place"]) == ("Flights of 2013", "/superset/dashboard/7/")
    assert thing["owners"] == ["Ada Engineer", "Cy"]
    assert thing["changed_at"] == "2026-11-25T23:00:00.123456Z"
    assert thing["thumbnail"] is None, "no pictures where they are not switched on"
    query = asked(superset, "/api/v1/dashboard/")
    assert (query["page"], query["page_size"]) == (2, 10)
    assert query["filters"] == [{"col": "published", "opr": "eq", "value": True}]


@pytest.mark.parametrize("text", ["flights", "it's (a) b!", "a:b,c'd", "Ü & 100%+#;", "!n", "')),filters:!()"])
async def test_what_is_searched_for_reaches_superset_as_it_was_typed(
    portal: PortalUnderTest, superset: FakeUpstream, text: str
) -> None:
    superset.get("/api/v1/chart/").answers({"result": [CHART], "count": 1})
    answer = await portal.signed_in("bi-analyst").get(f"{BASE}/charts", params={"search": text, "sort": "title"})
    assert answer.status_code == 200, answer.text
    query = asked(superset, "/api/v1/chart/")
    assert query["filters"] == [{"col": "slice_name", "opr": "chart_all_text", "value": text}]
    assert (query["order_column"], query["order_direction"]) == ("slice_name", "asc")
    (thing,) = answer.json()["items"]
    assert (thing["chart_type"], thing["dataset"], thing["dashboards"]) == (
        "echarts_timeseries_bar",
        "nyc.flights",
        ["Flights of 2013"],
    )
    assert thing["changed_at"] == "2026-11-25T22:00:00Z"


async def test_mine_are_those_of_the_person_as_superset_knows_them(
    portal: PortalUnderTest, superset: FakeUpstream
) -> None:
    superset.get("/api/v1/me/").answers({"result": {"id": 42, "username": "bi-analyst"}})
    superset.get("/api/v1/dashboard/").answers({"result": [], "count": 0})
    await portal.signed_in("bi-analyst").get(f"{BASE}/dashboards?mine=true")
    assert asked(superset, "/api/v1/dashboard/")["filters"] == [{"col": "owners", "opr": "rel_m_m", "value": 42}]


@pytest.mark.parametrize("id", ["0x7", "7%2F..%2Fadmin", "-1", "", "９", "99999999999"])
async def test_an_id_that_is_none_is_not_asked_for(portal: PortalUnderTest, superset: FakeUpstream, id: str) -> None:
    before = len([r for r in superset.requests if "dashboard" in r.path])
    answer = await portal.signed_in("bi-analyst").get(f"{BASE}/dashboards/{id}")
    assert answer.status_code in (200, 400, 404)
    asked_for = [r.path for r in superset.requests if "dashboard" in r.path][before:]
    assert all(path == "/api/v1/dashboard/" for path in asked_for), "only the list"


async def test_a_query_goes_on_in_sql_lab_with_token_and_session_of_one_answer(
    portal: PortalUnderTest, superset: FakeUpstream
) -> None:
    superset.get("/api/v1/database/").answers(DATABASES)
    superset.post("/api/v1/sqllab/permalink").answers({"key": "aB3-x_9", "url": "http://elsewhere/sqllab/p/aB3"}, 201)
    body = {"sql": "select 1 -- ü", "engine": "trino", "catalog": "lakehouse", "schema": "nyc"}
    answer = await portal.signed_in("data-engineer").post(f"{BASE}/sql-lab", json=body)
    assert (answer.status_code, answer.json()) == (201, {"place": "/sqllab/p/aB3-x_9"})
    sent = newest(superset, "/api/v1/sqllab/permalink")
    assert (sent.headers["x-csrftoken"], sent.headers["cookie"]) == ("of-this-session", "superset_session=abc.def")
    assert sent.token.subject == "data-engineer"
    assert json.loads(sent.body) == {
        "dbId": 1,
        "name": "From the portal",
        "sql": "select 1 -- ü",
        "autorun": False,
        "catalog": "lakehouse",
        "schema": "nyc",
    }
    for _ in range(2):
        await portal.signed_in("analytics-engineer").post(f"{BASE}/sql-lab", json=body)
    assert newest(superset, "/api/v1/sqllab/permalink").headers["cookie"] == "superset_session=abc.def"
    questions = [r for r in superset.requests if r.path.endswith("csrf_token/")]
    assert len(questions) == 3, "one question for each call"
    assert all("cookie" not in r.headers for r in questions), "no session is kept, nobody's is sent"


@pytest.mark.parametrize("key", ["../admin", "", "a b", None, 3, "x/y"])
async def test_a_link_of_supersets_leads_nowhere_else(
    portal: PortalUnderTest, superset: FakeUpstream, key: object
) -> None:
    superset.get("/api/v1/database/").answers(DATABASES)
    superset.post("/api/v1/sqllab/permalink").answers({"key": key}, 201)
    answer = await portal.signed_in("data-engineer").post(f"{BASE}/sql-lab", json={"sql": "x", "engine": "trino"})
    assert answer.status_code == 502


async def test_which_database_an_engine_is_must_be_clear(
    open_portal: OpenPortal, portal: PortalUnderTest, superset: FakeUpstream
) -> None:
    superset.get("/api/v1/database/").answers(DATABASES)
    answer = await portal.signed_in("data-engineer").post(f"{BASE}/sql-lab", json={"sql": "x", "engine": "duckdb"})
    assert answer.status_code == 422
    assert "no database of the kind 'duckdb'" in answer.json()["detail"]
    assert "plugins.superset.databases.duckdb" in answer.json()["remedy"]


async def test_a_site_says_which_database_an_engine_is(open_portal: OpenPortal, superset: FakeUpstream) -> None:
    superset.get("/api/v1/database/").answers(DATABASES)
    superset.post("/api/v1/sqllab/permalink").answers({"key": "k"}, 201)
    portal = await open_portal(superset.address, databases={"duckdb": "Notes", "trino": "Hidden"})
    query = {"sql": "x", "engine": "duckdb", "catalog": "lakehouse", "schema": "nyc"}
    one = await portal.signed_in("data-engineer").post(f"{BASE}/sql-lab", json=query)
    assert one.status_code == 201
    assert "catalog" not in json.loads(newest(superset, "/api/v1/sqllab/permalink").body), "it is none of PostgreSQL's"
    assert json.loads(newest(superset, "/api/v1/sqllab/permalink").body)["dbId"] == 2
    other = await portal.signed_in("data-engineer").post(f"{BASE}/sql-lab", json={"sql": "x", "engine": "trino"})
    assert "no database called 'Hidden'" in other.json()["detail"], "it is not in SQL Lab"


async def test_only_who_may_use_sql_lab_takes_a_query_on(portal: PortalUnderTest, superset: FakeUpstream) -> None:
    for persona in ("bi-analyst", "viewer"):
        answer = await portal.signed_in(persona).post(f"{BASE}/sql-lab", json={"sql": "x", "engine": "trino"})
        assert answer.status_code == 403
    boots = {p: (await portal.signed_in(p).get("/api/bootstrap")).json() for p in ("data-engineer", "bi-analyst")}
    slots = {p: [s["slot"] for plugin in b["plugins"] for s in plugin["slots"]] for p, b in boots.items()}
    assert ("query.result" in slots["data-engineer"]) == any(
        plugin["module"] for plugin in boots["data-engineer"]["plugins"]
    )
    assert "query.result" not in slots["bi-analyst"]


async def test_pictures_are_supersets_where_it_makes_them(open_portal: OpenPortal, superset: FakeUpstream) -> None:
    portal = await open_portal(superset.address, thumbnails=True)
    engineer = portal.signed_in("data-engineer")
    superset.get("/api/v1/dashboard/").answers({"result": [BOARD], "count": 1})
    superset.get("/api/v1/dashboard/7").answers({"result": BOARD})
    picture = (await engineer.get(f"{BASE}/dashboards")).json()["items"][0]["thumbnail"]
    assert picture == f"{BASE}/dashboards/7/picture"
    image = superset.get("/api/v1/dashboard/7/thumbnail/abc123/")
    image.answers_raw(b"\x89PNG\r\n\x1a\n" + b"x" * 100, "image/png")
    got = await engineer.get(picture)
    assert (got.status_code, got.headers["content-type"], len(got.content)) == (200, "image/png", 108)
    assert got.headers["x-content-type-options"] == "nosniff"
    assert newest(superset, "/api/v1/dashboard/7/thumbnail/abc123/").token.subject == "data-engineer"
    for body, kind, status in (
        (b"<svg onload=alert(1)>", "image/png", 200),
        (b"{}", "application/json", 202),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 5_000_000, "image/png", 200),
    ):
        image.answers_raw(body, kind, status)
        assert (await engineer.get(picture)).status_code == 404, "no picture is none"
    for elsewhere in ("http://evil.test/api/v1/x", "/static/x", "//evil.test/api/v1/", None):
        superset.get("/api/v1/dashboard/7").answers({"result": {**BOARD, "thumbnail_url": elsewhere}})
        before = len(superset.requests)
        assert (await engineer.get(picture)).status_code == 404
        paths = [r.path for r in superset.requests[before:] if "dashboard" in r.path or "static" in r.path]
        assert all(p in ("/api/v1/dashboard/7", "/api/v1/x", "/api/v1/") for p in paths), "at Superset's own API only"


async def test_the_palette_finds_dashboards_and_charts(portal: PortalUnderTest, superset: FakeUpstream) -> None:
    superset.get("/api/v1/dashboard/").answers({"result": [BOARD], "count": 1})
    superset.get("/api/v1/chart/").answers({"result": [CHART], "count": 1})
    boot = (await portal.signed_in("bi-analyst").get("/api/bootstrap")).json()
    if not any(plugin["module"] for plugin in boot["plugins"]):
        pytest.skip("the console's part of this plugin is not built here, so nothing is found that would lead to it")
    found = (await portal.signed_in("bi-analyst").get("/api/search?q=flights")).json()
    places = {item["title"]: item["path"] for item in found["items"] if item.get("path", "").startswith("/x/superset")}
    assert places == {
        "Flights of 2013": "/x/superset/dashboard?id=7",
        "Flights a month": "/x/superset/chart?id=9",
    }


async def test_health_names_the_version(portal: PortalUnderTest) -> None:
    found = await settled(portal)
    assert (found["state"], found["details"]["version"]) == ("healthy", "6.1.0")


@pytest.mark.parametrize(
    ("version", "me", "words"),
    [
        ({"version_string": "4.1.1"}, ({"msg": "no"}, 401), "This is Superset 4.1.1"),
        ({"version_string": "6.1.0"}, ({"result": {"username": "admin"}}, 200), "without the portal having said so"),
        ({}, ({"msg": "no"}, 401), "This is Superset unknown"),
    ],
)
async def test_health_says_what_is_not_as_it_should_be(
    open_portal: OpenPortal, superset: FakeUpstream, version: dict[str, Any], me: tuple[Any, int], words: str
) -> None:
    superset.get("/version").answers(version)
    superset.get("/api/v1/me/").answers(*me)
    found = await settled(await open_portal(superset.address))
    assert found["state"] == "degraded"
    assert words in found["cause"]
    assert found["remedy"]


async def test_the_app_is_at_scheme_host_and_port_of_the_address(open_portal: OpenPortal) -> None:
    portal = await open_portal("http://127.0.0.1:9/apps/superset/")
    boot = (await portal.signed_in("bi-analyst").get("/api/bootstrap")).json()
    assert [a["id"] for a in boot["apps"]] == ["superset"]
    viewer = (await portal.signed_in("viewer").get("/api/bootstrap")).json()
    assert viewer["apps"] == []


@pytest.mark.parametrize("address", ["http://x/?a=b", "http://x/#a"])
async def test_an_address_is_a_place_and_nothing_else(address: str) -> None:
    from pydantic import ValidationError

    from openlakes_portal_superset.settings import Settings

    with pytest.raises(ValidationError, match="address"):
        Settings.model_validate({"address": address})
