"""Old records leave the database for an archive: a signed export in a file, verified there before anything is deleted.

Each step may be interrupted. The file is complete or absent; the statement names it with its digest; what a statement
says is archived is deleted then, or at the next time.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import delete, select

from openlakes_portal._audit.export import Extent, export, newest_archive, verify_lines
from openlakes_portal._audit.signing import public_keys
from openlakes_portal._audit.sinks import Forwarder
from openlakes_portal._audit.statements import Statements, payload
from openlakes_portal._store.audit_tables import audit_records, audit_statements
from openlakes_portal._store.clock import Clock, now
from openlakes_portal._store.database import Database

LEAST = 1_000
"""Fewer records than these are not worth a file yet, unless asked for."""
KEPT_STATEMENTS = 10
CHUNK = 1_000
log = structlog.get_logger("audit")


class Retention:
    """Archives what is older than so many days."""

    def __init__(
        self,
        database: Database,
        statements: Statements,
        site: str,
        directory: Path,
        days: float,
        sinks: Callable[[], list[Forwarder]] = list,
        *,
        least: int = LEAST,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._statements = statements
        self._site = site
        self._directory = directory
        self._age = timedelta(days=days)
        self._sinks = sinks
        self._least = least
        self._clock = clock

    async def run(self) -> Path | None:
        """One archive, where there is enough to archive; the file."""
        await self._delete_archived()
        part = await self._due()
        if part is None or part.records < self._least:
            return None
        if not await self._sent_on(part):
            log.warning("audit records are not archived: a sink does not have them yet")
            return None
        path, sha256 = await self._write(part)
        heads = await self._hashes(part)
        await self._statements.archive(
            {"through": part.through, "heads": heads, "file": path.name, "sha256": sha256, "archived": part.records}
        )
        await self._delete_archived()
        log.info("audit records were archived", file=str(path), records=part.records)
        return path

    async def _due(self) -> Extent | None:
        """Up to the newest checkpoint that is old enough."""
        table = audit_statements.c
        cutoff = self._clock() - self._age
        async with self._database.read() as connection:
            last = await newest_archive(connection)
            old = select(table.number).where(table.kind == "checkpoint", table.at <= cutoff)
            through = (await connection.execute(old.order_by(table.number.desc()).limit(1))).scalar()
            if through is None or through <= last["through"]:
                return None
            after = {writer: int(seq) for writer, (seq, _) in last["heads"].items()}
            heads = dict(after)
            said = select(table.jws).where(
                table.kind == "checkpoint", table.number > last["through"], table.number <= through
            )
            for (jws,) in (await connection.execute(said.order_by(table.number))).all():
                heads |= {writer: int(seq) for writer, (seq, _) in payload(jws)["heads"].items()}
        return Extent(through, max(through, last["number"]), heads, after)

    async def _sent_on(self, part: Extent) -> bool:
        for sink in self._sinks():
            cursor = await sink.cursor()
            if any(cursor.get(writer, 0) < seq for writer, seq in part.heads.items()):
                return False
        return True

    async def _write(self, part: Extent) -> tuple[Path, str]:
        """The file, complete and verified."""
        await asyncio.to_thread(self._directory.mkdir, parents=True, exist_ok=True, mode=0o700)
        path = self._directory / f"audit-{part.through:010d}.jsonl"
        temporary = path.with_suffix(".part")
        file = await asyncio.to_thread(open, temporary, "wb", opener=_private)
        with file:
            async for line in export(self._database, self._statements, self._site, part=part):
                await asyncio.to_thread(file.write, line)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        keys = await public_keys(self._database)
        sha256 = await asyncio.to_thread(_verified, temporary, keys)
        temporary.replace(path)
        return path, sha256

    async def _hashes(self, part: Extent) -> dict[str, list[Any]]:
        """The place in each chain behind which what stays begins, with the hash of the record there."""
        records, heads = audit_records.c, {}
        async with self._database.read() as connection:
            before = await newest_archive(connection)
            for writer, seq in part.heads.items():
                query = select(records.hash).where(records.writer == writer, records.seq == seq)
                hash = (await connection.execute(query)).scalar()
                heads[writer] = [seq, hash] if hash is not None else before["heads"][writer]
        return heads

    async def _delete_archived(self) -> None:
        async with self._database.read() as connection:
            said = await newest_archive(connection)
        for writer, (seq, _) in said["heads"].items():
            await self._delete_records(writer, int(seq))
        covered = audit_statements.c.number < said["through"] - KEPT_STATEMENTS
        async with self._database.write() as connection:
            await connection.execute(delete(audit_statements).where(covered))

    async def _delete_records(self, writer: str, seq: int) -> None:
        records = audit_records.c
        while True:
            async with self._database.write() as connection:
                old = (
                    select(records.id)
                    .where(records.writer == writer, records.seq <= seq)
                    .order_by(records.seq)
                    .limit(CHUNK)
                )
                ids = [id for (id,) in (await connection.execute(old)).all()]
                if ids:
                    await connection.execute(delete(audit_records).where(records.id.in_(ids)))
            if len(ids) < CHUNK:
                return


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _verified(path: Path, keys: list[dict[str, Any]]) -> str:
    """The digest of the file, after it was read back and verified."""
    with path.open("rb") as file:
        report = verify_lines(file, keys)
    if not report.ok:
        first = report.problems[0]
        raise RuntimeError(f"the archive does not hold, nothing is deleted: {first.where}: {first.what}")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
