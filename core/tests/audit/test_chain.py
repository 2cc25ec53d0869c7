"""J66: what is done to the log from outside is found, and named. Each case has the untouched log as its control."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from openlakes_portal._audit.export import verify_database, verify_lines
from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.reading import AuditQuery, record_of
from openlakes_portal._audit.record import MAX_VALUE, Entry, chained, digest, redacted
from openlakes_portal._audit.signing import PublicKeys, SigningKey, public_keys
from openlakes_portal._audit.statements import Statements, exported, payload
from openlakes_portal._store.audit_tables import audit_records, audit_statements, audit_writers
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.keyring import Keyring
from openlakes_portal.spi import Principal, Unavailable

from .conftest import Office

COLUMNS = (
    "actor",
    "actor_name",
    "session",
    "action",
    "object",
    "phase",
    "result",
    "request_id",
    "address",
    "writer",
    "prev",
    "hash",
)


async def test_records_of_many_writers_at_once_are_one_whole_log(office: Office) -> None:
    async def one(n: int) -> None:
        log = (office.first, office.second)[n % 2]
        await log.write(Entry("acme.thing.made", f"request-{n}"), "event", "ok")

    await asyncio.gather(*(one(n) for n in range(300)))
    assert await office.statements.checkpoint() == 1
    await office.write(2)
    assert await office.statements.checkpoint() == 2
    report = await office.verify()
    assert (report.ok, report.records, report.statements, report.uncovered) == (True, 304, 2, 0), report.problems
    async with office.database.read() as connection:
        rows = (await connection.execute(select(audit_writers))).all()
    assert sorted(row.seq for row in rows) == [152, 152]
    assert all(row.signed_seq == row.seq for row in rows)


async def test_records_that_wait_together_are_committed_together(office: Office) -> None:
    before = office.database.queries
    await asyncio.gather(*(office.first.write(Entry("a.b.c", "r"), "event", "ok") for _ in range(200)))
    assert office.database.queries - before < 40


async def _rows(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list((await connection.execute(select(audit_records).order_by(audit_records.c.id))).all())


async def _run(database: Database, *statements: Any) -> None:
    async with database.write() as connection:
        for statement in statements:
            await connection.execute(statement)


async def edit_details(database: Database) -> str:
    """Another value in the details."""
    row = (await _rows(database))[4]
    await _run(database, update(audit_records).where(audit_records.c.id == row.id).values(details={"sum": "1"}))
    return f"record {row.id}"


async def edit_time(database: Database) -> str:
    """Another time."""
    rows = await _rows(database)
    await _run(database, update(audit_records).where(audit_records.c.id == rows[4].id).values(at=rows[3].at))
    return f"record {rows[4].id}"


async def delete_middle(database: Database) -> str:
    """One record less; its writer's next one shows it."""
    rows = await _rows(database)
    await _run(database, delete(audit_records).where(audit_records.c.id == rows[4].id))
    following = next(row for row in rows[5:] if row.writer == rows[4].writer)
    return f"record {following.id}"


async def delete_first(database: Database) -> str:
    """The first record of all."""
    rows = await _rows(database)
    await _run(database, delete(audit_records).where(audit_records.c.id == rows[0].id))
    return f"record {next(row for row in rows[1:] if row.writer == rows[0].writer).id}"


async def delete_end(database: Database) -> str:
    """The newest record, and the head of its chain with it."""
    rows = await _rows(database)
    last = rows[-1]
    before = [row for row in rows[:-1] if row.writer == last.writer][-1]
    await _run(
        database,
        delete(audit_records).where(audit_records.c.id == last.id),
        update(audit_writers)
        .where(audit_writers.c.writer == last.writer)
        .values(seq=before.seq, hash=before.hash, signed_seq=before.seq, signed_hash=before.hash),
    )
    return f"the end of writer {last.writer}"


async def delete_writer(database: Database) -> str:
    """A whole chain with its head."""
    writer = (await _rows(database))[-1].writer
    await _run(
        database,
        delete(audit_records).where(audit_records.c.writer == writer),
        delete(audit_writers).where(audit_writers.c.writer == writer),
    )
    return f"the end of writer {writer}"


async def swap(database: Database) -> str:
    """Two records of a writer change places."""
    rows = [row for row in await _rows(database) if row.writer == (await _rows(database))[0].writer]
    a, b = rows[1], rows[2]
    ids = audit_records.c.id
    await _run(
        database,
        update(audit_records).where(ids == a.id).values(id=10_000_000),
        update(audit_records).where(ids == b.id).values(id=a.id),
        update(audit_records).where(ids == 10_000_000).values(id=b.id),
    )
    return f"record {a.id}"


async def forge(database: Database) -> str:
    """History written anew by somebody who knows how hashes are made, and has no key."""
    rows = await _rows(database)
    writer = rows[0].writer
    prev, signed = rows[0].prev, None
    async with database.write() as connection:
        for row in [row for row in rows if row.writer == writer]:
            values = {
                name: value
                for name, value in row._mapping.items()
                if name not in ("id", "writer", "seq", "prev", "hash")
            }
            linked = chained({**values, "actor_name": "somebody else"}, writer, row.seq, prev)
            prev = linked["hash"]
            await connection.execute(update(audit_records).where(audit_records.c.id == row.id).values(linked))
            signed = row.id if row.seq == 4 else signed  # the first one that a statement names
        heads = {"hash": prev, "signed_hash": prev}
        await connection.execute(update(audit_writers).where(audit_writers.c.writer == writer).values(heads))
    return f"record {signed}"


async def delete_statement(database: Database) -> str:
    """A statement in the middle."""
    await _run(database, delete(audit_statements).where(audit_statements.c.number == 2))
    return "statement 3"


async def delete_first_statement(database: Database) -> str:
    """The first statement, as if it were archived."""
    await _run(database, delete(audit_statements).where(audit_statements.c.number == 1))
    return "statement 2"


async def sign_by_another(database: Database) -> str:
    """A statement signed by a key of the attacker's."""
    from joserfc.jwk import OKPKey

    key = SigningKey(OKPKey.generate_key("Ed25519"))
    async with database.read() as connection:
        jws = (
            await connection.execute(select(audit_statements.c.jws).where(audit_statements.c.number == 3))
        ).scalar_one()
    forged = key.sign(payload(jws))
    await _run(database, update(audit_statements).where(audit_statements.c.number == 3).values(jws=forged))
    return "statement 3"


async def edit_statement(database: Database) -> str:
    """Other content under the same signature."""
    async with database.read() as connection:
        jws = (
            await connection.execute(select(audit_statements.c.jws).where(audit_statements.c.number == 3))
        ).scalar_one()
    header, body, signature = jws.split(".")
    changed = f"{header}.{body[:-4]}AAAA.{signature}"
    await _run(database, update(audit_statements).where(audit_statements.c.number == 3).values(jws=changed))
    return "statement 3"


def edit(column: str) -> Callable[[Database], Awaitable[str]]:
    """Another value in this column."""

    async def attack(database: Database) -> str:
        row = (await _rows(database))[4]
        values = {column: "x" * 32 if column == "writer" else "x"}
        await _run(database, update(audit_records).where(audit_records.c.id == row.id).values(values))
        return f"record {row.id}"

    attack.__name__ = f"edit_{column}"
    return attack


ATTACKS = [
    *(edit(column) for column in COLUMNS if column != "writer"),
    edit_details,
    edit_time,
    delete_middle,
    delete_first,
    delete_end,
    delete_writer,
    swap,
    forge,
    delete_statement,
    delete_first_statement,
    sign_by_another,
    edit_statement,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_what_is_done_in_the_database_is_found(
    office: Office, attack: Callable[[Database], Awaitable[str]]
) -> None:
    for _ in range(3):
        await office.write(4)
        await office.statements.checkpoint()
    assert (await office.verify()).ok
    where = await attack(office.database)
    report = await office.verify()
    assert [problem.where for problem in report.problems][:1] == [where], report.problems
    exported_report = await office.verify_export()
    assert not exported_report.ok


async def test_statements_cut_from_the_end_are_seen_by_who_knows_a_number(office: Office) -> None:
    await office.write(2)
    await office.statements.checkpoint()
    await office.write(2)
    await office.statements.checkpoint()
    await _run(
        office.database,
        delete(audit_statements).where(audit_statements.c.number == 2),
        delete(audit_records).where(audit_records.c.id > 4),
        update(audit_writers).values(seq=2, signed_seq=2),
    )
    assert (await office.verify()).last_statement == 1  # the number alone tells, by --at-least
    await office.statements.checkpoint()
    assert office.statements.broken["statements"].why == "statements at the end are missing"


CUTS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "last record": lambda lines: [*lines[:-2], lines[-1]],
    "signed end": lambda lines: lines[:-1],
    "half a line": lambda lines: [*lines[:-2], lines[-2][:40]],
    "a record in the middle": lambda lines: [*lines[:8], *lines[9:]],
    "a statement": lambda lines: [lines[0], *lines[2:]],
    "all records": lambda lines: [line for line in lines if b'"record"' not in line[:20]],
    "two records change places": lambda lines: [*lines[:6], lines[7], lines[6], *lines[8:]],
    "a record twice": lambda lines: [*lines[:7], lines[6], *lines[7:]],
    "text in a record": lambda lines: [line.replace(b"things/1", b"things/9") for line in lines],
    "something after the end": lambda lines: [*lines, lines[5]],
    "a line that nests without end": lambda lines: [*lines[:6], b"[" * 100_000, *lines[7:]],
    "half a character": lambda lines: [line.replace(b"things/1", b"things/\\ud800") for line in lines],
    "the end of another export": lambda lines: [*lines[:-2], lines[-1]],
}


@pytest.mark.parametrize("cut", CUTS)
async def test_what_is_done_to_a_file_is_found(office: Office, cut: str) -> None:
    await office.write(6)
    await office.statements.checkpoint()
    await office.write(2)
    lines = await office.lines()
    keys = await public_keys(office.database)
    control = verify_lines(lines, keys)
    assert (control.ok, control.records, control.uncovered) == (True, 16, 0), control.problems
    assert not verify_lines(CUTS[cut](lines), keys).ok


async def test_an_export_signed_by_another_is_not_believed(office: Office, tmp_path_factory: Any) -> None:
    await office.write(2)
    lines = await office.lines()
    assert verify_lines(lines).ok  # by the key in the file itself
    from joserfc.jwk import OKPKey

    other = SigningKey(OKPKey.generate_key("Ed25519"))
    report = verify_lines(lines, [other.public])
    assert any("none of those given" in problem.what for problem in report.problems)


@pytest.mark.parametrize("keys", [None, 5, [5], [{}], [{"kty": "OKP", "crv": "Ed25519", "x": {}}]], ids=str)
async def test_a_header_without_keys_is_no_export(office: Office, keys: Any) -> None:
    await office.write(2)
    header, *rest = await office.lines()
    assert verify_lines([header, *rest]).ok, "control"
    with pytest.raises(ValueError, match="keys cannot be read"):
        verify_lines([json.dumps({**json.loads(header), "keys": keys}).encode(), *rest])


async def test_a_selection_shows_that_its_records_are_unchanged(office: Office) -> None:
    await office.write(6)
    lines = await office.lines(query=AuditQuery(object="things/1"))
    keys = await public_keys(office.database)
    report = verify_lines(lines, keys)
    assert (report.ok, report.filtered, report.records) == (True, True, 2)
    assert not verify_lines([lines[0], *lines[2:]], keys).ok
    assert not verify_lines([line.replace(b"done: 201", b"done: 200") for line in lines], keys).ok


async def test_a_selection_is_not_taken_for_the_whole(office: Office) -> None:
    await office.write(6)
    until = now()
    await office.write(6)
    lines = await office.lines(query=AuditQuery(until=until))
    keys = await public_keys(office.database)
    control = verify_lines(lines, keys)
    assert (control.ok, control.filtered, control.records) == (True, True, 12), control.problems
    header = json.loads(lines[0])
    assert header["filter"] is not None
    for said in (None, {"until": "another"}):
        report = verify_lines([json.dumps({**header, "filter": said}).encode(), *lines[1:]], keys)
        assert not report.ok, "the half of the log that somebody chose stands there as all of it"


async def test_a_chain_that_does_not_hold_is_not_signed_over(office: Office) -> None:
    await office.write(4)
    await office.statements.checkpoint()
    await office.write(4)
    row = (await _rows(office.database))[-1]
    await _run(office.database, update(audit_records).where(audit_records.c.id == row.id).values(actor="x#y"))
    await office.statements.checkpoint()
    assert office.statements.broken[row.writer].seq == row.seq
    async with office.database.read() as connection:
        signed = (
            await connection.execute(select(audit_writers.c.signed_seq).where(audit_writers.c.writer == row.writer))
        ).scalar_one()
    assert signed == row.seq - 1  # as far as it held, and no further
    assert not (await office.verify_export()).ok


async def test_records_that_vanish_under_a_running_process_leave_a_mark_for_good(office: Office) -> None:
    """A database that was put back to an earlier state: the process goes on, and the log says what is gone."""
    await office.first.write(Entry("a.b.c", "r1"), "event", "ok")
    kept = (await _rows(office.database))[0]
    await office.first.write(Entry("a.b.c", "r2"), "event", "ok")
    await _run(
        office.database,
        delete(audit_records).where(audit_records.c.seq == 2),
        update(audit_writers).values(seq=1, hash=kept.hash),
    )
    await office.first.write(Entry("a.b.c", "r3"), "event", "ok")
    await office.statements.checkpoint()
    report = await office.verify()
    assert [problem.what for problem in report.problems] == [
        "its chain begins after records or statements that are missing"
    ]


async def test_a_commit_whose_answer_was_lost_makes_no_gap(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.first.write(Entry("a.b.c", "r1"), "event", "ok")
    append = AuditLog._append

    async def lost(self: AuditLog, batch: list[dict[str, Any]]) -> None:
        head = self._head
        await append(self, batch)
        self._head = head  # as if the connection had broken before the answer
        raise ConnectionError("gone")

    monkeypatch.setattr(AuditLog, "_append", lost)
    with pytest.raises(Unavailable):
        await office.first.write(Entry("a.b.c", "r2"), "event", "ok")
    monkeypatch.setattr(AuditLog, "_append", append)
    await office.first.write(Entry("a.b.c", "r3"), "event", "ok")
    await office.statements.checkpoint()
    report = await office.verify()
    assert (report.ok, report.records) == (True, 3), report.problems


async def test_a_lost_key_of_the_settings_is_no_key(database: Database) -> None:
    from joserfc.jwk import OKPKey

    key = OKPKey.generate_key("Ed25519")
    pem = key.as_pem(private=True).decode()
    keyring = Keyring([b"k" * 32])
    given = Statements(database, keyring, given_key=pem)
    log = AuditLog(database)
    await log.write(Entry("a.b.c", "r1"), "event", "ok")
    await Statements(database, keyring).checkpoint()
    await log.write(Entry("a.b.c", "r2"), "event", "ok")
    await given.checkpoint()
    keys = await public_keys(database)
    assert [member["kid"] for member in keys][-1] == key.thumbprint()
    assert len(keys) == 2
    assert all("d" not in member for member in keys)
    assert (await verify_database(database, PublicKeys(keys))).ok
    assert not (await verify_database(database, PublicKeys(keys[:1]))).ok


async def test_the_key_is_sealed_in_the_database(office: Office, tmp_path: Any) -> None:
    await office.write(1)
    await office.statements.checkpoint()
    key = await office.statements.key()
    async with office.database.read() as connection:
        rows = (await connection.execute(text("SELECT name, value FROM state"))).all()
    private = str(key._key.as_dict(private=True)["d"]).encode()
    pem = key._key.as_pem(private=True)
    for row in rows:
        assert private not in bytes(row.value)
        assert pem not in bytes(row.value)


async def test_secrets_are_hidden_by_their_type_and_large_values_by_their_digest(office: Office) -> None:
    from pydantic import BaseModel, SecretStr

    class Connection(BaseModel):
        name: str
        password: SecretStr
        key: bytes
        nested: list[dict[str, SecretStr]]

    given = Connection(
        name="a\nb", password=SecretStr("hunter2"), key=b"hunter2", nested=[{"token": SecretStr("hunter2")}]
    )
    who = Principal("https://idp.example", "1", "anna", "Anna", session_id="s")
    entry = Entry("a.b.c", "r", who, before=given, after={"texts": ["x" * 400] * (MAX_VALUE // 300)}, upstream_id="q-1")
    await office.first.write(entry, "outcome", "done: 200")
    record = (await office.first.read()).items[0]
    assert record.details["before"]["password"] == "(secret)"
    assert "hunter2" not in json.dumps(record.details)
    assert record.details["before"]["name"] == "a\\u000ab"
    assert record.details["after"]["too_large"] is True
    assert record.details["upstream_id"] == "q-1"
    await office.statements.checkpoint()
    assert (await office.verify()).ok
    assert redacted({"n": float("nan"), "deep": [[[[[[[[["x"]]]]]]]]]}) is not None


async def test_a_locked_database_is_a_bounded_wait_and_nothing_is_lost(database: Database) -> None:
    """M77: the writer gives up with 503, reads go on, and the chain has no gap afterwards."""
    impatient = Database(str(database.url.render_as_string(hide_password=False)), busy_timeout=0.5)
    log = AuditLog(impatient)
    await log.write(Entry("a.b.c", "r1"), "event", "ok")
    async with database.write() as connection:
        if not database.is_sqlite:
            await connection.execute(text("LOCK TABLE audit_records IN EXCLUSIVE MODE"))
        started = asyncio.get_running_loop().time()
        waiting = [log.write(Entry("a.b.c", f"r{n}"), "event", "ok") for n in range(2, 12)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert asyncio.get_running_loop().time() - started < 5
        assert all(isinstance(result, Unavailable) for result in results)
        assert len((await log.read()).items) == 1
    await log.write(Entry("a.b.c", "r12"), "event", "ok")
    await Statements(database, Keyring([b"k" * 32]), log).checkpoint()
    report = await verify_database(database, PublicKeys(await public_keys(database)))
    assert (report.ok, report.records) == (True, 2), report.problems
    await impatient.close()


async def test_one_record_is_what_its_hash_says(office: Office) -> None:
    """The canonical form, spelled out: whoever verifies elsewhere needs no code of ours."""
    await office.write(1)
    fields = exported(record_of((await _rows(office.database))[0]))
    counted = {name: value for name, value in fields.items() if name not in ("id", "hash")}
    form = json.dumps(counted, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(form.encode()).hexdigest() == fields["hash"] == digest(fields)
