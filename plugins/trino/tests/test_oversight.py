"""Queries as the real Trino has them: listed, looked into and ended by two people and an admin."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from openlakes_portal.testing import PortalUnderTest, SignedIn

from .real_portal import API, BIG, portal_of

pytestmark = pytest.mark.server
STOP = "/api/actions/trino.stop-query"


@pytest_asyncio.fixture
async def portal(trino_server: Any, tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """In front of the real Trino."""
    async with portal_of(trino_server, tmp_path) as running:
        yield running


async def finished(client: SignedIn, sql: str, **more: Any) -> dict[str, Any]:
    """A statement, run to its end."""
    query: dict[str, Any] = (await client.post(f"{API}/queries", json={"sql": sql, **more})).json()
    async with asyncio.timeout(60):
        while query["state"] in ("queued", "running"):
            await asyncio.sleep(0.05)
            query = (await client.get(f"{API}/queries/{query['id']}")).json()
    return query


async def running(client: SignedIn) -> dict[str, Any]:
    """One that has begun to read."""
    query: dict[str, Any] = (await client.post(f"{API}/queries", json={"sql": BIG})).json()
    async with asyncio.timeout(60):
        while not (query["rows_read"] and query["splits_total"]):
            await asyncio.sleep(0.05)
            query = (await client.get(f"{API}/queries/{query['id']}")).json()
            assert query["state"] in ("queued", "running"), query
    return query


async def looked_into(client: SignedIn, id: str) -> dict[str, Any]:
    answer = await client.get(f"{API}/engine-query", params={"id": id})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_progress_is_told_by_splits_and_rows_where_the_percentage_says_nothing(portal: PortalUnderTest) -> None:
    engineer = portal.signed_in("data-engineer")
    query = await running(engineer)
    seen = {query["rows_read"]}
    async with asyncio.timeout(30):
        while len(seen) < 3:
            await asyncio.sleep(0.1)
            query = (await engineer.get(f"{API}/queries/{query['id']}")).json()
            seen.add(query["rows_read"])
    assert query["progress"] in (0, None)
    assert query["splits_total"] >= 1
    assert query["bytes_read"] > 0
    stopped = (await engineer.delete(f"{API}/queries/{query['id']}")).json()
    assert stopped["state"] == "cancelled"
    told = await looked_into(engineer, query["engine_query_id"])
    assert (told["state"], told["engine_state"]) == ("cancelled", "FAILED"), "in Trino's own words"
    assert told["faults"][0]["code"] == "USER_CANCELED"


async def test_a_query_has_stages_and_figures_and_says_who(portal: PortalUnderTest) -> None:
    engineer = portal.signed_in("data-engineer")
    sql = "SELECT r.name, count(*) AS n FROM tpch.tiny.nation n JOIN tpch.tiny.region r USING (regionkey) GROUP BY 1"
    query = await finished(engineer, sql)
    told = await looked_into(engineer, query["engine_query_id"])
    assert (told["state"], told["user"], told["facts"]["principal"]) == ("finished", "data-engineer", "data-engineer")
    assert told["source"] == "openlakes-portal"
    assert told["sql"] == sql
    assert told["tables"] == ["tpch.tiny.nation", "tpch.tiny.region"]
    assert [stage["stage"] for stage in told["stages"]] == list(range(len(told["stages"])))
    assert len(told["stages"]) >= 2
    assert {stage["state"] for stage in told["stages"]} == {"finished"}
    assert any("TableScan tpch:tiny:region" in stage["work"] for stage in told["stages"])
    assert sum(stage["rows_in"] for stage in told["stages"]) >= 30, "25 nations and 5 regions were read"
    assert sum(stage["splits_done"] for stage in told["stages"]) == told["splits_done"] == told["splits_total"]
    assert told["stages"][0]["rows_out"] == told["facts"]["rows_out"] == 5
    assert told["cpu"] > 0
    assert told["peak_memory"] > 0
    assert told["facts"]["console"] == f"/app/trino/ui/query.html?{told['id']}"


async def test_what_trinos_rules_take_away_is_told_and_differs_for_two_people(portal: PortalUnderTest) -> None:
    sql = "SELECT * FROM tpch.tiny.nation"
    engineer, analyst = portal.signed_in("data-engineer"), portal.signed_in("bi-analyst")
    all_, some = await finished(engineer, sql), await finished(analyst, sql)
    assert (all_["rows"], some["rows"]) == (25, 5)
    assert (await looked_into(engineer, all_["engine_query_id"]))["restrictions"] == []
    assert (await looked_into(analyst, some["engine_query_id"]))["restrictions"] == [
        {"table": "tpch.tiny.nation", "kind": "rows", "column": "", "rule": "(regionkey = 1)"},
        {"table": "tpch.tiny.nation", "kind": "column", "column": "comment", "rule": "'***'"},
    ]


async def test_an_error_has_its_line_and_column(portal: PortalUnderTest) -> None:
    engineer = portal.signed_in("data-engineer")
    query = await finished(engineer, "SELECT 1,\n  nope\nFROM tpch.tiny.nation")
    assert (query["error"]["line"], query["error"]["column"]) == (2, 3)
    (fault,) = (await looked_into(engineer, query["engine_query_id"]))["faults"]
    assert (fault["code"], fault["line"], fault["column"]) == ("COLUMN_NOT_FOUND", 2, 3)


async def test_each_sees_their_own_queries_and_an_admin_sees_all(portal: PortalUnderTest) -> None:
    engineer, analyst, admin = (portal.signed_in(p) for p in ("data-engineer", "bi-analyst", "platform-admin"))
    theirs = await finished(analyst, "SELECT 41 + 1")
    query = await running(engineer)
    id = query["engine_query_id"]

    async def listed(client: SignedIn, path: str) -> dict[str, dict[str, Any]]:
        answer = await client.get(f"{API}/{path}")
        assert answer.status_code == 200, answer.text
        return {item["id"]: item for item in answer.json()["items"]}

    mine = await listed(engineer, "engine-queries")
    assert (mine[id]["user"], mine[id]["state"]) == ("data-engineer", "running")
    assert {item["user"] for item in mine.values()} == {"data-engineer"}
    assert id not in await listed(analyst, "engine-queries")
    assert id in await listed(admin, "engine-queries")
    assert theirs["engine_query_id"] in await listed(analyst, "engine-queries/recent")
    assert theirs["engine_query_id"] not in await listed(engineer, "engine-queries/recent")
    for somebody_elses in (await analyst.get(f"{API}/engine-query", params={"id": id}),):
        absent = await analyst.get(f"{API}/engine-query", params={"id": "20200101_000000_00000_aaaaa"})
        assert (somebody_elses.status_code, absent.status_code) == (404, 404)
        assert somebody_elses.json()["detail"] == absent.json()["detail"], "not seen is as not there"
    assert (await looked_into(admin, id))["user"] == "data-engineer"
    await engineer.delete(f"{API}/queries/{query['id']}")


async def test_a_query_is_ended_in_trino_by_its_owner_or_an_admin_and_by_nobody_else(portal: PortalUnderTest) -> None:
    engineer, analyst, admin = (portal.signed_in(p) for p in ("data-engineer", "bi-analyst", "platform-admin"))
    query = await running(engineer)
    id = query["engine_query_id"]
    refused = await analyst.post(STOP, json={"id": id})
    assert refused.status_code == 404, "it is not there for them"
    tried = (await admin.post(f"{STOP}?dry_run=true", json={"id": id})).json()
    assert "data-engineer: SELECT count(*)" in tried["effects"][0]
    assert (await looked_into(engineer, id))["state"] == "running", "a dry run ends nothing"
    done = await admin.post(STOP, json={"id": id, "reason": "it holds up the others"})
    assert done.status_code == 200, done.text
    told = await looked_into(engineer, id)
    assert (told["state"], told["faults"][0]["code"]) == ("cancelled", "ADMINISTRATIVELY_KILLED")
    assert "Stopped by platform-admin in the portal: it holds up the others" in told["faults"][0]["message"]
    async with asyncio.timeout(30):
        while True:
            mine = (await engineer.get(f"{API}/queries/{query['id']}")).json()
            if mine["state"] not in ("queued", "running"):
                break
            await asyncio.sleep(0.05)
    assert "Stopped by platform-admin" in mine["error"]["message"], "whoever runs it is told who ended it, and why"
    assert (await admin.post(STOP, json={"id": id})).status_code == 409
    own = await running(engineer)
    assert (await engineer.post(STOP, json={"id": own["engine_query_id"]})).status_code == 200
    records = (await admin.get("/api/audit", params={"action": "trino.engine-query.stop"})).json()["items"]
    ends = {(record["actor_name"], record["phase"], record["result"]) for record in records}
    assert ("platform-admin", "outcome", "done: 200") in ends, records[:2]
    assert ("data-engineer", "outcome", "done: 200") in ends


async def test_session_properties_are_listed_hold_for_a_run_and_are_refused_in_words(portal: PortalUnderTest) -> None:
    engineer = portal.signed_in("data-engineer")
    listed = (await engineer.get(f"{API}/engines/trino/session-properties")).json()["items"]
    assert len(listed) > 50
    (one,) = [each for each in listed if each["name"] == "join_distribution_type"]
    assert (one["value"], one["default"], one["type"]) == ("AUTOMATIC", "AUTOMATIC", "varchar")
    assert one["description"]
    show = "SHOW SESSION LIKE 'join_distribution_type'"
    set_ = await finished(engineer, show, session={"join_distribution_type": "BROADCAST"})
    assert set_["session"] == {"join_distribution_type": "BROADCAST"}
    rows = (
        await engineer.get(f"{API}/queries/{set_['id']}/results", headers={"accept": "application/x-ndjson"})
    ).text.splitlines()
    assert '"BROADCAST"' in rows[1]
    told = await looked_into(engineer, set_["engine_query_id"])
    assert told["facts"]["session"] == "join_distribution_type = BROADCAST"
    assert (
        '"AUTOMATIC"'
        in (
            await engineer.get(
                f"{API}/queries/{(await finished(engineer, show))['id']}/results",
                headers={"accept": "application/x-ndjson"},
            )
        ).text
    ), "the next statement has it no more"
    for session, words in (({"nope": "1"}, "does not exist"), ({"query_max_run_time": "soon"}, "is invalid")):
        failed = await finished(engineer, "SELECT 1", session=session)
        assert (failed["state"], words in failed["error"]["message"]) == ("failed", True), failed["error"]
    for session in ({"a b": "1"}, {"a": "b\r\nX-Trino-User: bob"}, {"a=1,b": "2"}):
        assert (await engineer.post(f"{API}/queries", json={"sql": "SELECT 1", "session": session})).status_code == 422
    sly = await finished(engineer, show, session={"join_distribution_type": "BROADCAST,query_max_run_time=1s"})
    assert sly["state"] == "failed", "a value is one value, whatever stands in it"


async def test_trinos_console_is_an_app_for_who_may(portal: PortalUnderTest) -> None:
    for persona, may in (("data-engineer", True), ("bi-analyst", False), ("viewer", False)):
        start = (await portal.signed_in(persona).get("/api/bootstrap")).json()
        assert ("trino" in {app["id"] for app in start["apps"]}) is may, persona
