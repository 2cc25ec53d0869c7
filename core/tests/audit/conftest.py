"""A log on each database, with all that keeps it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._audit.export import export, verify_database, verify_lines
from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.record import Entry
from openlakes_portal._audit.signing import PublicKeys, public_keys
from openlakes_portal._audit.statements import Statements
from openlakes_portal._audit.verify import Report
from openlakes_portal._store.database import Database
from openlakes_portal._store.keyring import Keyring

SITE = "https://lake.example"


@dataclass
class Office:
    """Two processes' logs in one database, and who signs."""

    database: Database
    first: AuditLog
    second: AuditLog
    statements: Statements
    keyring: Keyring

    async def write(self, number: int = 6) -> None:
        """Intents and outcomes, by turns from both processes."""
        for n in range(number):
            log = (self.first, self.second)[n % 2]
            await log.write(Entry("acme.thing.made", f"request-{n}", object=f"things/{n}"), "intent", "started")
            await log.write(Entry("acme.thing.made", f"request-{n}", object=f"things/{n}"), "outcome", "done: 201")

    async def verify(self) -> Report:
        """What the database says."""
        return await verify_database(self.database, PublicKeys(await public_keys(self.database)))

    async def lines(self, **options: Any) -> list[bytes]:
        """An export."""
        return [line async for line in export(self.database, self.statements, SITE, **options)]

    async def verify_export(self, path: Path | None = None) -> Report:
        """What an export made now says, by the keys of the database."""
        lines = await self.lines()
        if path is not None:
            path.write_bytes(b"".join(lines))
        return verify_lines(lines, await public_keys(self.database))


@pytest.fixture
def office(database: Database) -> Office:
    """The office."""
    keyring = Keyring([b"k" * 32])
    first = AuditLog(database)
    return Office(database, first, AuditLog(database), Statements(database, keyring, first), keyring)
