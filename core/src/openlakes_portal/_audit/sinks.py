"""Further places for audit records: a file of JSON lines, a collector by OTLP.

The database is their queue: each sink has a cursor there, a place in every chain, and gets what lies beyond it, in
order, batch by batch. A sink that is away for a week costs no memory and loses nothing. A batch whose success was not
heard is sent again: `writer` and `seq` tell a repeated record.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog
from pydantic_core import to_json
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._audit.reading import record_of
from openlakes_portal._audit.statements import exported
from openlakes_portal._store.audit_tables import audit_records, audit_statements, audit_writers
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import state

BATCH = 500
log = structlog.get_logger("audit")


class Sink(Protocol):
    """Takes lines of an export; returns once they are safe there, raises where they are not."""

    name: str

    async def send(self, lines: Sequence[dict[str, Any]]) -> None:
        """Take a batch."""

    async def close(self) -> None:
        """The portal stops."""


class Forwarder:
    """Brings one sink up to date."""

    def __init__(self, database: Database, sink: Sink) -> None:
        self._database = database
        self._sink = sink
        self._state = f"audit-sink-{sink.name}"
        self.error: str | None = None
        """Why the last batch could not be sent."""

    @property
    def name(self) -> str:
        """The sink's."""
        return self._sink.name

    async def run(self) -> None:
        """Send all that is there. A failure is kept in `error` and tried again the next time."""
        try:
            while await self._batch():
                pass
        except Exception as error:
            if self.error is None:
                log.error("audit records cannot be sent on; they wait", sink=self.name, error=repr(error))
            self.error = f"{type(error).__name__}: {error}"[:300]
        else:
            if self.error is not None:
                log.info("audit records are sent on again", sink=self.name)
            self.error = None

    async def cursor(self) -> dict[str, int]:
        """How far each chain was sent; the statements under the name ''."""
        async with self._database.read() as connection:
            return await _cursor(connection, self._state)

    async def close(self) -> None:
        """Leave the sink."""
        await self._sink.close()

    async def _batch(self) -> bool:
        async with self._database.read() as connection:
            cursor = await _cursor(connection, self._state)
            lines, known = await _beyond(connection, cursor)
        if not lines:
            return False
        await self._sink.send(lines)
        for line in lines:
            if line["type"] == "record":
                cursor[line["writer"]] = line["seq"]
            else:
                cursor[""] = line["number"]
        kept = {writer: seq for writer, seq in cursor.items() if not writer or writer in known}
        async with self._database.write() as connection:
            value = json.dumps(kept).encode()
            done = await connection.execute(update(state).where(state.c.name == self._state).values(value=value))
            if done.rowcount == 0:
                await connection.execute(insert(state).values(name=self._state, value=value))
        return True


async def _cursor(connection: AsyncConnection, name: str) -> dict[str, int]:
    held: bytes | None = (await connection.execute(select(state.c.value).where(state.c.name == name))).scalar()
    return {str(writer): int(seq) for writer, seq in json.loads(held).items()} if held else {}


async def _beyond(connection: AsyncConnection, cursor: dict[str, int]) -> tuple[list[dict[str, Any]], set[str]]:
    """The next batch, and the chains that there are."""
    writers = (await connection.execute(select(audit_writers.c.writer, audit_writers.c.seq))).all()
    lines: list[dict[str, Any]] = []
    table = audit_records.c
    for writer, seq in writers:
        if seq <= cursor.get(writer, 0) or len(lines) >= BATCH:
            continue
        query = (
            select(audit_records)
            .where(table.writer == writer, table.seq > cursor.get(writer, 0))
            .order_by(table.seq)
            .limit(BATCH - len(lines))
        )
        rows = (await connection.execute(query)).all()
        lines += [{"type": "record", **exported(record_of(row))} for row in rows]
    statements = audit_statements.c
    newer = select(audit_statements).where(statements.number > cursor.get("", 0)).order_by(statements.number)
    lines += [
        {"type": "statement", "number": row.number, "jws": row.jws}
        for row in (await connection.execute(newer.limit(BATCH))).all()
    ]
    return lines, {writer for writer, _ in writers}


class FileSink:
    """Appends to a file, which a log shipper may move away at any time. A line is whole or absent."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, lines: Sequence[dict[str, Any]]) -> None:
        """Append and flush to the disk."""
        await asyncio.to_thread(self._append, b"".join(to_json(line) + b"\n" for line in lines))

    def _append(self, content: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                content = b"\n" + content  # A process died in the middle of its line
            try:
                written = 0
                while written < len(content):
                    written += os.write(descriptor, content[written:])
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)

    async def close(self) -> None:
        """Nothing is held open."""
