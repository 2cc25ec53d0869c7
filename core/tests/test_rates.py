"""Limits of rate, alone and over replicas (L76)."""

import pytest

from openlakes_portal._http.limits import TokenBuckets
from openlakes_portal._http.shared_rates import SharedRates
from openlakes_portal._store.database import Database
from openlakes_portal.spi import Limited


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def replica(database: Database, clock: Clock) -> tuple[SharedRates, TokenBuckets]:
    """One process: ten a second, a hundred at once."""
    buckets = TokenBuckets(10, 100, clock)
    return SharedRates(database, {"session": buckets}), buckets


def let_through(buckets: TokenBuckets, key: str, times: int) -> int:
    """How many of these requests pass."""
    passed = 0
    for _ in range(times):
        try:
            buckets.take(key)
            passed += 1
        except Limited:
            pass
    return passed


async def test_what_is_used_at_one_replica_is_missing_at_the_other(database: Database) -> None:
    clock = Clock()
    first, at_first = replica(database, clock)
    second, at_second = replica(database, clock)
    assert let_through(at_first, "thief", 90) == 90
    assert let_through(at_second, "thief", 40) == 40
    for shared in (first, second, first):
        await shared.exchange()
    assert let_through(at_first, "thief", 100) == 0
    assert let_through(at_second, "thief", 100) == 0
    assert let_through(at_first, "somebody else", 100) == 100, "nobody else is limited by it"


async def test_over_a_minute_three_replicas_let_through_little_more_than_one(database: Database) -> None:
    clock = Clock()
    replicas = [replica(database, clock) for _ in range(3)]
    passed = 0
    for _ in range(60):
        clock.at += 1
        for _, buckets in replicas:
            passed += let_through(buckets, "thief", 50)
        for shared, _ in replicas:
            await shared.exchange()
    alone = 100 + 60 * 10
    assert passed <= alone * 1.35, "each by itself would have let three times as many through"
    assert passed >= alone * 0.5, "and what is allowed is let through"


async def test_who_is_far_from_a_limit_costs_the_database_nothing(database: Database) -> None:
    clock = Clock()
    shared, buckets = replica(database, clock)
    before = database.queries
    for second in range(20):
        clock.at = 1000.0 + second
        assert let_through(buckets, "somebody", 9) == 9
        await shared.exchange()
    assert database.queries == before


async def test_a_database_that_is_away_leaves_each_replica_its_own_limit(database: Database) -> None:
    clock = Clock()
    shared, buckets = replica(database, clock)
    assert let_through(buckets, "thief", 90) == 90
    shared._database = away = Database("sqlite+aiosqlite:////absent/portal.db")
    with pytest.raises(Exception, match=r"\S"):
        await shared.exchange()
    await away.close()
    assert let_through(buckets, "thief", 100) == 10
