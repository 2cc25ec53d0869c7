"""Archives, sinks, and the leader that sees to them."""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from openlakes_portal._audit.export import verify_lines
from openlakes_portal._audit.otlp import OtlpSink, request_of
from openlakes_portal._audit.record import Entry
from openlakes_portal._audit.retention import Retention
from openlakes_portal._audit.signing import public_keys
from openlakes_portal._audit.sinks import FileSink, Forwarder
from openlakes_portal._host.leader import LEASE, Job, Leader
from openlakes_portal._store.audit_tables import audit_records, audit_statements
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.lease import Lease

from .conftest import SITE, Office


def _retention(office: Office, folder: Path, days_on: float, **options: Any) -> Retention:
    return Retention(
        office.database,
        office.statements,
        SITE,
        folder,
        30,
        least=1,
        clock=lambda: now() + timedelta(days=days_on),
        **options,
    )


async def _count(database: Database) -> int:
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(audit_records))).scalar_one()


async def test_old_records_leave_for_archives_that_verify_and_the_rest_does_too(office: Office, tmp_path: Path) -> None:
    keys: list[dict[str, Any]] = []
    files = []
    for round in range(3):
        await office.write(6)
        await office.statements.checkpoint()
        await office.write(2)  # younger than the checkpoint: they stay
        keys = await public_keys(office.database)
        path = await _retention(office, tmp_path / "archive", 31).run()
        assert path is not None
        files.append(path)
        assert path.stat().st_mode & 0o777 == 0o600
        with path.open("rb") as file:
            report = verify_lines(file, keys)
        assert (report.ok, report.records) == (True, 12 if round == 0 else 16), report.problems
        assert await _count(office.database) == 4
        assert (await office.verify()).ok
        assert (await office.verify_export()).ok
    named = (await office.verify()).archives
    assert files[-1].name in named
    assert await _retention(office, tmp_path / "archive", 0).run() is None, "nothing is older than 30 days"
    lines = files[1].read_bytes().splitlines(keepends=True)
    assert not verify_lines([*lines[:-3], *lines[-2:]], keys).ok
    assert not verify_lines([line.replace(b"things/1", b"things/9") for line in lines], keys).ok


async def test_what_was_taken_away_is_not_taken_for_archived(office: Office, tmp_path: Path) -> None:
    for _ in range(2):
        await office.write(4)
        await office.statements.checkpoint()
    await _retention(office, tmp_path, 31).run()
    for _ in range(2):
        await office.write(4)
        await office.statements.checkpoint()
    assert (await office.verify()).ok
    async with office.database.write() as connection:
        first = (await connection.execute(select(func.min(audit_records.c.id)))).scalar_one()
        await connection.execute(audit_records.delete().where(audit_records.c.id == first))
    report = await office.verify()
    assert "missing before it" in report.problems[0].what


async def test_an_archive_that_was_interrupted_is_made_again_and_one_that_is_stated_is_finished(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.write(6)
    await office.statements.checkpoint()
    whole = Retention._delete_records

    async def killed(self: Retention, writer: str, seq: int) -> None:
        raise KeyboardInterrupt

    retention = _retention(office, tmp_path, 31)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="space"):
        await retention.run()
    assert await _count(office.database) == 12
    monkeypatch.undo()
    monkeypatch.setattr(Retention, "_delete_records", killed)
    with pytest.raises(KeyboardInterrupt):
        await retention.run()
    assert await _count(office.database) == 12
    assert (await office.verify()).ok, "what is archived already is no gap, and no double"
    monkeypatch.setattr(Retention, "_delete_records", whole)
    assert await retention.run() is None
    assert await _count(office.database) == 0
    assert (await office.verify()).ok


async def test_a_log_that_does_not_hold_is_not_archived_away(office: Office, tmp_path: Path) -> None:
    await office.write(6)
    await office.statements.checkpoint()
    async with office.database.write() as connection:
        await connection.execute(update(audit_records).where(audit_records.c.id == 3).values(actor="x#y"))
    with pytest.raises(RuntimeError, match="nothing is deleted"):
        await _retention(office, tmp_path, 31).run()
    assert await _count(office.database) == 12


class Unreliable:
    """A sink that fails when told to."""

    name = "test"

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.down = False

    async def send(self, lines: Sequence[dict[str, Any]]) -> None:
        """Take them."""
        if self.down:
            raise ConnectionError("away")
        self.lines += lines

    async def close(self) -> None:
        """Nothing."""


async def test_a_sink_that_was_away_gets_everything_once_and_in_order(office: Office, tmp_path: Path) -> None:
    sink = Unreliable()
    forwarder = Forwarder(office.database, sink)
    await office.write(2)
    await forwarder.run()
    sink.down = True
    await asyncio.gather(*(office.first.write(Entry("a.b.c", "r"), "event", "ok") for _ in range(1200)))
    await office.statements.checkpoint()
    await forwarder.run()
    assert "away" in str(forwarder.error)
    assert await _retention(office, tmp_path, 31, sinks=lambda: [forwarder]).run() is None, "the sink has them not yet"
    sink.down = False
    await Forwarder(office.database, sink).run()  # another replica leads now
    records = [line for line in sink.lines if line["type"] == "record"]
    assert len(records) == 4 + 1200
    assert len({(r["writer"], r["seq"]) for r in records}) == len(records)
    for writer in {r["writer"] for r in records}:
        places = [r["seq"] for r in records if r["writer"] == writer]
        assert places == sorted(places)
    assert [line["number"] for line in sink.lines if line["type"] == "statement"] == [1]
    assert await _retention(office, tmp_path, 31, sinks=lambda: [forwarder]).run() is not None


async def test_a_file_holds_whole_lines_whatever_happens(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sink" / "audit.jsonl"
    forwarder = Forwarder(office.database, FileSink(path))
    await office.write(2)
    await forwarder.run()
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    real = os.write

    def full(descriptor: int, content: bytes) -> int:
        if len(content) > 100:
            return real(descriptor, content[:100])
        raise OSError(28, "No space left on device")

    await office.write(2)
    monkeypatch.setattr(os, "write", full)
    await forwarder.run()
    assert "space" in str(forwarder.error)
    assert path.read_bytes() == before, "the torn part was taken back"
    monkeypatch.undo()
    with path.open("ab") as file:
        file.write(b'{"torn":')  # as a killed process leaves it
    await forwarder.run()
    lines = path.read_bytes().splitlines()
    good = [json.loads(line) for line in lines if line != b'{"torn":']
    assert [(line["seq"], line["object"]) for line in good if line["type"] == "record"].count((1, "things/0")) == 1
    assert len(good) == 8
    path.rename(tmp_path / "moved")  # by a log shipper
    await office.write(1)
    await forwarder.run()
    assert len(path.read_bytes().splitlines()) == 2


async def test_otlp_is_what_the_protocol_says(office: Office) -> None:
    """Checked with OpenTelemetry's own messages; a collector that refuses gets the same batch again."""
    import httpx
    from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    await office.write(2)
    await office.statements.checkpoint()
    asked: list[httpx.Request] = []
    answers = [503, 200]

    def collector(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(answers.pop(0), json={})

    sink = OtlpSink("http://collector.example:4318", {"Authorization": "Bearer s3cret"}, SITE)
    sink._client = httpx.AsyncClient(transport=httpx.MockTransport(collector), headers=sink._client.headers)
    forwarder = Forwarder(office.database, sink)
    await forwarder.run()
    assert forwarder.error == "RuntimeError: the collector answered 503"
    await forwarder.run()
    assert forwarder.error is None
    assert [str(request.url) for request in asked] == ["http://collector.example:4318/v1/logs"] * 2
    assert asked[0].content == asked[1].content
    assert asked[0].headers["authorization"] == "Bearer s3cret"
    message = ParseDict(json.loads(asked[1].content), ExportLogsServiceRequest())
    records = message.resource_logs[0].scope_logs[0].log_records
    assert len(records) == 5
    attributes = {a.key: a.value for a in records[0].attributes}
    assert attributes["openlakes.audit.action"].string_value == "acme.thing.made"
    assert attributes["openlakes.audit.seq"].int_value == 1
    assert records[0].time_unix_nano > 0
    refused = {"type": "record", "at": "2026-01-01T00:00:00.000000Z", "action": "core.access.denied", "result": "x"}
    fields = {"actor_name": "a", "object": "o", "details": {"n": [1, 2.5, True, None]}}
    ParseDict(request_of([{**refused, **fields}], SITE), ExportLogsServiceRequest())
    await forwarder.close()


async def test_a_lease_has_one_holder_and_is_followed_when_it_ran_out(database: Database) -> None:
    leases = [Lease(database, "race", f"holder {n}", 30) for n in range(2)]
    taken = await asyncio.gather(*(lease.take() for lease in leases * 5))
    assert len({n % 2 for n, got in enumerate(taken) if got}) == 1
    first, second = Lease(database, "x", "first", 0.4), Lease(database, "x", "second", 30)
    assert await first.take()
    assert await first.take(), "renewed"
    assert not await second.take()
    async with asyncio.timeout(5):
        while not await second.take():
            await asyncio.sleep(0.05)
    assert not await first.take()
    await second.release()
    assert await first.take()


async def test_one_of_many_leads_and_another_follows_it(database: Database) -> None:
    ran: list[int] = []

    def leader(n: int) -> Leader:
        async def job() -> None:
            ran.append(n)

        return Leader(database, [Job("count", 0.0, job)])

    leaders = [leader(n) for n in range(3)]
    for candidate in leaders:
        candidate.start()
    async with asyncio.timeout(LEASE):
        while not ran:
            await asyncio.sleep(0.01)
    assert sum(candidate.leading for candidate in leaders) == 1
    assert len(set(ran)) == 1
    now_leading = next(candidate for candidate in leaders if candidate.leading)
    await now_leading.stop()  # in order: the lease is free at once
    ran.clear()
    async with asyncio.timeout(LEASE / 2):
        while not ran:
            await asyncio.sleep(0.01)
    assert len(set(ran)) == 1
    for candidate in leaders:
        await candidate.stop()


async def test_a_failing_job_does_not_keep_the_others_from_running(database: Database) -> None:
    ran = asyncio.Event()

    async def bad() -> None:
        raise RuntimeError("no")

    async def good() -> None:
        ran.set()

    leader = Leader(database, [Job("bad", 0.0, bad), Job("good", 0.0, good)])
    leader.start()
    async with asyncio.timeout(5):
        await ran.wait()
    await leader.stop()


async def test_statements_are_few_while_nothing_happens(office: Office) -> None:
    await office.write(1)
    for _ in range(5):
        await office.statements.checkpoint()
    async with office.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(audit_statements))).scalar_one() == 1
