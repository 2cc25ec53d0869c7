"""The store, the same tests on SQLite and on PostgreSQL: documents, audit, idempotency, sessions, migrations."""

import asyncio
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import inspect, text

from openlakes_portal._audit.export import verify_database
from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.reading import AuditQuery
from openlakes_portal._audit.record import Entry
from openlakes_portal._audit.signing import PublicKeys, public_keys
from openlakes_portal._audit.statements import Statements
from openlakes_portal._store import migrate as migrations
from openlakes_portal._store.clock import now, sortable_id
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.documents import StoredDocuments
from openlakes_portal._store.idempotency import Claim, IdempotencyStore, KeptAnswer
from openlakes_portal._store.keyring import Keyring
from openlakes_portal._store.tables import UtcTime
from openlakes_portal.spi import Conflict, InvalidInput, NotFound, PreconditionFailed, Unavailable


async def test_a_document_is_kept_with_owner_and_version(database: Database) -> None:
    documents = StoredDocuments(database, "acme", "notes")
    made = await documents.create({"text": "é", "n": 1}, owner="anna")
    assert (made.version, made.owner) == (1, "anna")
    changed = await documents.update(made.id, {"text": "b"}, expected_version=1)
    assert changed.version == 2
    found = await documents.get(made.id)
    assert found is not None
    assert (found.data, found.version, found.created_at) == ({"text": "b"}, 2, made.created_at)
    with pytest.raises(PreconditionFailed):
        await documents.update(made.id, {}, expected_version=1)
    with pytest.raises(PreconditionFailed):
        await documents.delete(made.id, expected_version=1)
    assert await documents.delete(made.id, expected_version=2)
    assert not await documents.delete(made.id)
    with pytest.raises(NotFound):
        await documents.update(made.id, {})


async def test_collections_and_plugins_do_not_see_each_other(database: Database) -> None:
    await StoredDocuments(database, "acme", "notes").create({"x": 1}, owner="anna", id="same")
    assert await StoredDocuments(database, "acme", "other").get("same") is None
    assert await StoredDocuments(database, "evil", "notes").get("same") is None
    with pytest.raises(Conflict):
        await StoredDocuments(database, "acme", "notes").create({"x": 1}, owner="bob", id="same")


async def test_lists_go_page_by_page_without_gaps_or_repeats(database: Database) -> None:
    documents = StoredDocuments(database, "acme", "notes")
    for number in range(7):
        await documents.create({"n": number}, owner="anna" if number % 2 else "bob")
    seen, cursor = [], None
    while True:
        page = await documents.list(limit=3, cursor=cursor)
        seen += [d.data["n"] for d in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [6, 5, 4, 3, 2, 1, 0]
    assert [d.data["n"] for d in (await documents.list(owner="anna", newest_first=False)).items] == [1, 3, 5]
    assert await documents.prune(owner="bob", keep=1) == 3
    assert [d.data["n"] for d in (await documents.list(owner="bob")).items] == [6]


async def test_bad_documents_are_refused(database: Database) -> None:
    documents = StoredDocuments(database, "acme", "notes")
    with pytest.raises(InvalidInput, match="1048576"):
        await documents.create({"x": "y" * 1_100_000}, owner="anna")
    with pytest.raises(InvalidInput, match="JSON"):
        await documents.create({"x": float("nan")}, owner="anna")
    with pytest.raises(InvalidInput):
        await documents.create({}, owner="anna", id="../x")


async def test_concurrent_updates_lose_nothing(database: Database) -> None:
    documents = StoredDocuments(database, "acme", "notes")
    made = await documents.create({"n": 0}, owner="anna")

    async def increment() -> None:
        while True:
            current = await documents.get(made.id)
            assert current is not None
            try:
                await documents.update(made.id, {"n": current.data["n"] + 1}, expected_version=current.version)
                return
            except PreconditionFailed:
                continue

    await asyncio.gather(*(increment() for _ in range(12)))
    final = await documents.get(made.id)
    assert final is not None
    assert final.data == {"n": 12}


async def test_audit_records_are_one_line_and_read_newest_first(database: Database) -> None:
    log = AuditLog(database)
    hostile = "a\r\nb\x1b[31m\u2028\u202ec\ud800"
    await log.write(Entry("acme.thing", "r1", object=hostile, details={"agent": hostile}), "intent", "started")
    await log.write(Entry("acme.thing", "r1"), "outcome", "done")
    await log.write(Entry("core.other", "r2"), "event", "ok")
    page = await log.read(AuditQuery(limit=2))
    assert [r.phase for r in page.items] == ["event", "outcome"]
    rest = await log.read(AuditQuery(limit=2, cursor=page.next_cursor))
    assert [r.phase for r in rest.items] == ["intent"]
    stored = rest.items[0].object + rest.items[0].details["agent"]
    assert all(c.isprintable() for c in stored)
    assert [r.request_id for r in (await log.read(AuditQuery(action="core."))).items] == ["r2"]
    assert len((await log.read(AuditQuery(request_id="r1"))).items) == 2


async def test_an_idempotency_key_gives_the_first_answer_again(database: Database) -> None:
    store = IdempotencyStore(database, ttl=60)
    claim = await store.begin("anna", "POST", "/x", "k", b"body")
    assert isinstance(claim, Claim)
    with pytest.raises(Conflict):
        await store.begin("anna", "POST", "/x", "k", b"body")
    await store.finish(claim, 201, {"location": "/x/1"}, b"made")
    again = await store.begin("anna", "POST", "/x", "k", b"body")
    assert again == KeptAnswer(201, {"location": "/x/1"}, b"made")
    with pytest.raises(InvalidInput):
        await store.begin("anna", "POST", "/x", "k", b"other body")
    assert isinstance(await store.begin("bob", "POST", "/x", "k", b"other body"), Claim)


async def test_a_failed_request_frees_its_key(database: Database) -> None:
    store = IdempotencyStore(database, ttl=60)
    claim = await store.begin("anna", "POST", "/x", "k", b"")
    assert isinstance(claim, Claim)
    await store.finish(claim, 503, {}, b"")
    assert isinstance(await store.begin("anna", "POST", "/x", "k", b""), Claim)


async def test_of_many_requests_with_one_key_exactly_one_runs(database: Database) -> None:
    store = IdempotencyStore(database, ttl=60)

    async def attempt() -> bool:
        try:
            return isinstance(await store.begin("anna", "POST", "/x", "k", b""), Claim)
        except Conflict:
            return False

    assert sum(await asyncio.gather(*(attempt() for _ in range(10)))) == 1


async def test_the_schema_of_the_migrations_is_the_schema_of_the_tables(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from openlakes_portal._store.tables import metadata

    async with database.read() as connection:
        difference = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert difference == []
    assert ScriptDirectory.from_config(migrations.alembic_config()).get_current_head() == migrations.HEAD


async def test_a_database_from_the_future_is_refused(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="9999"):
        await migrations.migrate(database)


def _migrate_in_process(url: str, results: "multiprocessing.Queue[bool]") -> None:
    async def run() -> bool:
        database = Database(url, busy_timeout=20)
        try:
            return await migrations.migrate(database)
        finally:
            await database.close()

    results.put(asyncio.run(run()))


@pytest.mark.slow
def test_of_three_starters_exactly_one_migrates(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[bool] = context.Queue()
    starters = [context.Process(target=_migrate_in_process, args=(url, results)) for _ in range(3)]
    for starter in starters:
        starter.start()
    done = [results.get(timeout=60) for _ in starters]
    for starter in starters:
        starter.join(30)
    assert sorted(done) == [False, False, True]


def _die_in_the_middle(url: str) -> None:
    """Run the migration and kill this process after the tables were made, before the commit."""

    async def run() -> None:
        database = Database(url)
        upgrade = migrations._upgrade

        def upgrade_and_die(connection: object) -> bool:
            upgrade(connection)  # type: ignore[arg-type]
            os.kill(os.getpid(), signal.SIGKILL)
            return True

        migrations._upgrade = upgrade_and_die
        await migrations.migrate(database)

    asyncio.run(run())


@pytest.mark.slow
async def test_a_migration_that_is_killed_in_the_middle_leaves_nothing_and_runs_clean_again(url: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die_in_the_middle, args=(url,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    database = Database(url)
    try:
        async with database.read() as connection:
            assert await connection.run_sync(lambda c: inspect(c).get_table_names()) == []
        assert await migrations.migrate(database)
        assert await migrations.current_revision(database) == migrations.HEAD
    finally:
        await database.close()


async def _at_revision_0002(database: Database) -> None:
    """An installation of before, with a record in it."""
    from alembic import command

    at, json = sa.column("at", UtcTime()), sa.column("details", sa.JSON())
    names = ("actor", "actor_name", "action", "object", "phase", "result", "request_id")
    record = sa.table("audit_records", at, json, *(sa.column(name, sa.Text()) for name in names))
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda c: command.upgrade(migrations.alembic_config(c), "0002"))
        await connection.execute(sa.insert(record).values(at=now(), details={"n": 1}, **dict.fromkeys(names, "before")))
        await connection.commit()


@pytest.mark.slow
async def test_an_upgrade_that_is_killed_in_the_middle_keeps_what_was_there(url: str) -> None:
    """N83, for an installation with records: the last migration writes each of them anew."""
    database = Database(url)
    try:
        await _at_revision_0002(database)
        process = multiprocessing.get_context("spawn").Process(target=_die_in_the_middle, args=(url,))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert await migrations.current_revision(database) == "0002"
        async with database.read() as connection:
            columns = await connection.run_sync(lambda c: {x["name"] for x in inspect(c).get_columns("audit_records")})
            assert "hash" not in columns
            assert (await connection.execute(text("SELECT request_id FROM audit_records"))).scalars().all() == [
                "before"
            ]
        assert await migrations.migrate(database), "again, and clean"
        log = AuditLog(database)
        await log.write(Entry("acme.thing", "after"), "event", "ok")
        assert [r.request_id for r in (await log.read()).items] == ["after", "before"]
        await Statements(database, Keyring([b"k" * 32]), log).checkpoint()
        report = await verify_database(database, PublicKeys(await public_keys(database)))
        assert (report.problems, report.records, report.uncovered) == ([], 2, 0)
    finally:
        await database.close()


async def test_a_locked_database_is_503_in_bounded_time(tmp_path: Path) -> None:
    """M77 for the embedded database."""
    url = database_url(None, tmp_path)
    holder, other = Database(url), Database(url, busy_timeout=0.2)
    await migrations.migrate(holder)
    async with holder.write():
        with pytest.raises(Unavailable, match="database"):
            async with other.write():
                pass
    async with other.write():
        pass
    await holder.close()
    await other.close()


async def test_writers_of_one_process_have_their_turn_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    database = Database(database_url(None, tmp_path))
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE turns (number INTEGER)"))
    began: list[int] = []

    async def write(number: int) -> None:
        async with database.write() as connection:
            began.append(number)
            await connection.execute(text("INSERT INTO turns VALUES (:number)"), {"number": number})

    await asyncio.gather(*(write(number) for number in range(40)))
    assert began == [*range(40)]
    await database.close()


async def test_a_writer_that_is_not_done_is_waited_for_in_bounded_time(tmp_path: Path) -> None:
    database = Database(database_url(None, tmp_path), busy_timeout=0.2)
    async with database.write():
        with pytest.raises(Unavailable):
            async with database.write():
                raise AssertionError("two writers at once")
    async with database.write() as connection:  # the one that gave up holds nothing
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1
    await database.close()


def test_ids_sort_by_the_time_at_which_they_were_made_also_within_a_millisecond() -> None:
    made = []
    for _ in range(300):
        made.append(sortable_id())
        begin = time.time_ns()
        while time.time_ns() - begin < 2_000:  # a clock may tell the same for a while
            pass
    assert made == sorted(made)
    assert {len(id) for id in made} == {32}
