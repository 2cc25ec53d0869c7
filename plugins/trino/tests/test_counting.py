"""What is known of a result that was cut: how many rows the whole has, counted after the query has ended."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from openlakes_portal.spi import Statement
from openlakes_portal.testing import PortalUnderTest, SignedIn, candidate_for, portal_for
from openlakes_portal_trino import plugin, workspace
from openlakes_portal_trino.embedded.process import Workers

from .conftest import Ask, Lakehouse, MakeEngine, person
from .test_portal import API, run, settings

UNCOUNTABLE = "SELECT * FROM range(1000000000000)"
FAILS_LATER = "SELECT CASE WHEN range < 4000000 THEN 1 ELSE error('too late') END FROM range(5000000)"


async def started(engine: Any, sql: str, spool: Path, row_limit: int = 10) -> Any:
    """A statement whose result is complete."""
    running = await engine.start(person("data-engineer"), Statement(sql, row_limit=row_limit), spool)
    async with asyncio.timeout(30):
        while not running.status().done:
            await running.wait(running.status(), 5)
    return running


def is_gone(running: Any) -> bool:
    try:
        os.kill(int(str(running.status().engine_query_id).removeprefix("worker-")), 0)
    except ProcessLookupError:
        return True
    return False


async def test_the_rest_is_counted_after_the_end(make_engine: MakeEngine, tmp_path: Path) -> None:
    running = await started(make_engine(), "SELECT * FROM range(100000)", tmp_path / "x")
    ended = running.status()
    assert (ended.state, ended.rows, ended.truncated, ended.total_rows) == ("finished", 10, True, None)
    async with asyncio.timeout(5):
        assert await running.total_rows() == 100_000
    assert running.status() == ended, "what has ended does not change"


@pytest.mark.parametrize(("sql", "seconds"), [(UNCOUNTABLE, 0.5), (FAILS_LATER, 2.0)])
async def test_what_cannot_be_counted_in_time_stays_unknown(
    make_engine: MakeEngine, tmp_path: Path, sql: str, seconds: float
) -> None:
    running = await started(make_engine(count_limit=seconds), sql, tmp_path / "x")
    async with asyncio.timeout(seconds + 3):
        assert await running.total_rows() is None
    assert (running.status().state, running.status().rows) == ("finished", 10)
    assert is_gone(running)


async def test_a_stop_ends_the_count(make_engine: MakeEngine, tmp_path: Path) -> None:
    running = await started(make_engine(count_limit=60), UNCOUNTABLE, tmp_path / "x")
    assert running.counting
    async with asyncio.timeout(2):
        assert (await running.stop()).state == "finished"
    assert is_gone(running)
    assert await running.total_rows() is None


async def test_no_more_is_counted_at_once_than_the_machine_bears(make_engine: MakeEngine, tmp_path: Path) -> None:
    engine = make_engine(count_limit=60)
    counted = [await started(engine, UNCOUNTABLE, tmp_path / f"{index}") for index in range(4)]
    one_too_many = await started(engine, UNCOUNTABLE, tmp_path / "more")
    async with asyncio.timeout(5):
        assert await one_too_many.total_rows() is None
    assert all(running.counting for running in counted)


async def test_all_rows_with_values_cut_are_known_to_be_all(make_engine: MakeEngine, ask: Ask) -> None:
    engine = make_engine(queries={"cell_limit": 1024})
    cut = await ask(engine, "SELECT repeat('x', 5000) AS long FROM range(3)", row_limit=10)
    assert (cut.status.rows, cut.status.truncated, cut.status.total_rows) == (3, True, 3)


@pytest.fixture(autouse=True)
def _one_fork_server(lasting_workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "Workers", lambda idle: lasting_workers)


@pytest_asyncio.fixture
async def here(lakehouse: Lakehouse, tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """A portal that counts for as long as somebody lets it."""
    site = settings(lakehouse, per_user=1)
    site["plugins"]["trino"]["duckdb"]["count_limit"] = 60
    async with portal_for(tmp_path / "portal", site, [candidate_for("trino", plugin)]) as portal:
        yield portal


async def counted(client: SignedIn, id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            query: dict[str, Any] = (await client.get(f"{API}queries/{id}")).json()
            if not query["counting"]:
                return query
            await asyncio.sleep(0.02)


async def test_the_history_learns_the_total(here: PortalUnderTest) -> None:
    engineer = here.signed_in("data-engineer")
    query = await run(engineer, "SELECT * FROM lake.nyc.flights", row_limit=10)
    assert (query["state"], query["rows"], query["truncated"]) == ("finished", 10, True)
    assert (await counted(engineer, query["id"]))["total_rows"] == 3000
    (kept,) = (await engineer.get(f"{API}queries")).json()["items"]
    assert (kept["total_rows"], kept["rows"]) == (3000, 10)


async def test_counting_holds_up_no_other_query_and_is_stopped_like_one(here: PortalUnderTest) -> None:
    engineer = here.new_session("data-engineer")
    first = await run(engineer, UNCOUNTABLE, row_limit=10)
    assert (first["state"], first["counting"], first["results_kept"]) == ("finished", True, True)
    second = await run(engineer, UNCOUNTABLE, row_limit=10)  # of the one that may run at a time
    stopped = (await engineer.delete(f"{API}queries/{first['id']}")).json()
    assert (stopped["state"], stopped["counting"], stopped["total_rows"]) == ("finished", False, None)
    assert (await engineer.get(f"{API}queries/{second['id']}")).json()["counting"] is True
    again = here.new_session("data-engineer")
    await engineer.sign_out()
    assert (await counted(again, second["id"]))["total_rows"] is None
