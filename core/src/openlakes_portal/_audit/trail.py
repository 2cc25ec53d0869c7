"""The audit log as a whole: what is written is covered by statements, sent on to sinks, and archived in time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import func, select

from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.reading import AuditQuery
from openlakes_portal._audit.sinks import FileSink, Forwarder
from openlakes_portal._audit.statements import Broken, Statements, payload
from openlakes_portal._settings.model import AuditSettings
from openlakes_portal._store.audit_tables import audit_statements, audit_writers
from openlakes_portal._store.database import Database
from openlakes_portal._store.keyring import Keyring

if TYPE_CHECKING:
    from openlakes_portal._audit.retention import Retention

SEND_EVERY = 1.0
ARCHIVE_EVERY = 3600.0
CLOSE = 3.0
log = structlog.get_logger("audit")


@dataclass(frozen=True)
class TrailState:
    """How the log stands. `covered` of its records are covered by statements, the last of which is `statement`;
    `uncovered` are not yet. `waiting` is the number of records that a sink does not have, by its name."""

    covered: int
    uncovered: int
    statement: int
    statement_at: str | None
    archived: int
    broken: tuple[Broken, ...]
    waiting: dict[str, int]
    failing: dict[str, str]


class AuditTrail:
    """What the leader does for the log, and what can be asked about it."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        written: AuditLog,
        settings: AuditSettings,
        site: str,
        data_dir: Path,
    ) -> None:
        self._database = database
        self._site = site
        self._settings = settings
        key = settings.signing_key
        self.statements = Statements(database, keyring, written, key.get_secret_value() if key else None)
        self.sinks: list[Forwarder] = []
        if "file" in settings.sink:
            self.sinks.append(Forwarder(database, FileSink(settings.path or data_dir / "audit.jsonl")))
        if "otlp" in settings.sink:
            self.sinks.append(Forwarder(database, _otlp(settings, site)))
        self.retention: Retention | None = None
        if settings.retention_days is not None:
            from openlakes_portal._audit import retention

            directory = settings.archive_dir or data_dir / "audit-archive"
            self.retention = retention.Retention(
                database, self.statements, site, directory, settings.retention_days, lambda: self.sinks
            )

    async def close(self) -> None:
        """Cover what this process wrote last, and leave the sinks. With the database away the next leader covers it."""
        try:
            async with asyncio.timeout(CLOSE):
                await self.statements.checkpoint()
        except Exception as error:
            log.warning("the last audit records are not covered by a statement yet", error=repr(error))
        for sink in self.sinks:
            await sink.close()

    def export(self, query: AuditQuery | None = None) -> AsyncIterator[bytes]:
        """JSON lines; see `export.py`."""
        from openlakes_portal._audit.export import export

        return export(self._database, self.statements, self._site, query)

    async def state(self) -> TrailState:
        """How the log stands."""
        table = audit_statements.c
        async with self._database.read() as connection:
            heads = (await connection.execute(select(audit_writers))).all()
            last = (
                await connection.execute(select(audit_statements).order_by(table.number.desc()).limit(1))
            ).one_or_none()
            archives = (await connection.execute(select(func.count()).where(table.kind == "archive"))).scalar_one()
        waiting = {}
        for sink in self.sinks:
            cursor = await sink.cursor()
            waiting[sink.name] = sum(max(0, row.seq - cursor.get(row.writer, 0)) for row in heads)
        return TrailState(
            covered=payload(last.jws)["records"] if last else 0,
            uncovered=sum(row.seq - row.signed_seq for row in heads),
            statement=last.number if last else 0,
            statement_at=payload(last.jws)["at"] if last else None,
            archived=archives,
            broken=tuple(self.statements.broken.values()),
            waiting=waiting,
            failing={sink.name: sink.error for sink in self.sinks if sink.error is not None},
        )


def _otlp(settings: AuditSettings, site: str) -> Any:
    from openlakes_portal._audit.otlp import OtlpSink

    assert settings.otlp_endpoint is not None  # the settings say so
    headers = {name: value.get_secret_value() for name, value in settings.otlp_headers.items()}
    return OtlpSink(settings.otlp_endpoint, headers, site)
