"""G51: a stop that meets a statement just as it begins leaves none in the engine that nobody holds."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from openlakes_portal.spi import Document, Principal, QueryError, QueryStatus, SqlEngine, Statement
from openlakes_portal_trino.embedded.process import Worker, Workers
from openlakes_portal_trino.embedded.running import taken
from openlakes_portal_trino.queries.active import ActiveQuery
from openlakes_portal_trino.queries.record import QueryRecord
from openlakes_portal_trino.queries.turns import Turns

from .conftest import EngineContext, Silent, person


class EngineRun:
    """A statement that runs until it is stopped."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def status(self) -> QueryStatus:
        if self._over.is_set():
            return QueryStatus("cancelled", error=QueryError("Stopped.", "cancelled"))
        return QueryStatus("running")

    async def wait(self, seen: QueryStatus, at_most: float) -> QueryStatus:
        await self._over.wait()
        return self.status()

    async def stop(self) -> QueryStatus:
        self._over.set()
        return self.status()


class SteppingEngine:
    """Starts a statement only when the test lets it, and remembers each it started."""

    id = "stepping"

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        self.runs: list[EngineRun] = []

    async def start(self, principal: Principal, statement: Statement, spool: Path) -> EngineRun:
        self.asked.set()
        await self.let.wait()
        self.runs.append(EngineRun())
        return self.runs[-1]

    @property
    def left_running(self) -> int:
        return sum(not run.status().done for run in self.runs)


class Bench:
    """Queries of one person, of which one runs at a time."""

    def __init__(self, folder: Path) -> None:
        self.engine = SteppingEngine()
        self.turns = Turns(per_user=1, total=1)
        self._folder = folder

    def query(self) -> tuple[ActiveQuery, "asyncio.Task[QueryStatus]"]:
        document: Any = type("Stored", (), {"id": "one", "owner": "me"})()
        record = QueryRecord(sql="SELECT 1", engine="stepping", row_limit=1, username="me", replica="r")
        active = ActiveQuery(
            cast(Document, document), record, person("data-engineer"), self._folder / "x", self.turns, Silent()
        )
        return active, asyncio.create_task(active.run(cast(SqlEngine, self.engine), _nothing, _nothing))


async def _nothing() -> None:
    pass


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_query_is_stopped_before_its_first_step(bench: Bench) -> None:
    active, task = bench.query()
    assert (await active.stop()).state == "cancelled"
    assert (await task).state == "cancelled"
    assert bench.engine.runs == []


@pytest.mark.parametrize("stop_first", [True, False])
async def test_a_query_is_stopped_in_the_tick_of_its_turn(bench: Bench, stop_first: bool) -> None:
    bench.engine.let.set()
    holding = asyncio.Event()
    leave = asyncio.Event()

    async def hold() -> None:
        async with bench.turns.turn("me", holding):
            await leave.wait()

    holder = asyncio.create_task(hold())
    await holding.wait()
    active, task = bench.query()
    while bench.turns.waiting("me") == 0:
        await asyncio.sleep(0)
    if stop_first:
        stopping = asyncio.create_task(active.stop())
        leave.set()
    else:
        leave.set()
        stopping = asyncio.create_task(active.stop())
    async with asyncio.timeout(5):
        assert (await stopping).state == (await task).state == "cancelled"
        await holder
    assert bench.engine.left_running == 0
    async with asyncio.timeout(5), bench.turns.turn("me", asyncio.Event()):
        pass  # the turn came back


async def test_every_interleaving_of_stop_and_turn_leaves_nothing(tmp_path: Path) -> None:
    """The stop comes after 0, 1, 2, ... steps of the loop, until it comes too late to matter."""
    for steps in range(12):
        bench = Bench(tmp_path)
        bench.engine.let.set()
        active, task = bench.query()
        for _ in range(steps):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await active.stop()
            assert (await task).state == "cancelled"
        assert bench.engine.left_running == 0, steps
        assert bench.turns.position(active.turn) is None


async def test_who_asked_for_the_stop_may_leave_while_the_engine_starts(bench: Bench) -> None:
    active, task = bench.query()
    await bench.engine.asked.wait()
    stopping = asyncio.create_task(active.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    bench.engine.let.set()
    async with asyncio.timeout(5):
        assert (await task).state == "cancelled"
    assert (len(bench.engine.runs), bench.engine.left_running) == (1, 0)


async def test_a_worker_that_nobody_waits_for_any_more_ends(tmp_path: Path, shared_workers: Workers) -> None:
    made: list[Worker] = []

    class Watched(Workers):
        def take(self) -> Worker:
            made.append(shared_workers.take())
            return made[-1]

    context: Any = EngineContext(cast(Any, None), tmp_path)
    waiting = asyncio.create_task(taken(context, Watched(60.0)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(20):
        while not made or made[0].alive:
            await asyncio.sleep(0.01)
    made[0].discard()
