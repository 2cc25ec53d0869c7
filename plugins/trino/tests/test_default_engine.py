"""Which engine runs a statement that names none: Trino while it can, else the embedded one, and it says so."""

import asyncio
import resource
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal.testing import FAULTS, FakeUpstream, candidate_for, faulty, portal_for
from openlakes_portal_trino import plugin

from .conftest import Lakehouse
from .real_portal import API


def site(lakehouse: Lakehouse, address: str, **more: Any) -> dict[str, Any]:
    trino = {"address": address, "timeout": 1}
    return {"plugins": {"trino": {**lakehouse.settings, "trino": trino, **more}}}


async def engines(portal: Any) -> dict[str, dict[str, Any]]:
    items = (await portal.signed_in("data-engineer").get(f"{API}/engines")).json()["items"]
    return {item["id"]: item for item in items}


async def test_while_trino_is_away_the_embedded_engine_is_the_default_and_says_why(
    lakehouse: Lakehouse, tmp_path: Path, upstream: Any
) -> None:
    fake: FakeUpstream = upstream("trino")
    fake.get("/v1/info").answers({"starting": True, "nodeVersion": {"version": "476"}})
    plugins = [candidate_for("trino", plugin)]
    async with portal_for(tmp_path, site(lakehouse, fake.address), plugins) as portal:
        engineer = portal.signed_in("data-engineer")
        found = await engines(portal)
        assert [found[id]["default"] for id in ("trino", "duckdb")] == [False, True]
        assert found["trino"]["unavailable"] == "Trino is starting."
        assert found["duckdb"]["unavailable"] is None
        body = {"sql": "SELECT count(*) AS n FROM lake.nyc.flights"}
        query = (await engineer.post(f"{API}/queries", json=body)).json()
        assert query["engine"] == "duckdb"
        async with asyncio.timeout(60):
            while query["state"] in ("queued", "running"):
                await asyncio.sleep(0.05)
                query = (await engineer.get(f"{API}/queries/{query['id']}")).json()
        assert (query["state"], query["rows"]) == ("finished", 1)
        assert (await engineer.get(f"{API}/catalogs")).json()["items"] == [{"name": "lake"}]
        fake.get("/v1/info").answers({"starting": False, "nodeVersion": {"version": "476"}})
        async with asyncio.timeout(20):
            while not (await engines(portal))["trino"]["default"]:
                await asyncio.sleep(0.2)
        assert (await engines(portal))["trino"]["unavailable"] is None


async def test_the_embedded_engine_refuses_session_properties_in_words(lakehouse: Lakehouse, tmp_path: Path) -> None:
    plugins = [candidate_for("trino", plugin)]
    async with portal_for(tmp_path, {"plugins": {"trino": lakehouse.settings}}, plugins) as portal:
        engineer = portal.signed_in("data-engineer")
        assert (await engineer.get(f"{API}/engines/duckdb/session-properties")).json()["items"] == []
        query = (await engineer.post(f"{API}/queries", json={"sql": "SELECT 1", "session": {"threads": "9"}})).json()
        async with asyncio.timeout(30):
            while query["state"] in ("queued", "running"):
                await asyncio.sleep(0.02)
                query = (await engineer.get(f"{API}/queries/{query['id']}")).json()
        assert query["error"]["message"] == "DuckDB has no session properties here: threads."


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_the_coordinator_is_a_clear_and_bounded_answer(
    fault: str, lakehouse: Lakehouse, tmp_path: Path
) -> None:
    with faulty(fault) as address:
        async with portal_for(tmp_path, site(lakehouse, address), [candidate_for("trino", plugin)]) as portal:
            engineer = portal.signed_in("data-engineer")
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            async with asyncio.timeout(10):
                found = await engines(portal)
            if fault != "huge":
                assert found["duckdb"]["default"], found
            assert found["trino"]["unavailable"], found
            async with asyncio.timeout(10):
                listed = await engineer.get(f"{API}/engine-queries")
            assert listed.status_code in (502, 503), listed.text
            assert "srv/secret" not in listed.text
            async with asyncio.timeout(10):
                one = await engineer.get(f"{API}/engine-query", params={"id": "20200101_000000_00000_aaaaa"})
            assert one.status_code in (502, 503), one.text
            body = {"sql": "SELECT 1", "engine": "trino"}
            query = (await engineer.post(f"{API}/queries", json=body)).json()
            async with asyncio.timeout(30):
                while query["state"] in ("queued", "running"):
                    await asyncio.sleep(0.05)
                    query = (await engineer.get(f"{API}/queries/{query['id']}")).json()
            assert query["state"] == "failed", query
            assert query["error"]["message"]
            assert "srv/secret" not in str(query["error"])
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert grown < 768 * 1024, f"{grown} KiB"
