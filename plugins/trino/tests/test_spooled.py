"""A large result by the spooling protocol of the real Trino, with a real object store (marked `server`)."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from openlakes_portal.spi import Statement
from openlakes_portal_trino.coordinator.engine import CoordinatorEngine
from openlakes_portal_trino.coordinator.segments import Segment, SegmentStore
from openlakes_portal_trino.settings import Settings

from .conftest import Ask, EngineContext, Minted, person

pytestmark = pytest.mark.server
FLIGHTS = "SELECT * FROM lakehouse.nyc.flights"


@pytest.fixture
def trino(trino_server: Any, tmp_path: Path) -> CoordinatorEngine:
    where = {"address": trino_server.url, "verify": trino_server.certificate}
    context: Any = EngineContext(Settings.model_validate({"trino": where}), tmp_path)
    return CoordinatorEngine(context, Minted(trino_server))


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Segment]:
    """The segments that did not come with a page, as they are read."""
    read, found = SegmentStore.read, list[Segment]()

    def listen(store: SegmentStore, segment: Segment) -> bytes:
        data = read(store, segment)
        if segment.inline is None:
            found.append(segment)
        return data

    monkeypatch.setattr(SegmentStore, "read", listen)
    return found


async def test_a_whole_table_with_its_sums(trino: CoordinatorEngine, ask: Ask, fetched: list[Segment]) -> None:
    answer = await ask(trino, FLIGHTS)
    told = await ask(
        trino, "SELECT count(*), sum(distance), sum(dep_delay), count(dep_delay) FROM lakehouse.nyc.flights"
    )
    assert answer.table is not None
    table = answer.table
    ours = (
        table.num_rows,
        *(pc.sum(table[name]).as_py() for name in ("distance", "dep_delay")),
        pc.count(table["dep_delay"]).as_py(),
    )
    assert ours == told.rows[0]
    assert (answer.status.rows, answer.status.total_rows) == (ours[0], ours[0])
    assert len(fetched) > 3
    assert sum(segment.rows for segment in fetched) > ours[0] * 0.9, "nearly all of it did not come with the pages"


async def test_a_cut_result_ends_early_and_says_so(trino: CoordinatorEngine, ask: Ask, fetched: list[Segment]) -> None:
    answer = await ask(trino, "SELECT * FROM tpch.sf1.lineitem", row_limit=100_000)
    assert (answer.status.rows, answer.status.truncated) == (100_000, True)
    assert sum(segment.rows for segment in fetched) < 1_000_000, "of 6,001,215"
    connect = await trino._connector(person("data-engineer"))
    connection = connect()
    assert connection.has_ended(str(answer.status.engine_query_id))
    connection.close()


async def test_a_stop_while_segments_arrive(trino: CoordinatorEngine, tmp_path: Path, fetched: list[Segment]) -> None:
    running = await trino.start(person("data-engineer"), Statement("SELECT * FROM tpch.sf10.lineitem"), tmp_path / "x")
    async with asyncio.timeout(60):
        while not fetched:
            await running.wait(running.status(), 0.2)
    began = time.monotonic()
    status = await running.stop()
    assert (status.state, time.monotonic() - began < 3) == ("cancelled", True)
    connect = await trino._connector(person("data-engineer"))
    connection = connect()
    assert connection.has_ended(str(status.engine_query_id))
    connection.close()


async def test_what_was_read_is_deleted_at_the_store(
    trino: CoordinatorEngine, trino_server: Any, ask: Ask, fetched: list[Segment]
) -> None:
    before = trino_server.spooled()
    await ask(trino, FLIGHTS)
    assert fetched
    async with asyncio.timeout(20):
        while trino_server.spooled() - before:
            await asyncio.sleep(0.2)


async def test_a_store_that_is_away_fails_the_statement_in_words(
    trino: CoordinatorEngine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its segments are gone before they are read, as after their time."""
    read = SegmentStore.read

    def gone(store: SegmentStore, segment: Segment) -> bytes:
        if segment.inline is None:
            store.acknowledge(segment)
        return read(store, segment)

    monkeypatch.setattr(SegmentStore, "read", gone)
    answer = await ask(trino, FLIGHTS)
    assert (answer.status.state, answer.status.error.kind) == ("failed", "engine")
    assert "A part of the result cannot be read" in answer.status.error.message
    assert "/v1/spooled" not in answer.status.error.message
