"""The workbench through the portal's own door: queries, results, ownership, history, saved queries."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import pytest_asyncio
from pyarrow import parquet as pq

from openlakes_portal.testing import PortalUnderTest, SignedIn, candidate_for, portal_for
from openlakes_portal_trino import plugin, workspace
from openlakes_portal_trino.embedded.process import Workers

from .conftest import Lakehouse

API = "/api/plugins/trino/"
HAS_PAGE = Path(str(plugin.__file__)).with_name("static").joinpath("index.js").is_file()
ARROW = {"accept": "application/vnd.apache.arrow.stream"}
NDJSON = {"accept": "application/x-ndjson"}
CSV = {"accept": "text/csv"}
PARQUET = {"accept": "application/vnd.apache.parquet"}
ALIVE = ("queued", "running")
ENDLESS = "SELECT sum(a.range) FROM range(1e9::bigint) a, range(1e5::bigint)"


def settings(lakehouse: Lakehouse, **queries: Any) -> dict[str, Any]:
    site = {"id": "one", "name": "The site's", "sql": "SELECT 1", "catalog": "lake", "schema": "nyc"}
    return {"plugins": {"trino": {**lakehouse.settings, "saved_queries": [site], "queries": queries}}}


@pytest.fixture(autouse=True)
def _one_fork_server(lasting_workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "Workers", lambda idle: lasting_workers)


@pytest_asyncio.fixture
async def here(lakehouse: Lakehouse, tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """A portal with this plugin alone, over the lakehouse."""
    async with portal_for(tmp_path / "portal", settings(lakehouse), [candidate_for("trino", plugin)]) as portal:
        yield portal


async def run(client: SignedIn, sql: str, **more: Any) -> dict[str, Any]:
    """Run a statement and follow it to its end."""
    answer = await client.post(f"{API}queries", json={"sql": sql, **more})
    assert answer.status_code == 201, answer.text
    return await ended(client, answer.json()["id"])


async def ended(client: SignedIn, id: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            query: dict[str, Any] = (await client.get(f"{API}queries/{id}")).json()
            if query["state"] in ("finished", "failed", "cancelled"):
                return query
            await asyncio.sleep(0.02)


async def test_the_plugin_stands_and_says_what_it_has(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    plugins = (await here.signed_in("platform-admin").get("/api/plugins")).json()["items"]
    assert [p["state"] for p in plugins if p["id"] == "trino"] == ["active"], plugins
    engines = (await engineer.get(f"{API}engines")).json()["items"]
    known = {"id": "duckdb", "title": "DuckDB", "dialect": "duckdb", "default": True, "unavailable": None}
    assert engines == [known]
    tables = (await engineer.get(f"{API}catalogs/lake/schemas/nyc/tables")).json()["items"]
    assert [table["name"] for table in tables] == ["flights", "planes", "secrets"]
    table = (await engineer.get(f"{API}catalogs/lake/schemas/nyc/tables/flights")).json()
    assert (table["schema"], table["rows"]) == ("nyc", 3000)
    assert (await engineer.get(f"{API}catalogs/nope/schemas")).status_code == 404
    assert (await here.signed_in("viewer").get(f"{API}engines")).status_code == 403
    laid_out = await engineer.post(f"{API}format", json={"sql": "select 1 as a from t"})
    assert laid_out.json()["sql"] == "SELECT\n  1 AS a\nFROM t"
    assert "sum" in (await engineer.get(f"{API}engines/duckdb/functions")).json()["items"]


async def test_a_result_comes_in_every_form_with_the_same_rows(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    query = await run(engineer, "SELECT id, carrier, delay FROM flights ORDER BY id", catalog="lake", schema="nyc")
    assert (query["state"], query["rows"], query["truncated"]) == ("finished", 3000, False)
    assert (query["schema"], query["catalog"]) == ("nyc", "lake")
    address = f"{API}queries/{query['id']}/results"
    arrow = pa.ipc.open_stream((await engineer.get(address, headers=ARROW)).content).read_all()
    lines = (await engineer.get(address, headers=NDJSON)).text.splitlines()
    assert json.loads(lines[0])[0] == {"name": "id", "type": "BIGINT"}
    csv = (await engineer.get(address, headers=CSV)).text.splitlines()
    saved = await engineer.get(address, headers=PARQUET)
    assert "attachment" in saved.headers["content-disposition"]
    parquet = pq.read_table(pa.BufferReader(saved.content))
    expected = sum(row % 60 for row in range(3000) if row % 100)
    assert pa.compute.sum(arrow["delay"]).as_py() == pa.compute.sum(parquet["delay"]).as_py() == expected
    rows = [json.loads(line) for line in lines[1:]]
    assert (len(rows), sum(row[2] or 0 for row in rows)) == (3000, expected)
    assert (len(csv), sum(int(line.split(",")[2] or 0) for line in csv[1:])) == (3001, expected)
    assert rows[0] == ["0", "UA", None]
    assert csv[:2] == ['"id","carrier","delay"', '0,"UA",']


async def test_g53_values_are_exact_in_ndjson_and_safe_in_csv(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    sql = """SELECT 9223372036854775807 AS big, 1.5::DECIMAL(38,9) AS money, 'nan'::DOUBLE AS nan, '' AS empty,
        NULL::VARCHAR AS nothing, '=1+1' AS formula, -5 AS minus, TIMESTAMPTZ '2013-01-01 10:00:00+02' AS zoned,
        TIMESTAMP '2013-01-01 10:00:00.5' AS plain, DATE '2013-01-01' AS day, TIME '10:00:00' AS clock,
        INTERVAL 3 MONTH AS span, '\\xff'::BLOB AS raw, [1, NULL] AS list, {'a': 9223372036854775807} AS struct,
        MAP {'k': 1} AS map, 0.1::FLOAT AS small"""
    query = await run(engineer, sql)
    address = f"{API}queries/{query['id']}/results"
    row = json.loads((await engineer.get(address, headers=NDJSON)).text.splitlines()[1])
    assert row == [
        *("9223372036854775807", "1.500000000", "NaN", "", None, "=1+1", -5),
        *("2013-01-01T08:00:00Z", "2013-01-01T10:00:00.5", "2013-01-01", "10:00:00", "P3M", "/w=="),
        *([1, None], {"a": "9223372036854775807"}, {"k": 1}, 0.1),
    ]
    line = (await engineer.get(address, headers=CSV)).text.splitlines()[1]
    assert line.startswith('''9223372036854775807,"1.500000000",nan,"",,"'=1+1",-5,"2013-01-01T08:00:00Z"''')


async def test_the_body_is_judged_and_the_statement_is_not(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    for body in ({}, {"sql": ""}, {"sql": "SELECT 1", "extra": 1}, {"sql": "SELECT 1", "engine": "nope"}):
        assert (await engineer.post(f"{API}queries", json=body)).status_code == 422
    too_large = await engineer.post(f"{API}queries", json={"sql": "SELECT '" + "x" * 200_000 + "'"})
    assert too_large.status_code == 413
    failed = await run(engineer, "SELECT 1; SELECT 2")
    assert (failed["state"], failed["error"]["kind"]) == ("failed", "permission")
    results = await engineer.get(f"{API}queries/{failed['id']}/results", headers=ARROW)
    assert results.status_code == 409


async def test_a_query_is_its_owners_alone(here: PortalUnderTest) -> None:
    engineer, analyst = here.signed_in("data-engineer"), here.signed_in("bi-analyst")
    query = await run(engineer, "SELECT 1")
    for tail in ("", "/results", "/statistics"):
        foreign = await analyst.get(f"{API}queries/{query['id']}{tail}", headers=ARROW)
        absent = await analyst.get(f"{API}queries/nosuchid{tail}", headers=ARROW)
        assert foreign.status_code == absent.status_code == 404
        assert foreign.json()["detail"] == absent.json()["detail"]
    assert (await analyst.delete(f"{API}queries/{query['id']}")).status_code == 404
    assert (await analyst.get(f"{API}queries")).json()["items"] == []
    assert (await analyst.get(f"{API}queries?everybody=true")).status_code == 403
    admin = here.signed_in("platform-admin")
    assert len((await admin.get(f"{API}queries?everybody=true")).json()["items"]) == 1
    assert (await admin.get(f"{API}queries/{query['id']}/results", headers=ARROW)).status_code == 404


async def test_g51_stop_ends_a_running_and_a_waiting_query(lakehouse: Lakehouse, tmp_path: Path) -> None:
    site = settings(lakehouse, per_user=1)
    async with portal_for(tmp_path / "portal", site, [candidate_for("trino", plugin)]) as portal:
        engineer = portal.signed_in("data-engineer")
        first = (await engineer.post(f"{API}queries", json={"sql": ENDLESS})).json()
        second = (await engineer.post(f"{API}queries", json={"sql": "SELECT 2"})).json()
        assert (second["state"], second["queue_position"]) == ("queued", 0)
        other = await run(portal.signed_in("analytics-engineer"), "SELECT 3")
        assert other["state"] == "finished"
        waiting = (await engineer.delete(f"{API}queries/{second['id']}")).json()
        assert waiting["state"] == "cancelled"
        began = asyncio.get_running_loop().time()
        stopped = (await engineer.delete(f"{API}queries/{first['id']}")).json()
        assert stopped["state"] == "cancelled"
        assert asyncio.get_running_loop().time() - began < 2
        again = (await engineer.delete(f"{API}queries/{first['id']}")).json()
        assert again["state"] == "cancelled"


async def test_g51_logout_stops_what_the_session_started(here: PortalUnderTest) -> None:
    first, second = here.new_session("data-engineer"), here.new_session("data-engineer")
    lost = (await first.post(f"{API}queries", json={"sql": ENDLESS})).json()
    kept = (await second.post(f"{API}queries", json={"sql": ENDLESS})).json()
    await first.sign_out()
    assert (await ended(second, lost["id"]))["state"] == "cancelled"
    assert (await second.get(f"{API}queries/{kept['id']}")).json()["state"] in ("queued", "running")


async def test_an_abandoned_query_is_stopped(lakehouse: Lakehouse, tmp_path: Path) -> None:
    site = settings(lakehouse, abandon_after=1.5)
    async with portal_for(tmp_path / "portal", site, [candidate_for("trino", plugin)]) as portal:
        engineer = portal.signed_in("data-engineer")
        query = (await engineer.post(f"{API}queries", json={"sql": ENDLESS})).json()
        async with asyncio.timeout(20):
            while (await engineer.get(f"{API}queries")).json()["items"][0]["state"] != "cancelled":
                await asyncio.sleep(0.2)
        assert (await ended(engineer, query["id"]))["state"] == "cancelled"


async def test_g51_a_page_that_went_away_keeps_its_query_only_by_asking_for_it(here: PortalUnderTest) -> None:
    engineer, analyst = here.signed_in("data-engineer"), here.signed_in("bi-analyst")
    taken_up, left = [(await engineer.post(f"{API}queries", json={"sql": ENDLESS})).json()["id"] for _ in range(2)]
    for id in (taken_up, left):
        leaving = await engineer.delete(f"{API}queries/{id}?unless_asked_within=1")
        assert (leaving.status_code, leaving.json()["state"] in ALIVE) == (200, True)
    assert (await analyst.delete(f"{API}queries/{left}?unless_asked_within=1")).status_code == 404
    assert (await engineer.get(f"{API}queries/{taken_up}")).json()["state"] in ALIVE
    async with asyncio.timeout(5):
        while await _in_history(engineer, left) != "cancelled":
            await asyncio.sleep(0.02)
    assert await _in_history(engineer, taken_up) in ALIVE  # whose second was over before that of the other
    assert (await engineer.delete(f"{API}queries/{taken_up}")).json()["state"] == "cancelled"
    assert (await engineer.delete(f"{API}queries/{taken_up}?unless_asked_within=1")).json()["state"] == "cancelled"
    assert (await engineer.delete(f"{API}queries/{left}?unless_asked_within=60")).status_code == 422


async def _in_history(client: SignedIn, id: str) -> str:
    """Its state, without asking for the query itself."""
    items = (await client.get(f"{API}queries")).json()["items"]
    return next(str(query["state"]) for query in items if query["id"] == id)


async def test_results_are_sent_while_they_are_made(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    slow = "SELECT range, repeat('x', 100) FROM range(3000000)"
    query = (await engineer.post(f"{API}queries", json={"sql": slow, "row_limit": 500_000})).json()
    arrow = await engineer.get(f"{API}queries/{query['id']}/results", headers=ARROW)
    assert pa.ipc.open_stream(arrow.content).read_all().num_rows == 500_000
    assert (await ended(engineer, query["id"]))["truncated"] is True


async def test_a_restart_keeps_results_and_closes_what_ran(lakehouse: Lakehouse, tmp_path: Path) -> None:
    site, plugins = settings(lakehouse), [candidate_for("trino", plugin)]
    async with portal_for(tmp_path / "portal", site, plugins) as portal:
        engineer = portal.signed_in("data-engineer")
        done = await run(engineer, "SELECT 42 AS answer")
        lost = (await engineer.post(f"{API}queries", json={"sql": ENDLESS})).json()
    async with portal_for(tmp_path / "portal", site, plugins) as portal:
        engineer = portal.signed_in("data-engineer")
        arrow = await engineer.get(f"{API}queries/{done['id']}/results", headers=ARROW)
        assert pa.ipc.open_stream(arrow.content).read_all().to_pylist() == [{"answer": 42}]
        assert (await engineer.get(f"{API}queries/{lost['id']}")).json()["state"] in ("failed", "cancelled")
        assert len((await engineer.get(f"{API}queries")).json()["items"]) == 2


async def test_statistics_of_a_result(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    query = await run(engineer, 'SELECT id, carrier, delay, "at" FROM lake.nyc.flights')
    address = f"{API}queries/{query['id']}"
    found = (await engineer.get(f"{address}/statistics")).json()["items"]
    assert [(c["name"], c["rows"], c["nulls"]) for c in found][2] == ("delay", 3000, 30)
    assert (found[2]["least"], found[2]["greatest"]) == ("0", "59")
    assert found[1]["mean"] is None


async def test_saved_queries(here: PortalUnderTest) -> None:
    engineer, analyst = here.signed_in("data-engineer"), here.signed_in("bi-analyst")
    made = await engineer.post(f"{API}saved-queries", json={"name": "Mine", "sql": "SELECT :a", "parameters": {"a": 1}})
    assert made.status_code == 201
    address, version = f"{API}saved-queries/{made.json()['id']}", made.headers["etag"]
    assert (await analyst.get(address)).status_code == 404
    shared = await engineer.patch(address, json={"shared": True}, headers={"if-match": version})
    assert shared.json()["sql"] == "SELECT :a"
    assert (await engineer.patch(address, json={"name": "x"}, headers={"if-match": version})).status_code == 412
    seen = (await analyst.get(f"{API}saved-queries")).json()["items"]
    assert [(query["name"], query["origin"], query["owner"]) for query in seen] == [
        ("Mine", "shared", "data-engineer"),
        ("The site's", "site", ""),
    ]
    assert (await analyst.patch(address, json={"name": "Stolen"})).status_code == 403
    assert (await analyst.delete(address)).status_code == 403
    assert (await engineer.patch(f"{API}saved-queries/site.one", json={"name": "x"})).status_code == 409
    assert (await engineer.delete(address)).status_code in (200, 204)
    assert (await engineer.get(address)).status_code == 404


@pytest.mark.skipif(not HAS_PAGE, reason="the interface is not built, and what is found leads to its page")
async def test_the_palette_finds_tables_saved_queries_and_earlier_statements(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    await engineer.post(f"{API}saved-queries", json={"name": "Mine", "sql": "SELECT 1", "shared": True})
    assert "Mine" in (await engineer.get("/api/search?q=mine")).text
    await run(engineer, "SELECT 'needle in history'")
    assert "needle in history" in (await engineer.get("/api/search?q=needle")).text
    assert "lake.nyc.planes" in (await engineer.get("/api/search?q=plane")).text
    assert "lake.nyc.secrets" not in (await here.signed_in("bi-analyst").get("/api/search?q=secret")).text
