"""M80 between processes: who leads, what they tell each other, and limits of rate."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from machine_clock import MachineClock
from openlakes_portal._http.limits import TokenBuckets
from openlakes_portal._http.shared_rates import SharedRates
from openlakes_portal._store.database import Database
from openlakes_portal._store.lease import Lease
from openlakes_portal._store.signals import Signals
from openlakes_portal.spi import Limited
from openlakes_portal.testing import portal_for

JUMPS = pytest.mark.parametrize("jump", [600, -600, -3600], ids="{:+d} s".format)


@JUMPS
async def test_a_dead_leader_is_followed_whatever_the_clock_says(
    database: Database, machine: MachineClock, jump: int
) -> None:
    dead, next_one, third = (Lease(database, "leader", name, 0.5) for name in ("dead", "next", "third"))
    assert await dead.take()
    assert not await next_one.take(), "control: it is held"
    machine.ahead += jump
    async with asyncio.timeout(5):
        while not await next_one.take():
            await asyncio.sleep(0.02)
    assert not await third.take(), "and one leads"
    assert not await dead.take()
    assert await next_one.take()


async def test_a_lease_that_outlives_every_clock_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="a lease lasts"):
        Lease(database, "leader", "me", 61)


@pytest.fixture
async def ends(database: Database) -> AsyncIterator[tuple[Signals, Signals]]:
    """Two processes that hear each other."""
    second = Database(database.url.render_as_string(hide_password=False))
    pair = (Signals(database), Signals(second))
    for each in pair:
        await each.start()
    yield pair
    for each in pair:
        await each.stop()
    await second.close()


@JUMPS
async def test_what_is_told_is_heard_whatever_the_clock_says(
    database: Database, ends: tuple[Signals, Signals], machine: MachineClock, jump: int
) -> None:
    """SQLite numbers from 1 again once a table is empty: what is old is cleared away, and the next is heard still."""
    here, there = ends
    heard: list[str] = []
    there.on("test", heard.append)

    async def tell(*keys: str) -> None:
        async with database.write() as connection:
            for key in keys:
                await here.send(connection, "test", key)

    expected: list[str] = []
    for number, set_by in enumerate((0, jump, 300, 300, -jump)):
        machine.ahead += set_by
        told = [f"{number} {n}" for n in range(3)]
        expected += told
        await tell(*told)
        async with asyncio.timeout(5):
            while len(heard) < len(expected):
                await asyncio.sleep(0.01)
    assert heard == expected


def passed(buckets: TokenBuckets, key: str, times: int) -> int:
    """How many of these requests pass."""
    count = 0
    for _ in range(times):
        try:
            buckets.take(key)
            count += 1
        except Limited:
            pass
    return count


@JUMPS
async def test_limits_are_kept_and_nobody_is_locked_out(database: Database, machine: MachineClock, jump: int) -> None:
    moment = 0.0
    pair = [TokenBuckets(10, 100, lambda: moment) for _ in range(2)]
    here, there = (SharedRates(database, {"session": buckets}) for buckets in pair)

    async def exchange() -> None:
        for shared in (here, there, here):
            await shared.exchange()

    assert [passed(buckets, "thief", 60) for buckets in pair] == [60, 60]
    await exchange()
    machine.ahead += jump
    assert sum(passed(buckets, "thief", 200) for buckets in pair) <= 20, "the limit is kept over both"
    await exchange()
    assert [passed(buckets, "somebody", 50) for buckets in pair] == [50, 50], "and is nobody else's"
    for _ in range(30):
        moment += 1
        await exchange()
    assert passed(pair[0], "thief", 200) >= 90, "who behaves is let in again after a while"


@JUMPS
async def test_the_limit_of_requests_is_the_same_before_and_after(
    url: str, tmp_path: Path, machine: MachineClock, jump: int
) -> None:
    limits = {"limits": {"rate": 0.01, "burst": 12}, "database": {"url": url}}
    async with portal_for(tmp_path / "portal", limits, []) as portal:
        thief, victim = portal.signed_in("viewer"), portal.signed_in("bi-analyst")
        await thief.session()
        await victim.session()
        assert 429 in [(await thief.get("/api/session")).status_code for _ in range(13)]
        machine.ahead += jump
        assert {(await thief.get("/api/session")).status_code for _ in range(5)} == {429}
        assert (await victim.get("/api/session")).status_code == 200
