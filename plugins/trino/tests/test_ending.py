"""Every end of a query is in the audit log once, with what ended it, and without a word of the data."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from openlakes_portal.testing import PortalUnderTest, SignedIn, candidate_for, portal_for
from openlakes_portal_trino import plugin, workspace
from openlakes_portal_trino.embedded.process import Workers

from .conftest import Lakehouse
from .test_portal import API, ENDLESS, run, settings


@pytest.fixture(autouse=True)
def _one_fork_server(lasting_workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "Workers", lambda idle: lasting_workers)


@pytest_asyncio.fixture
async def here(lakehouse: Lakehouse, tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """A portal that stops soon what nobody follows."""
    site = settings(lakehouse, abandon_after=1.5)
    async with portal_for(tmp_path / "portal", site, [candidate_for("trino", plugin)]) as portal:
        yield portal


async def recorded(portal: PortalUnderTest, query: str) -> dict[str, Any]:
    """The one record of a query's end, once there is one."""
    admin = portal.signed_in("platform-admin")
    async with asyncio.timeout(20):
        while True:
            items = (await admin.get("/api/audit?action=trino.query.ended&limit=500")).json()["items"]
            found = [item for item in items if item["object"] == query]
            if found:
                (record,) = found
                return dict(record)
            await asyncio.sleep(0.05)


async def started(client: SignedIn) -> str:
    return str((await client.post(f"{API}queries", json={"sql": ENDLESS})).json()["id"])


async def test_what_finished_is_recorded_with_its_rows(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    query = await run(engineer, "SELECT * FROM lake.nyc.planes")
    record = await recorded(here, query["id"])
    details = record["details"]
    assert (record["result"], record["actor_name"], record["phase"]) == ("finished", "data-engineer", "event")
    assert (details["engine"], details["rows"]) == ("duckdb", "10")
    assert float(details["seconds"]) > 0
    assert details["engine_query_id"].startswith("worker-")
    assert not {"error", "stopped_by"} & set(details)
    accepted = await here.signed_in("platform-admin").get("/api/audit?action=trino.query.run")
    assert record["request_id"] in {item["request_id"] for item in accepted.json()["items"]}


async def test_what_failed_is_recorded_with_the_kind_and_not_the_words(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    query = await run(engineer, "SELECT CAST('a secret word' AS integer)")
    assert "a secret word" in query["error"]["message"]
    record = await recorded(here, query["id"])
    assert (record["result"], record["details"]["error"], record["details"]["rows"]) == ("failed", "engine", "0")
    assert "secret" not in str(record)


async def test_what_was_stopped_is_recorded_with_its_cause(here: PortalUnderTest) -> None:
    engineer = here.new_session("data-engineer")
    stopped, closed = await started(engineer), await started(engineer)
    await engineer.delete(f"{API}queries/{stopped}")
    await engineer.delete(f"{API}queries/{closed}?unless_asked_within=0.2")
    for query, cause in ((stopped, "request"), (closed, "page closed"), (await started(engineer), "abandoned")):
        record = await recorded(here, query)
        assert (record["result"], record["details"]["error"]) == ("cancelled", "cancelled")
        assert record["details"]["stopped_by"] == cause


async def test_the_end_of_the_session_is_recorded(here: PortalUnderTest) -> None:
    engineer = here.new_session("data-engineer")
    query = await started(engineer)
    await engineer.sign_out()
    record = await recorded(here, query)
    assert (record["result"], record["details"]["stopped_by"]) == ("cancelled", "session ended")


async def test_the_stop_of_the_portal_is_recorded(lakehouse: Lakehouse, tmp_path: Path) -> None:
    site, plugins = settings(lakehouse), [candidate_for("trino", plugin)]
    async with portal_for(tmp_path / "portal", site, plugins) as portal:
        stopped = await started(portal.signed_in("data-engineer"))
    async with portal_for(tmp_path / "portal", site, plugins) as portal:
        assert (await recorded(portal, stopped))["details"]["stopped_by"] == "portal stopped"
