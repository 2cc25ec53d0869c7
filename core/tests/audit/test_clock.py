"""M80 for the audit log: its order is that of writing, and it verifies, whatever the clock said meanwhile."""

import pytest

from machine_clock import MachineClock
from openlakes_portal._audit.reading import AuditQuery
from openlakes_portal._audit.record import Entry

from .conftest import Office


@pytest.mark.parametrize("jump", [600, -600, -3600], ids="{:+d} s".format)
async def test_records_stand_in_the_order_of_writing_and_verify(
    office: Office, machine: MachineClock, jump: int
) -> None:
    written: list[str] = []
    for round, set_by in enumerate((0, jump, 5, -jump)):
        machine.ahead += set_by
        for log in (office.first, office.second):
            written.append(f"{round} {len(written)}")
            await log.write(Entry("acme.thing.made", written[-1], object="thing"), "intent", "started")
            await log.write(Entry("acme.thing.made", written[-1], object="thing"), "outcome", "done: 201")
        await office.statements.checkpoint()
    seen, cursor = [], None
    while True:
        page = await office.first.read(AuditQuery(limit=5, cursor=cursor))
        seen += [record.request_id for record in page.items if record.phase == "outcome"]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == written[::-1], "newest first, each once, on pages"
    records = (await office.first.read(AuditQuery(limit=100))).items
    times = [record.at for record in records][::-1]
    assert times != sorted(times), "control: the clock did go back"
    for report in (await office.verify(), await office.verify_export()):
        assert report.problems == []
        assert report.uncovered == 0
        assert report.records >= 16
