"""Sessions, the same tests on SQLite and on PostgreSQL, between replicas too."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text, update

from openlakes_portal._auth.grants import Grant
from openlakes_portal._auth.sessions import Sessions
from openlakes_portal._rbac.book import PolicyBook
from openlakes_portal._rbac.policy import Identity, build_policy
from openlakes_portal._settings.model import RoleBinding, SessionSettings
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import people
from openlakes_portal._store.keyring import Keyring, KeyringError
from openlakes_portal._store.signals import Signals
from openlakes_portal._store.tables import sessions as table
from openlakes_portal.spi import NotAllowed, Permission, Principal

ANNA = Identity("https://idp.example", "1", "anna", "Anna", groups=("staff",))
READ = Permission("core:x:read", "Read", roles=("viewer",))


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at


Replica = Callable[[Clock], Awaitable[Sessions]]


@pytest.fixture
async def replica(database: Database) -> AsyncIterator[Replica]:
    """A process's sessions on this database, with connections of their own; as many as are asked for."""
    opened: list[tuple[Database, Signals]] = []

    async def make(clock: Clock) -> Sessions:
        own = Database(database.url.render_as_string(hide_password=False))
        signals = Signals(own)
        opened.append((own, signals))
        await signals.start()
        book = PolicyBook(own, build_policy([READ], (RoleBinding(role="viewer", group="staff"),)), signals)
        settings = SessionSettings(idle_timeout=600, absolute_timeout=3600)
        return Sessions(own, book, settings, Keyring([bytes(32)]), signals, clock)

    yield make
    for own, signals in opened:
        await signals.stop()
        await own.close()


async def test_a_session_is_known_by_its_cookie_on_every_replica(replica: Replica, database: Database) -> None:
    clock = Clock()
    here, there = await replica(clock), await replica(clock)
    secret, session = await here.create(ANNA)
    other = await there.resolve(secret)
    assert other is not None
    assert other.principal == session.principal
    assert other.principal.permissions == {"core:x:read"}
    assert await there.resolve(secret + "x") is None
    async with database.read() as connection:
        stored = (await connection.execute(text("SELECT * FROM sessions"))).one()
    assert secret not in repr(stored), "the store must hold the hash only"


async def test_sessions_end_by_idleness_and_in_any_case(replica: Replica) -> None:
    clock = Clock()
    idle, busy = await replica(clock), await replica(clock)
    secret, _ = await idle.create(ANNA)
    clock.at += timedelta(seconds=700)
    assert await (await replica(clock)).resolve(secret) is None
    secret, _ = await busy.create(ANNA)
    for _ in range(8):
        clock.at += timedelta(seconds=400)
        assert await (await replica(clock)).resolve(secret) is not None, "a busy session stays"
    clock.at += timedelta(seconds=401)
    assert await (await replica(clock)).resolve(secret) is None, "polling cannot extend the absolute end"


async def test_an_ended_session_is_dead_at_once_and_told_to_who_listens(replica: Replica) -> None:
    clock = Clock()
    service = await replica(clock)
    told = []

    async def hear(principal: object) -> None:
        told.append(principal)

    service.on_end(hear)
    secret, session = await service.create(ANNA)
    await service.end(session)
    assert await service.resolve(secret) is None
    assert session.ended.is_set()
    assert told == [session.principal]
    second, _ = await service.create(ANNA)
    clock.at += timedelta(hours=2)
    assert await service.sweep() == 1
    assert len(told) == 2
    assert await service.resolve(second) is None


async def test_a_warm_request_asks_the_database_nothing(replica: Replica) -> None:
    """P10."""
    service = await replica(Clock())
    secret, _ = await service.create(ANNA)
    before = service._database.queries
    for _ in range(100):
        assert await service.resolve(secret) is not None
    assert service._database.queries == before


async def test_an_open_stream_keeps_nobody_signed_in(replica: Replica) -> None:
    clock = Clock()
    service = await replica(clock)
    _, session = await service.create(ANNA)
    for _ in range(6):
        clock.at += timedelta(seconds=99)
        service._cache.clear()
        assert await service.refresh(session) is not None
    clock.at += timedelta(seconds=99)
    service._cache.clear()
    assert await service.refresh(session) is None


async def within(seconds: float, happened: Callable[[], bool]) -> float:
    """Wait for it; how long it took."""
    begin = time.monotonic()
    while not happened():
        assert time.monotonic() - begin < seconds, f"it did not happen within {seconds} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - begin


async def test_an_end_is_effective_on_every_replica_within_a_second(replica: Replica) -> None:
    """D30, A5: the other replica has the session in its cache, with a stream open on it."""
    clock = Clock()
    here, there = await replica(clock), await replica(clock)
    told: list[Principal] = []

    async def hear(principal: Principal) -> None:
        told.append(principal)

    there.on_end(hear)
    secret, session = await here.create(ANNA)
    known = await there.resolve(secret)
    assert known is not None
    assert there.cached(secret) == (True, known)
    await here.end(session)
    await within(1.0, lambda: there.cached(secret) == (True, None))
    assert known.ended.is_set()
    await within(1.0, lambda: [(p.identity, p.session_id) for p in told] == [(ANNA.issuer + "#1", session.public_id)])


async def test_all_sessions_of_a_person_end_together(replica: Replica) -> None:
    service = await replica(Clock())
    bob = Identity("https://idp.example", "2", "bob", "Bob")
    mine = [(await service.create(ANNA))[0] for _ in range(3)]
    other, _ = await service.create(bob)
    ended = await service.end_where((table.c.issuer == ANNA.issuer) & (table.c.subject == ANNA.subject))
    assert len(ended) == 3
    assert [await service.resolve(secret) for secret in mine] == [None, None, None]
    assert await service.resolve(other) is not None


async def test_a_disabled_person_is_out_and_cannot_come_in(replica: Replica, database: Database) -> None:
    service = await replica(Clock())
    secret, _ = await service.create(ANNA)
    async with database.write() as connection:
        await connection.execute(update(people).values(disabled_at=now()))
    service._cache.clear()
    assert await service.resolve(secret) is None
    with pytest.raises(NotAllowed, match="disabled"):
        await service.create(ANNA)


async def test_a_user_name_is_never_given_to_another_subject(replica: Replica) -> None:
    """A10: neither by a renamed account nor by a provider that reassigns the name; who it is decides, not the name."""
    service = await replica(Clock())
    await service.create(ANNA)
    for thief in (
        Identity("https://idp.example", "2", "anna", "Other Anna", "anna@corp.example", ("staff",)),
        Identity("https://evil.example", "1", "anna", "Anna"),
    ):
        with pytest.raises(NotAllowed, match="belongs to another account"):
            await service.create(thief)
    renamed = Identity("https://idp.example", "1", "anna.b", "Anna B", groups=("staff",))
    await service.create(renamed)
    assert (await service.create(Identity("https://idp.example", "2", "carla", "Carla")))[
        1
    ].principal.roles == frozenset()


async def test_tokens_lie_sealed_and_open_for_their_session_only(replica: Replica, database: Database) -> None:
    service = await replica(Clock())
    grant = Grant("the-access-token", now(), "the-refresh-token", "the-id-token")
    _, session = await service.create(ANNA, grant=grant)
    _, other = await service.create(ANNA, grant=grant)
    assert await service.grant(session) == grant
    async with database.write() as connection:
        rows = (await connection.execute(text("SELECT * FROM sessions"))).all()
        assert "the-" not in repr(rows)
        stolen = (
            await connection.execute(text("SELECT tokens FROM sessions WHERE public_id = :i"), {"i": session.public_id})
        ).scalar()
        await connection.execute(update(table).where(table.c.public_id == other.public_id).values(tokens=stolen))
    assert await service.grant(other) is None, "a row's tokens do not open in another row"


def test_a_key_is_replaced_with_overlap() -> None:
    old, new = Keyring([bytes([1]) * 32]), Keyring([bytes([2]) * 32, bytes([1]) * 32])
    sealed = old.seal("p", "o", b"value")
    assert new.open("p", "o", sealed) == b"value"
    assert not new.is_current(sealed)
    assert new.is_current(new.seal("p", "o", b"value"))
    with pytest.raises(KeyringError, match=new.current_id):
        old.open("p", "o", new.seal("p", "o", b"value"))
    for purpose, owner, changed in (
        ("q", "o", sealed),
        ("p", "x", sealed),
        ("p", "o", sealed[:-1] + bytes([sealed[-1] ^ 1])),
    ):
        with pytest.raises(KeyringError):
            new.open(purpose, owner, changed)
